"""What the bank has published nowhere. Each is a guess that a run may turn round."""

from __future__ import annotations

from typing import Literal

import msgspec


class Assumptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """As the control API takes and shows them."""

    order: Literal["descending", "ascending", "shuffled"] = "descending"
    """Of rows in a statement: the official example descends, the community's ascends."""
    pending_uuid: Literal["blank", "missing"] = "blank"
    """What pending rows have for one."""
    list_name: Literal["transactions", "PendingTransaction"] = "transactions"
    """Of pending rows: what the bank is seen to answer, or what the specification says."""
    nested_responses: bool = False
    """Whether transfers are answered as the older version is."""
    insufficient_funds: Literal["error-message", "bad-request"] = "error-message"
    """How a payment beyond the balance is refused."""
    never_paid: Literal["error-message", "bad-request"] = "error-message"
    """How one to a beneficiary is refused who was never paid through the bank's own pages."""
    debit_description: Literal["mine", "mine-and-theirs"] = "mine"
    """What a payment's row says."""
    authorisation_required: bool = False
    """Whether payments wait for the bank's own authorisers."""
    authorisation_lapses_s: float = 3 * 24 * 3600.0
    payment_settles_s: float = 2.0
    """How long a payment's row is pending."""
    credit_settles_s: float = 0.0
    """The same for money that comes in and says nothing else."""
    expires_in: Literal["number", "text"] = "number"
    """How the token says how long it is good; both are documented."""
    most_requests_per_s: float = 0.0
    """Beyond it 429; 0: never. The bank publishes no rate."""
