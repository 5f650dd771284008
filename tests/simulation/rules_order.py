"""Time as callers saw it: what was answered before something else was asked came first, and a read
shows the books as they were at some moment between its question and its answer."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import accumulate
from typing import Any
from uuid import UUID

from tests.simulation.case import Case
from tests.simulation.findings import Finding, Wrong
from tests.simulation.history import Heard, Kind, Operation
from tests.simulation.rows import EntryRow, command_uuid, minor
from tests.simulation.telling import told, transfer_as_told


@dataclass(frozen=True, slots=True)
class Dated:
    """A transfer that was acknowledged: its place on a wallet, and when its caller asked and
    heard."""

    sequence: int
    invoked_s: float
    ended_s: float
    operation: Operation


def _dated(case: Case, *, debits_only: bool) -> Mapping[UUID, list[Dated]]:
    """Acknowledged transfers by wallet, along the sequence."""
    found: dict[UUID, list[Dated]] = defaultdict(list)
    for operation in case.writes():
        if operation.heard is not Heard.OK or operation.command_id is None:
            continue
        for row in case.transfers_by_command.get(command_uuid(operation.command_id), []):
            sides = [(row.from_wallet_id, row.from_sequence)]
            if not debits_only:
                sides.append((row.to_wallet_id, row.to_sequence))
            for wallet_id, sequence in sides:
                found[wallet_id].append(
                    Dated(sequence, operation.invoked_s, operation.ended_s, operation)
                )
    for dated in found.values():
        dated.sort(key=lambda each: each.sequence)
    return found


def debits_follow_real_time(case: Case) -> Iterator[Finding]:
    """One that was answered before another was asked for has the smaller sequence, on the wallet
    that both debit."""
    for dated in _dated(case, debits_only=True).values():
        earliest = None
        for each in reversed(dated):
            if earliest is not None and earliest.ended_s < each.invoked_s:
                detail = f"{told(earliest.operation)} ended before {told(each.operation)} began"
                yield Finding(Wrong.ANSWER, "real-time-order", detail)
            if earliest is None or each.ended_s < earliest.ended_s:
                earliest = each


class _Bounds:
    """Which part of a wallet's history a read must, and may, have seen."""

    def __init__(self, dated: Sequence[Dated]) -> None:
        by_end = sorted(dated, key=lambda each: each.ended_s)
        self._ends = [each.ended_s for each in by_end]
        self._highest = list(accumulate((each.sequence for each in by_end), max))
        by_start = sorted(dated, key=lambda each: -each.invoked_s)
        self._starts = [-each.invoked_s for each in by_start]
        self._lowest = list(accumulate((each.sequence for each in by_start), min))

    def least(self, invoked_s: float) -> int:
        """The last sequence that had been acknowledged before the read was asked for."""
        index = bisect_left(self._ends, invoked_s)
        return self._highest[index - 1] if index else 0

    def most(self, ended_s: float, last: int) -> int:
        """The last sequence before the first that was asked for after the read had ended."""
        index = bisect_left(self._starts, -ended_s)
        return min(last, self._lowest[index - 1] - 1) if index else last


def reads_are_of_their_time(case: Case) -> Iterator[Finding]:
    """A balance was the balance at some moment of the read; a page of history is a stretch of the
    true one that reaches as far as was acknowledged; a key finds what was acknowledged."""
    entries = case.rows.entries_by_wallet()
    bounds = {
        wallet_id: _Bounds(dated) for wallet_id, dated in _dated(case, debits_only=False).items()
    }
    for operation in case.history.operations:
        if not operation.is_read or operation.heard is not Heard.OK:
            continue
        if operation.kind is Kind.FIND:
            yield from _found(case, operation)
            continue
        wallet_id = UUID(operation.request["wallet"])
        own = entries.get(wallet_id, [])
        within = bounds.get(wallet_id, _Bounds([]))
        least = within.least(operation.invoked_s)
        if operation.kind is Kind.BALANCE:
            most = within.most(operation.ended_s, len(own))
            yield from _balance(operation, own, least, most)
        else:
            yield from _page(operation, own, least)


def _balance(
    operation: Operation, entries: Sequence[EntryRow], least: int, most: int
) -> Iterator[Finding]:
    answer = operation.answer or {}
    current = minor(answer["currentBalance"])
    moments = [0, *(entry.balance_minor for entry in entries)][least : most + 1]
    if current not in moments:
        detail = f"{told(operation)}: {current} was never the balance in {least}..{most}"
        yield Finding(Wrong.ANSWER, "balance-of-its-time", detail)
    held = minor(answer["availableBalance"]) + minor(answer["reservations"])
    if answer["minimumBalance"] is not None and held + minor(answer["minimumBalance"]) != current:
        yield Finding(Wrong.ANSWER, "balance-adds-up", f"{told(operation)}: {dict(answer)}")


def _page(operation: Operation, entries: Sequence[EntryRow], least: int) -> Iterator[Finding]:
    items: Sequence[Mapping[str, Any]] = (operation.answer or {})["items"]
    after = operation.request["after"]
    said = [
        (each["sequence"], each["transferId"], minor(each["amount"]), minor(each["balance"]))
        for each in items
    ]
    true = [
        (each.sequence, str(each.transfer_id), each.amount_minor, each.balance_minor)
        for each in entries[after : after + len(items)]
    ]
    if said != true:
        yield Finding(Wrong.ANSWER, "history-is-true", f"{told(operation)}: {said} {true}")
    elif after + len(items) < min(least, after + operation.request["limit"]):
        detail = f"{told(operation)}: {len(items)} after {after}, {least} were acknowledged"
        yield Finding(Wrong.ANSWER, "history-is-complete", detail)
    elif len(items) < operation.request["limit"]:
        until = datetime.fromisoformat((operation.answer or {})["completeUntil"])
        for missed in entries[after + len(items) :]:
            if missed.created < until:
                detail = f"{told(operation)}: complete until {until}, without {missed}"
                yield Finding(Wrong.ANSWER, "complete-until", detail)
                break


def _found(case: Case, operation: Operation) -> Iterator[Finding]:
    items = (operation.answer or {})["items"]
    row = case.transfers_by_key.get(operation.key or "")
    if items:
        problem = "no such transfer" if row is None else transfer_as_told(row, items[0])
        if problem:
            yield Finding(Wrong.ANSWER, "found-as-it-is", f"{told(operation)}: {problem}")
        return
    acknowledged = (
        op
        for op in case.history.operations[: operation.number]
        if op.key == operation.key
        and op.kind is Kind.TRANSFER
        and op.heard is Heard.OK
        and op.ended_s < operation.invoked_s
    )
    for op in acknowledged:
        detail = f"{told(operation)}: nothing found, {told(op)}"
        yield Finding(Wrong.LOST, "found-once-acknowledged", detail)


RULES = (debits_follow_real_time, reads_are_of_their_time)
