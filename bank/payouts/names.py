"""By what the steps for payouts are woken."""

from __future__ import annotations

from typing import Final

PLACE: Final = "payouts-place"
"""An order was left to the process."""
SUBMIT: Final = "payouts-submit"
"""A payout may have become HELD."""
FOLLOW: Final = "payouts-follow"
"""Rows were booked."""
RELEASE: Final = "payouts-release"
"""A payout was rejected."""
SETTLE: Final = "payouts-settle"
"""A file was paid as one."""
