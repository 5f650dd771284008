"""What is new in a statement that was fetched again, and what has changed under us. Pure.

The bank gives its rows no identity of their own: their number may change, rows may vanish, and two
equal rows on one day are both real. So rows are paired with those known before, from the surest
likeness to the weakest, and only what is left over is new. A new row that looks like the remake of
one that has vanished is held back: better a deposit that waits than one that is booked twice.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from bank.investec.records import Direction, Row


class Key(NamedTuple):
    """Where the bank shows a row; no identity, but mostly stable."""

    posting_date: date
    posted_order: int


class Content(NamedTuple):
    """What a row says, wherever it stands."""

    direction: Direction
    amount: Decimal
    description: str
    value_date: date | None
    transaction_date: date | None


@dataclass(frozen=True, slots=True)
class Known:
    """A row that was stored before."""

    row_id: UUID
    key: Key
    content: Content
    running_balance: Decimal | None
    vanished: bool = False
    """It was missing when it was last looked for."""


@dataclass(frozen=True, slots=True)
class Pair:
    """One row, as it was and as it is."""

    known: Known
    row: Row


@dataclass(frozen=True, slots=True)
class Changes:
    """Every row that was fetched, and every one that was known, is in exactly one of these."""

    same: list[Known] = field(default_factory=list)
    moved: list[Pair] = field(default_factory=list)
    """Under another number, or with another balance behind them."""
    changed: list[Pair] = field(default_factory=list)
    """Under the same number with other content: nobody can say what that is."""
    vanished: list[Known] = field(default_factory=list)
    new: list[Row] = field(default_factory=list)
    held: list[Row] = field(default_factory=list)
    """New, but of the amount of one that has vanished: perhaps the same one."""


def compare(known: Sequence[Known], fetched: Iterable[Row]) -> Changes:
    """Of one account, and of all days that were fetched. Rows that are not settled are no rows."""
    changes = Changes()
    old, new = list(known), [row for row in fetched if row.is_settled]
    exact = _paired(old, new, _whole, _whole_of)
    for pair in exact:
        changes.same.append(pair.known)
    changes.moved.extend(_paired(old, new, _balanced, _balanced_of))
    changes.moved.extend(_paired(old, new, lambda k: k.content, content_of))
    changes.changed.extend(_paired(old, new, lambda k: k.key, key_of))
    changes.vanished.extend(old)
    suspects = {(each.content.direction, each.content.amount) for each in old}
    for row in new:
        (changes.held if (row.direction, row.amount) in suspects else changes.new).append(row)
    return changes


class Gap(NamedTuple):
    """Between these two rows something is missing, or is not what it was."""

    before: Row
    after: Row
    difference: Decimal


def gaps(rows: Sequence[Row]) -> list[Gap]:
    """Where the balance behind a row is not the one before it and its amount. Rows in order; none
    are missing between the first and the last where this finds nothing."""
    found: list[Gap] = []
    settled = [row for row in rows if row.is_settled and row.running_balance is not None]
    for before, after in zip(settled, settled[1:], strict=False):
        assert before.running_balance is not None
        assert after.running_balance is not None
        moved = after.amount if after.direction is Direction.CREDIT else -after.amount
        difference = after.running_balance - before.running_balance - moved
        if difference:
            found.append(Gap(before, after, difference))
    return found


def key_of(row: Row) -> Key:
    assert row.posting_date is not None, "a settled row has been posted on a day"
    return Key(row.posting_date, row.posted_order)


def content_of(row: Row) -> Content:
    return Content(row.direction, row.amount, row.description, row.value_date, row.transaction_date)


def _whole(known: Known) -> Hashable:
    return (known.key, known.content, known.running_balance)


def _whole_of(row: Row) -> Hashable:
    return (key_of(row), content_of(row), row.running_balance)


def _balanced(known: Known) -> Hashable:
    return (known.content, known.running_balance)


def _balanced_of(row: Row) -> Hashable:
    return (content_of(row), row.running_balance)


def _paired(
    old: list[Known],
    new: list[Row],
    of_known: Callable[[Known], Hashable],
    of_row: Callable[[Row], Hashable],
) -> list[Pair]:
    """Pairs that are alike, each row once; they are taken out of both lists."""
    waiting: dict[Hashable, list[Known]] = defaultdict(list)
    for each in reversed(old):
        waiting[of_known(each)].append(each)
    pairs: list[Pair] = []
    left: list[Row] = []
    for row in new:
        alike = waiting[of_row(row)]
        if alike:
            pairs.append(Pair(alike.pop(), row))
        else:
            left.append(row)
    taken = {pair.known.row_id for pair in pairs}
    old[:] = [each for each in old if each.row_id not in taken]
    new[:] = left
    return pairs
