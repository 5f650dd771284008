"""What passes by itself, and is tried again."""

from __future__ import annotations

import asyncpg

from bank.investec import errors
from ledger.database import UNREACHABLE
from topology.errors import Unavailable

DATABASE_ERRORS = (*UNREACHABLE, asyncpg.PostgresError)
#: A step that meets one of these has left everything as it may be found again.
PASSING = (*DATABASE_ERRORS, Unavailable, errors.Unavailable)
