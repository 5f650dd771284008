"""A row of a statement, however it came: read, settled, and in minor units."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Final, NamedTuple
from uuid import UUID

from bank.investec.records import Direction, Row, Rows
from ledger.money import LIMIT_MINOR, to_minor

#: Where rows come from; statement files are known by their format.
API: Final = "API"
#: So far behind the days that were asked for the bank posts nothing, whatever it says.
_FURTHEST: Final = timedelta(days=366)


@dataclass(frozen=True, slots=True)
class Line:
    posting_date: date
    posted_order: int | None
    """The bank's number for it; None where its source has none."""
    credit: bool
    amount_minor: int
    description: str
    transaction_type: str | None = None
    value_date: date | None = None
    transaction_date: date | None = None
    running_minor: int | None = None
    """The account's balance behind it."""

    @property
    def signed_minor(self) -> int:
        return self.amount_minor if self.credit else -self.amount_minor


@dataclass(frozen=True, slots=True)
class Known:
    """A row that was stored before."""

    row_id: UUID
    line: Line
    source: str
    vanished: bool = False
    """It was missing when it was last looked for."""
    same_as: UUID | None = None
    """It is none of its own: people have said that it is this row, as its source shows that."""
    retold_by: frozenset[str] = frozenset()
    """Sources that show it as another row, of which people have said that it is this one."""
    suspected_in: frozenset[str] = frozenset()
    """Sources of lines of its amount that are held back for it until people say what they are."""


class Content(NamedTuple):
    """What a line says, wherever it stands."""

    credit: bool
    amount_minor: int
    description: str
    value_date: date | None
    transaction_date: date | None


def content_of(line: Line) -> Content:
    return Content(
        line.credit,
        line.amount_minor,
        line.description,
        line.value_date,
        line.transaction_date,
    )


def lasting(line: Line) -> Hashable:
    """What stays when the line is posted on another day: without a date besides that one nothing
    does, for equal deposits come again and again."""
    if line.value_date is None and line.transaction_date is None:
        return object()
    return content_of(line)


@dataclass(frozen=True, slots=True)
class Unread:
    """What came instead of a row, and why it is none."""

    text: str
    problem: str


@dataclass(frozen=True, slots=True)
class Fetched:
    """All lines of some days, oldest first."""

    source: str
    first: date
    last: date
    lines: Sequence[Line]
    unread: Sequence[Unread] = ()
    whole: bool = True
    """Whether the first and the last day are complete: then what is not here is not there."""
    today: date | None = None
    """The day on which it was fetched, where days to come were asked for too."""

    @property
    def complete_to(self) -> date:
        """From here on the next one goes on."""
        return self.last if self.today is None else min(self.last, self.today)


def settled(rows: Rows, first: date, last: date, exponent: int) -> Fetched:
    """What the API gave, without rows that are not settled yet: they wait."""
    lines: dict[tuple[date, int | None], Line] = {}
    unread = [Unread(each.text, each.problem) for each in rows.unread]
    for row in rows.read:
        if not row.is_settled:
            continue
        line = _line(row, exponent)
        if not isinstance(line, Line):
            unread.append(Unread(repr(row), line))
        elif line.posting_date > last + _FURTHEST:
            unread.append(Unread(repr(row), "it is posted on a day that is long to come"))
        elif lines.setdefault((line.posting_date, line.posted_order), line) is not line:
            unread.append(Unread(repr(row), "its number is another row's too"))
    return Fetched(API, first, last, in_order(lines.values()), unread)


def in_order(lines: Iterable[Line]) -> list[Line]:
    """By day and number; a source without numbers gives its lines in order."""
    return sorted(lines, key=lambda line: (line.posting_date, line.posted_order or 0))


def minor(amount: Decimal, exponent: int) -> int | None:
    """None where the currency has no such amount, or the books have no room for it."""
    found = to_minor(amount, exponent)
    return None if found is None or abs(found) > LIMIT_MINOR else found


def _line(row: Row, exponent: int) -> Line | str:
    amount = minor(row.amount, exponent)
    running = None if row.running_balance is None else minor(row.running_balance, exponent)
    if not amount:
        return "its amount is none that can be moved"
    if row.posting_date is None:
        return "it is posted, and on no day"
    if running is None and row.running_balance is not None:
        return "the balance behind it is finer than the currency"
    return Line(
        row.posting_date,
        row.posted_order,
        row.direction is Direction.CREDIT,
        amount,
        row.description,
        row.transaction_type,
        row.value_date,
        row.transaction_date,
        running,
    )
