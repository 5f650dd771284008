"""Who sits at the command line."""

from __future__ import annotations

import getpass
import os


def actor() -> str:
    """The user's name, for the record of what operators did directly on the books."""
    try:
        return f"cli:{os.environ.get('SUDO_USER') or getpass.getuser()}"
    except (KeyError, OSError):  # a container's user may have no name
        return f"cli:{os.getuid()}"
