"""What callers heard, held against the rows: nothing lost, nothing twice, nothing from nowhere."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any
from uuid import UUID

from tests.simulation.case import Case
from tests.simulation.findings import Finding, Wrong
from tests.simulation.history import Heard, Kind, Operation, Settled
from tests.simulation.rows import OutcomeRow, ReservationRow, TransferRow, command_uuid
from tests.simulation.telling import told, transfer_as_told

_KINDS: Mapping[Kind, str] = {
    Kind.TRANSFER: "TransferPosted",
    Kind.REVERSAL: "TransferPosted",
    Kind.GROUP: "TransferGroupPosted",
    Kind.RESERVE: "ReservationPlaced",
    Kind.RELEASE: "ReservationsReleased",
    Kind.RELEASE_SESSION: "ReservationsReleased",
    Kind.WALLET: "WalletCreated",
}
_DEADLINE = "deadline-exceeded"


def what_was_promised_is_there(case: Case) -> Iterator[Finding]:
    """Every 2xx that is final has exactly its rows, with what was asked for on them."""
    for operation in case.writes():
        if operation.heard is not Heard.OK:
            continue
        if operation.command_id is None:
            yield Finding(Wrong.ANSWER, "ok-without-command", told(operation))
            continue
        outcome = case.outcomes.get(command_uuid(operation.command_id))
        if outcome is None or outcome.kind != _KINDS[operation.kind]:
            said = None if outcome is None else outcome.kind
            yield Finding(Wrong.LOST, "ok-has-outcome", f"{told(operation)}: {said}")
            continue
        yield from _promised_rows(case, operation, outcome)


def _promised_rows(case: Case, operation: Operation, outcome: OutcomeRow) -> Iterator[Finding]:
    match operation.kind:
        case Kind.TRANSFER | Kind.REVERSAL:
            row = case.transfers.get(outcome.subject_id) if outcome.subject_id else None
            if row is None:
                yield Finding(Wrong.LOST, "ok-has-transfer", told(operation))
            else:
                yield from _same_transfer(case, operation, row)
        case Kind.GROUP:
            rows = case.transfers_by_command.get(outcome.command_id, [])
            wanted = sorted(_asked(member) for member in operation.request["members"])
            if wanted != sorted(_moved(row) for row in rows):
                yield Finding(Wrong.LOST, "ok-has-group", f"{told(operation)}: {rows}")
        case Kind.RESERVE:
            placed = case.reservations_by_command.get(outcome.command_id)
            if placed is None:
                yield Finding(Wrong.LOST, "ok-has-reservation", told(operation))
            elif _held(placed) != _wished(operation):
                yield Finding(Wrong.ANSWER, "reservation-as-asked", f"{told(operation)}: {placed}")
        case Kind.WALLET:
            keys = {w.external_unique_id for w in case.rows.wallets}
            if operation.key not in keys:
                yield Finding(Wrong.LOST, "ok-has-wallet", told(operation))


def _same_transfer(case: Case, operation: Operation, row: TransferRow) -> Iterator[Finding]:
    request, answer = operation.request, operation.answer or {}
    if operation.kind is Kind.TRANSFER:
        as_asked = _asked({**request, "key": operation.key}) == _moved(row)
    else:
        asked_for = request["amount"]
        as_asked = str(row.reversal_of) == request["original"]
        as_asked &= asked_for is None or asked_for == row.amount_minor
    if not as_asked or row.external_unique_id != operation.key:
        yield Finding(Wrong.ANSWER, "transfer-as-asked", f"{told(operation)}: {row}")
    problem = transfer_as_told(row, answer)
    if problem or row.command_id != command_uuid(operation.command_id or ""):
        yield Finding(Wrong.ANSWER, "transfer-as-told", f"{told(operation)}: {problem} {row}")


def what_was_refused_moved_nothing(case: Case) -> Iterator[Finding]:
    """A refusal's command has no rows, and the recorded outcome is that refusal. (One that met its
    deadline unrecorded has none.)"""
    for operation in case.writes():
        if operation.heard is not Heard.FAIL or operation.command_id is None:
            continue
        command_id = command_uuid(operation.command_id)
        if _rows_of(case, command_id):
            yield Finding(Wrong.ANSWER, "refused-but-moved", told(operation))
        outcome = case.outcomes.get(command_id)
        recorded = None if outcome is None else outcome.details.get("code")
        if recorded != operation.code and not (outcome is None and operation.code == _DEADLINE):
            yield Finding(Wrong.ANSWER, "refusal-as-told", f"{told(operation)}: {recorded}")


def _rows_of(case: Case, command_id: UUID) -> bool:
    outcome = case.outcomes.get(command_id)
    return (
        command_id in case.transfers_by_command
        or command_id in case.reservations_by_command
        or command_id in case.groups_by_command
        or (outcome is not None and outcome.kind != "Rejection")
    )


def what_was_unknown_has_one_truth(case: Case) -> Iterator[Finding]:
    """Asked afterwards by command and by key, an unknown call has one answer, the books' own."""
    for operation in case.writes():
        if operation.heard is not Heard.UNKNOWN:
            continue
        by_command, by_key = operation.by_command, operation.by_key
        if operation.key is None and operation.command_id is None:
            continue  # a release without an answer: there is nothing to ask with
        if by_command is None and by_key is None:
            yield Finding(Wrong.ANSWER, "unknown-was-settled", told(operation))
            continue
        if operation.command_id is not None:
            moved = _rows_of(case, command_uuid(operation.command_id))
            if by_command is None or by_command.applied != moved:
                detail = f"{told(operation)}: {by_command}, books {moved}"
                yield Finding(Wrong.ANSWER, "command-agrees-with-books", detail)
        if by_key is not None and operation.command_id is None:
            if not _key_agrees(case, operation, by_key):
                users = case.users_of_key(operation.key or "")
                detail = f"{told(operation)}: {by_key}, books {users}"
                yield Finding(Wrong.ANSWER, "key-agrees-with-books", detail)
        elif by_command is not None and by_key is not None and by_command.applied > by_key.applied:
            detail = f"{told(operation)}: {by_command}, {by_key}"
            yield Finding(Wrong.ANSWER, "command-agrees-with-key", detail)


def later_words_are_the_first(case: Case) -> Iterator[Finding]:
    """A call that had its final answer gets the same one when its command is asked about later."""
    for operation in case.writes():
        later = operation.by_command
        if later is None or operation.heard is Heard.UNKNOWN:
            continue
        same = (later.status, _lasting(later.body)) == (
            operation.status,
            _lasting(operation.answer),
        )
        if not same:
            detail = f"{told(operation)}: {later}, first {operation.answer}"
            yield Finding(Wrong.ANSWER, "later-word-is-the-first", detail)


def _lasting(answer: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """What of an answer must be the same for ever: all but the trace of the call that asked."""
    return {name: value for name, value in (answer or {}).items() if name != "traceId"}


def _key_agrees(case: Case, operation: Operation, by_key: Settled) -> bool:
    """A key found used stays used; one found free was not used by this call. (Used by a call with
    an answer it may be, or by one made after the question.)"""
    users = case.users_of_key(operation.key or "")
    if by_key.applied:
        return bool(users)
    asked_later = (
        op.command_id is None and op.key == operation.key and op.invoked_s > by_key.monotonic_s
        for op in case.writes()
    )
    return all(user in case.known for user in users) or any(asked_later)


def nothing_came_from_nowhere(case: Case) -> Iterator[Finding]:
    """Every outcome is that of a call whose command id was told, or of one that heard nothing and
    named the same key. So a call that was answered 503 has none."""
    silent: dict[str, list[int]] = defaultdict(list)
    for operation in case.writes():
        if operation.command_id is None and operation.heard is Heard.UNKNOWN:
            for name in _names_of(operation):
                silent[name].append(operation.number)
    explained: set[int] = set()
    unknown = [(o, case.names_of(o)) for o in case.rows.outcomes if o.command_id not in case.known]
    strangers = [(o, names) for o, names in unknown if not _is_the_banks_wallet(o, names)]
    # Those without a name may be anybody's: they get what the others leave.
    for outcome, names in sorted(strangers, key=lambda each: not each[1]):
        callers = [
            n for name in sorted(names or silent) for n in silent[name] if n not in explained
        ]
        if not callers:
            detail = f"{outcome.kind} {outcome.command_id} {sorted(names)} {outcome.detail}"
            wrong = Wrong.ANSWER if outcome.kind == "Rejection" else Wrong.DOUBLED
            yield Finding(wrong, "from-nowhere", detail)
        explained.update(callers[:1])


def _is_the_banks_wallet(outcome: OutcomeRow, names: set[str]) -> bool:
    """The bank process makes its own when it starts; without deposits it moves nothing."""
    made = outcome.kind == "WalletCreated" and outcome.actor == "bank"
    return made and all(name.startswith("bank-") for name in names)


def _names_of(operation: Operation) -> set[str]:
    """The keys that a call named; releases name none."""
    members = operation.request.get("members", ())
    return {operation.key or "", *(member["key"] for member in members)}


def duplicates_show_the_original(case: Case) -> Iterator[Finding]:
    """A 409 for a key that is used shows the transfer that used it, and compares truly."""
    for operation in case.writes():
        if operation.code != "duplicate-transfer":
            continue
        shown = (operation.answer or {}).get("transfer") or {}
        row = case.transfers_by_key.get(str(shown.get("externalUniqueId")))
        problem = "no such transfer" if row is None else transfer_as_told(row, shown)
        if row is not None and operation.kind is Kind.TRANSFER:
            same = _asked({**operation.request, "key": operation.key}) == _moved(row)
            same &= row.reversal_of is None
            if same != (operation.answer or {}).get("samePayload"):
                problem = f"samePayload should be {same}"
        if problem:
            yield Finding(Wrong.ANSWER, "duplicate-as-told", f"{told(operation)}: {problem}")


def no_answer_was_a_defect(case: Case) -> Iterator[Finding]:
    """500 is always a defect of ours."""
    for operation in case.history.operations:
        if operation.status == 500:
            detail = (operation.answer or {}).get("detail")
            yield Finding(Wrong.ANSWER, "internal", f"{told(operation)}: {detail}")


def _asked(request: Mapping[str, Any]) -> tuple[str, str, str, int, str]:
    session = request.get("session") or ""
    return request["key"], request["from"], request["to"], request["amount"], session


def _moved(row: TransferRow) -> tuple[str, str, str, int, str]:
    sides = str(row.from_wallet_id), str(row.to_wallet_id)
    return row.external_unique_id, *sides, row.amount_minor, row.session_id or ""


def _wished(operation: Operation) -> tuple[str, str, int, str]:
    request = operation.request
    return operation.key or "", request["wallet"], request["amount"], request["session"]


def _held(row: ReservationRow) -> tuple[str, str, int, str]:
    return row.external_unique_id, str(row.wallet_id), row.amount_minor, row.session_id


RULES = (
    what_was_promised_is_there,
    what_was_refused_moved_nothing,
    what_was_unknown_has_one_truth,
    later_words_are_the_first,
    nothing_came_from_nowhere,
    duplicates_show_the_original,
    no_answer_was_a_defect,
)
