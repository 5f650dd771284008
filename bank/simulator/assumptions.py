"""What the bank has published nowhere: guesses, which ``/simulator/assumptions`` turns round.

The words of refusals are guesses too, but for the one that an example shows (an account that is not
valid); nobody should read more into them than that something was refused.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

#: How a payment is refused: 400 with a bare JSON string; or, which nobody can be sure is a refusal,
#: 200 with a message and no response, or 200 with a response that has no reference and says why in
#: its status.
Refusal = Literal["bad-request", "error-message", "response"]
Seconds = Annotated[float, msgspec.Meta(ge=0, le=366 * 86_400)]


class Assumptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """As the control API takes and shows them."""

    # Statements
    order: Literal["descending", "ascending", "shuffled"] = "descending"
    """Of rows: the official example descends, the community's ascends, nothing is promised."""
    dates_mean: Literal["posting", "transaction"] = "posting"
    """Which of a row's dates ``fromDate`` and ``toDate`` are compared with."""
    bad_dates: Literal["bad-request", "ignored"] = "bad-request"
    """What becomes of dates that are none, or the wrong way round."""
    most_days: Annotated[int, msgspec.Meta(ge=0)] = 0
    """Of one question; more is refused. 0: any number."""
    most_rows: Annotated[int, msgspec.Meta(ge=0)] = 0
    """Of one answer; the others are on pages that nobody can ask for. 0: any number."""
    running_balance: Literal["as-posted", "recomputed"] = "as-posted"
    """Whether the balances behind later rows change with a row that is renumbered or vanishes."""
    pending_uuid: Literal["blank", "missing", "null"] = "blank"
    pending_order: Literal["zero", "missing", "null"] = "zero"
    """What pending rows have for uuid and postedOrder."""
    pending_list: Literal["transactions", "PendingTransaction"] = "transactions"
    """What the list of pending rows is called: as the bank is seen to answer, or as specified."""
    uuid_elsewhere: Literal["blank", "made"] = "blank"
    """What posted rows have for one where the account is no Private Bank Account."""
    unnumbered_in_balance: bool = False
    """Whether the balance counts rows that are posted and have no number yet."""
    credit_settles_s: Seconds = 0.0
    """How long money that comes in is pending, where it is not told."""
    utc_offset_h: Annotated[float, msgspec.Meta(ge=-12, le=14)] = 2.0
    """Of the bank's days."""

    # Payments
    insufficient_funds: Refusal = "bad-request"
    never_paid: Refusal = "bad-request"
    """How a payment is refused that the account has not, or to whom nobody was paid before."""
    rest_of_list: Literal["stops", "goes-on", "all-or-none"] = "stops"
    """What becomes of the other items where one is refused."""
    twins: Literal["paid-again", "refused"] = "paid-again"
    """What becomes of a payment like one of the same day, reference included."""
    twin_refused: Refusal = "error-message"
    """How that is refused, where it is. No source says; see ``Refusal``."""
    nested_responses: bool = False
    """Whether transfers are answered as the older version is."""
    reference_length: Annotated[int, msgspec.Meta(ge=1, le=40)] = 20
    """What is left of a reference."""
    debit_description: Literal["mine", "theirs", "mine-and-theirs"] = "mine"
    """What a payment's row says."""
    return_description: Literal["mine", "bank-reference", "neither"] = "mine"
    """By what the row names its payment that brings the money back."""
    payment_settles_s: Seconds = 2.0
    """How long a payment's row is pending."""
    authorisation_required: bool = False
    """Whether payments wait for the holder's own authorisers."""
    authorisation_lapses_s: Seconds = 3 * 86_400.0
    """How long they wait where the payment does not say."""

    # Everything
    expires_in: Literal["number", "text"] = "number"
    """How the token says how long it is good; both are documented."""
    names_scopes: Literal["accounts", "granted"] = "accounts"
    """Which scopes a token's answer names: one in the example, whatever was granted."""
    self_link: Literal["url", "null"] = "url"
    error_body: Literal["empty", "json", "html"] = "empty"
    """Of 403, 429 and 500."""
    most_requests_a_minute: Annotated[int, msgspec.Meta(ge=0)] = 0
    """Beyond it 429; 0: never. The bank publishes no rate."""
