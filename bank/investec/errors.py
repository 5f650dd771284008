"""What an attempt to use the bank may end with.

BankError
 ├─ Unavailable       it did not answer, or not now; nothing was done: ask again later
 ├─ Refused           it said no; nothing was done
 │   └─ NotAdmitted   to who asks, not to what is asked for: other credentials may help
 │       └─ NoToken   and so nothing can be asked at all
 └─ OutcomeUnknown    a payment was sent and no answer understood: only its row can tell
"""

from __future__ import annotations


class BankError(Exception):
    """Not raised itself; the text is for a person."""


class Unavailable(BankError):
    """Nothing came of it: ask again later."""


class Refused(BankError):
    """The bank said no, with its own words where it had any."""


class NotAdmitted(Refused):
    """It was not looked at what is asked for: who asks is not known, or may not."""


class NoToken(NotAdmitted):
    """The credentials themselves are not good: no call was made, and none can be."""


class OutcomeUnknown(BankError):
    """The payment may have been made. It must not be sent again before its row was looked for."""
