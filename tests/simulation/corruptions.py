"""Ways in which the small town's history or rows can be wrong, and the rule that sees each."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

from tests.simulation.history import Heard, Kind, Settled
from tests.simulation.small_town import ALICE, BANK, BEGAN, BOB, Town, operation, read, token


def gap_in_sequence(t: Town) -> None:
    t.rows.entries[-1].sequence += 1


def wrong_running_balance(t: Town) -> None:
    t.rows.entries[2].balance_minor += 1


def time_runs_backwards(t: Town) -> None:
    t.rows.entries[-1].created = BEGAN


def wallet_differs_from_entries(t: Town) -> None:
    t.rows.wallets[1].balance_minor += 1


def money_from_nothing(t: Town) -> None:
    t.rows.entries.pop()


def entry_without_transfer(t: Town) -> None:
    t.rows.transfers.pop()


def key_used_twice(t: Town) -> None:
    t.post("alice-to-bob", ALICE, BOB, 1)


def command_decided_twice(t: Town) -> None:
    t.rows.outcomes.append(t.rows.outcomes[-1])


def command_posted_twice(t: Town) -> None:
    t.rows.transfers[1].command_id = t.rows.transfers[0].command_id


def reversed_too_much(t: Town) -> None:
    t.rows.transfers[0].reversal_of = t.rows.transfers[1].transfer_id


def overdrawn(t: Town) -> None:
    t.transfer("overdraws", ALICE, BOB, 1_000_000)


def reserved_money_spent(t: Town) -> None:
    t.reserve("holds-all", ALICE, 6_000, "session-three")
    t.transfer("spends-reserved", ALICE, BOB, 1_000)


def released_without_cause(t: Town) -> None:
    t.rows.reservations[0].released_by = None


def released_by_a_refusal(t: Town) -> None:
    refusal = next(o for o in t.rows.outcomes if o.kind == "Rejection")
    t.rows.reservations[1].released_by = refusal.command_id


def released_by_another_session(t: Town) -> None:
    t.rows.reservations[0].session_id = "session-other"


def released_before_its_transfer(t: Town) -> None:
    held = t.rows.reservations[0]
    assert held.released is not None
    held.released -= timedelta(milliseconds=1)


def hold_never_swept(t: Town) -> None:
    t.reserve("long-gone", ALICE, 1, "session-four")
    t.rows.reservations[-1].expires = t.now - timedelta(hours=2)


def acknowledged_and_lost(t: Town) -> None:
    t.rows.outcomes = [
        o for o in t.rows.outcomes if o.subject_id != t.rows.transfers[1].transfer_id
    ]


def outcome_without_transfer(t: Town) -> None:
    gone = t.rows.transfers.pop(1)
    t.rows.entries = [e for e in t.rows.entries if e.transfer_id != gone.transfer_id]


def reservation_lost(t: Town) -> None:
    t.rows.reservations.pop(0)


def wallet_lost(t: Town) -> None:
    t.rows.wallets[2].external_unique_id = "robert"


def other_amount_than_asked(t: Town) -> None:
    operation(t, "alice-to-bob").request = t.movement(ALICE, BOB, 3_001)


def other_amount_than_told(t: Town) -> None:
    told = operation(t, "spends-hold")
    told.answer = {**(told.answer or {}), "amount": "15.01"}


def other_hold_than_asked(t: Town) -> None:
    t.rows.reservations[1].amount_minor += 1


def success_without_command(t: Town) -> None:
    operation(t, "alice-to-bob").command_id = None


def group_lost_a_member(t: Town) -> None:
    """A group of two of which one was posted."""
    posted = operation(t, "alice-to-bob")
    assert posted.command_id is not None
    posted.kind = Kind.GROUP
    member = {**t.movement(ALICE, BOB, 3_000), "key": "alice-to-bob"}
    posted.request = {"members": [member, {**member, "key": "second"}]}
    outcome = next(o for o in t.rows.outcomes if token(o.command_id) == posted.command_id)
    outcome.kind = "TransferGroupPosted"


def refused_but_moved(t: Town) -> None:
    refusal = next(o for o in t.rows.outcomes if o.kind == "Rejection")
    t.rows.transfers[1].command_id = refusal.command_id


def refused_for_another_reason(t: Town) -> None:
    refusal = next(o for o in t.rows.outcomes if o.kind == "Rejection")
    refusal.detail = json.dumps({"code": "wallet-frozen"})


def too_late_but_applied_later(t: Town) -> None:
    """504 for a command that is decided otherwise in the books."""
    late = operation(t, "nobody-knew")
    late.heard, late.status, late.code = Heard.FAIL, 504, "deadline-exceeded"


def unknown_never_settled(t: Town) -> None:
    operation(t, "nobody-knew").by_command = operation(t, "nobody-knew").by_key = None


def unknown_told_expired(t: Town) -> None:
    operation(t, "nobody-knew").by_command = Settled(False, "EXPIRED", 0.0)


def unknown_contradicts_key(t: Town) -> None:
    operation(t, "nobody-knew").by_key = Settled(False, "absent", 0.0)


def told_differently_later(t: Town) -> None:
    first = operation(t, "alice-to-bob")
    body = {**(first.answer or {}), "amount": "29.99"}
    first.by_command = Settled(True, "APPLIED", 0.0, 201, body)


def refused_later_what_was_applied(t: Town) -> None:
    first = operation(t, "alice-to-bob")
    first.by_command = Settled(False, "EXPIRED", 0.0, 504, first.answer)


def applied_after_found_absent(t: Town) -> None:
    t.post("never-came", BOB, ALICE, 100)


def present_but_not_in_books(t: Town) -> None:
    operation(t, "never-came").by_key = Settled(True, "duplicate-transfer", 0.0)


def applied_after_503(t: Town) -> None:
    t.post("turned-away", BOB, ALICE, 1)


def refused_after_503(t: Town) -> None:
    """Even a recorded refusal proves that the command was accepted."""
    t.refused("turned-away", BOB, ALICE, 1, "insufficient-funds")
    t.history.operations.pop()


def refused_for_nobody(t: Town) -> None:
    """Three refusals without a key, where at most one call could have been refused unheard."""
    for key in ("one", "two", "three"):
        t.refused(key, BOB, ALICE, 1, "insufficient-funds")
        t.history.operations.pop()
        t.rows.refused_keys.pop()


def duplicate_shows_another(t: Town) -> None:
    shown = next(op for op in t.history.operations if op.code == "duplicate-transfer")
    shown.answer = {
        "code": "duplicate-transfer",
        "samePayload": True,
        "transfer": {**operation(t, "alice-to-bob").answer, "amount": "1.00"},  # type: ignore[dict-item]
    }


def duplicate_compares_falsely(t: Town) -> None:
    shown = next(op for op in t.history.operations if op.code == "duplicate-transfer")
    shown.answer = {**(shown.answer or {}), "samePayload": False}


def gateway_broke(t: Town) -> None:
    operation(t, "never-came").status = 500


def later_debit_came_first(t: Town) -> None:
    later = operation(t, "spends-hold")
    later.invoked_s, later.completed_s = 0.0, 0.1


def read_was_stale(t: Town) -> None:
    seen = read(t, Kind.BALANCE)
    seen.answer = {**(seen.answer or {}), "currentBalance": "70.00", "availableBalance": "70.00"}


def read_does_not_add_up(t: Town) -> None:
    seen = read(t, Kind.BALANCE)
    seen.answer = {**(seen.answer or {}), "reservations": "1.00"}


def read_saw_the_future(t: Town) -> None:
    """A balance that only a transfer asked for later made."""
    t.transfer("fund-later", BANK, ALICE, 77)
    seen = read(t, Kind.BALANCE)
    seen.answer = {**(seen.answer or {}), "currentBalance": "60.77", "availableBalance": "60.77"}


def page_is_short(t: Town) -> None:
    page = read(t, Kind.ENTRIES)
    page.answer = {**(page.answer or {}), "items": (page.answer or {})["items"][:-2]}


def page_promised_too_much(t: Town) -> None:
    t.unanswered("came-later", BANK, ALICE, 7)
    page = read(t, Kind.ENTRIES)
    until = t.now + timedelta(seconds=1)
    page.answer = {**(page.answer or {}), "completeUntil": until.isoformat()}


def page_shows_another_amount(t: Town) -> None:
    page = read(t, Kind.ENTRIES)
    (page.answer or {})["items"][0]["amount"] = "1.00"


def key_finds_nothing(t: Town) -> None:
    read(t, Kind.FIND).answer = {"items": []}


def key_finds_another(t: Town) -> None:
    shown = {**(operation(t, "alice-to-bob").answer or {}), "toWalletId": str(UUID(int=9))}
    read(t, Kind.FIND).answer = {"items": [shown]}


def released_by_two_transfers(t: Town) -> None:
    other = operation(t, "alice-to-bob")
    spent = operation(t, "spends-hold").answer or {}
    released = spent["releasedReservations"]
    other.answer = {**(other.answer or {}), "releasedReservations": released}


def release_that_did_nothing(t: Town) -> None:
    t.rows.reservations[1].released_by = t.rows.transfers[0].command_id


def session_still_held(t: Town) -> None:
    held = t.rows.reservations[0]
    held.released = held.released_by = None


def refused_without_need(t: Town) -> None:
    operation(t, "too-much").request = t.movement(ALICE, BOB, 7_000)


CORRUPTIONS: list[tuple[Callable[[Town], None], str]] = [
    (gap_in_sequence, "sequence"),
    (wrong_running_balance, "running-balance"),
    (time_runs_backwards, "created-backwards"),
    (wallet_differs_from_entries, "wallet-balance"),
    (money_from_nothing, "conservation"),
    (money_from_nothing, "two-entries"),
    (entry_without_transfer, "lone-entry"),
    (key_used_twice, "key-used-once"),
    (command_decided_twice, "one-outcome"),
    (command_posted_twice, "one-transfer"),
    (reversed_too_much, "reversals"),
    (overdrawn, "available-below-limit"),
    (reserved_money_spent, "available-below-limit"),
    (released_without_cause, "released-without-cause"),
    (released_by_a_refusal, "released-without-cause"),
    (released_by_another_session, "released-by-stranger"),
    (released_before_its_transfer, "released-at-another-time"),
    (hold_never_swept, "never-swept"),
    (acknowledged_and_lost, "ok-has-outcome"),
    (outcome_without_transfer, "ok-has-transfer"),
    (reservation_lost, "ok-has-reservation"),
    (wallet_lost, "ok-has-wallet"),
    (other_amount_than_asked, "transfer-as-asked"),
    (other_amount_than_told, "transfer-as-told"),
    (other_hold_than_asked, "reservation-as-asked"),
    (success_without_command, "ok-without-command"),
    (group_lost_a_member, "ok-has-group"),
    (refused_but_moved, "refused-but-moved"),
    (refused_for_another_reason, "refusal-as-told"),
    (too_late_but_applied_later, "refused-but-moved"),
    (unknown_never_settled, "unknown-was-settled"),
    (unknown_told_expired, "command-agrees-with-books"),
    (unknown_contradicts_key, "command-agrees-with-key"),
    (told_differently_later, "later-word-is-the-first"),
    (refused_later_what_was_applied, "later-word-is-the-first"),
    (applied_after_found_absent, "key-agrees-with-books"),
    (present_but_not_in_books, "key-agrees-with-books"),
    (applied_after_503, "from-nowhere"),
    (refused_after_503, "from-nowhere"),
    (refused_for_nobody, "from-nowhere"),
    (duplicate_shows_another, "duplicate-as-told"),
    (duplicate_compares_falsely, "duplicate-as-told"),
    (gateway_broke, "internal"),
    (later_debit_came_first, "real-time-order"),
    (read_was_stale, "balance-of-its-time"),
    (read_saw_the_future, "balance-of-its-time"),
    (read_does_not_add_up, "balance-adds-up"),
    (page_is_short, "history-is-complete"),
    (page_promised_too_much, "complete-until"),
    (page_shows_another_amount, "history-is-true"),
    (key_finds_nothing, "found-once-acknowledged"),
    (key_finds_another, "found-as-it-is"),
    (released_by_two_transfers, "released-once"),
    (release_that_did_nothing, "released-as-told"),
    (session_still_held, "hold-leaked"),
    (refused_without_need, "refused-for-a-reason"),
]
