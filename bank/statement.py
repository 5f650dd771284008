"""What is new in a statement that was fetched again, and what has changed under us. Pure.

The bank gives its rows no identity of their own: their number may change, rows may vanish, and two
equal rows on one day are both real. So lines are paired with the rows known before, from the surest
likeness to the weakest, and only what is left over is new. A new line that may be the remake of a
row that has vanished, or that stands on another day now, is held back: better a deposit that waits
than one that is booked twice.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple
from uuid import UUID

from bank.lines import API, Fetched, Known, Line, content_of, lasting
from bank.suspects import Suspects, explained


@dataclass(frozen=True, slots=True)
class Pair:
    """One row, as it was and as it is."""

    known: Known
    line: Line

    @property
    def has_moved(self) -> bool:
        """Whether the bank shows it elsewhere than before."""
        old, new = self.known.line, self.line
        return old.posting_date != new.posting_date or (
            None not in (old.posted_order, new.posted_order)
            and old.posted_order != new.posted_order
        )

    @property
    def reads_otherwise(self) -> bool:
        return content_of(self.known.line) != content_of(self.line)


class Remade(NamedTuple):
    """A line that is not booked before people have looked: ``of`` is the row that it may be."""

    line: Line
    of: Known | None


@dataclass(frozen=True, slots=True)
class Changes:
    """Every line that was fetched, and every row of those days, is in exactly one of these; but a
    row that is none of its own is only in the first, if it was found again."""

    same: list[Pair] = field(default_factory=list)
    """Where anything but number, balance and words differed, it would not be here."""
    vanished: list[Known] = field(default_factory=list)
    """Those that had vanished before included."""
    new: list[Line] = field(default_factory=list)
    held: list[Remade] = field(default_factory=list)
    unseen: list[Known] = field(default_factory=list)
    """Rows of days that were not fetched whole, or that another source has told of."""


def compare(
    known: Sequence[Known],
    fetched: Fetched,
    elsewhere: Sequence[Known] = (),
    near: Sequence[Known] = (),
) -> Changes:
    """Of one account. ``known`` are the rows of all days on which a line stands or that were asked
    for; ``elsewhere`` are rows of other days that say the same as one of the lines, ``near`` those
    of the days right before and after them."""
    changes = Changes()
    source, old, new = fetched.source, list(known), list(fetched.lines)
    changes.same.extend(
        _paired(old, new, _exactly, lambda each: each.source == source and not _is_own(each))
    )
    for likeness in _LIKENESSES:
        changes.same.extend(
            _paired(old, new, likeness, lambda each: each.source == source and _is_own(each))
        )
    changes.same.extend(_paired(old, new, _amount, lambda each: _is_retold(each, source)))
    taken = {_place(line) for line in fetched.lines}
    for each in filter(_is_own, old):
        gone = _place(each.line) in taken or (
            each.source == source and _was_looked_for(each.line, fetched)
        )
        (changes.vanished if gone or each.vanished else changes.unseen).append(each)
    _hold(changes, new, _suspects(changes, source, elsewhere, near))
    return changes


def _is_own(known: Known) -> bool:
    """Not one that people have said is another, as this source shows that."""
    return known.same_as is None


def _is_retold(known: Known, source: str) -> bool:
    """Whether the source may show it as a line of its day and amount: it has words and numbers of
    its own. What the bank shows no more only the bank brings back, a file's line waits for people;
    and what people have found in the source is not looked for a second time."""
    return (
        known.source != source
        and _is_own(known)
        and source not in known.retold_by
        and (source == API or not known.vanished)
    )


def _suspects(
    changes: Changes, source: str, elsewhere: Sequence[Known], near: Sequence[Known]
) -> Suspects:
    """But for those that are accounted for: a line was found that people have said is the same, or
    one is held back for them already."""
    found_again = {pair.known.same_as for pair in changes.same}

    def open_ones(*rows: Known) -> list[Known]:
        return [
            each
            for each in rows
            if _is_own(each) and each.row_id not in found_again and source not in each.suspected_in
        ]

    strangers = open_ones(*changes.unseen, *near)
    return Suspects(
        vanished=open_ones(*changes.vanished),
        twins=open_ones(*changes.unseen, *elsewhere),
        strangers=[each for each in strangers if each.source != source],
    )


def _hold(changes: Changes, lines: Sequence[Line], suspects: Suspects) -> None:
    """A line in the place of a row that has vanished is of another amount, so that the row may also
    be a line that stands elsewhere: it may hold back one of each."""
    places = {_place(each.line): each for each in changes.vanished}
    others: list[Line] = []
    for line in lines:
        of = places.get(_place(line))
        if of is None:
            others.append(line)
        else:
            changes.held.append(Remade(line, of))
    remade = explained(others, suspects)
    for number, line in enumerate(others):
        if number in remade:
            changes.held.append(Remade(line, remade[number]))
        else:
            changes.new.append(line)


def held_for_balance(changes: Changes, before: Known | None, lines: Sequence[Line]) -> None:
    """Hold back what the balance speaks against. Where the lines do not start from the balance
    ``before`` them, days that were not fetched have changed: a new line of just that amount may be
    a row of theirs that stands elsewhere now. All of that amount are held: no row says which."""
    told = [line for line in lines if line.running_minor is not None]
    if before is None or before.line.running_minor is None or not told:
        return
    first = told[0]
    missing = (first.running_minor or 0) - first.signed_minor - before.line.running_minor
    if missing:
        new = changes.new[:]
        changes.new[:] = [line for line in new if line.signed_minor != -missing]
        changes.held.extend(Remade(line, None) for line in new if line.signed_minor == -missing)


class Gap(NamedTuple):
    """Between these two rows something is missing, or is not what it was."""

    before: UUID
    after: UUID
    difference_minor: int


def gaps(rows: Sequence[Known]) -> list[Gap]:
    """Where the balance behind a row is not the one before it and its amount. Rows in order; where
    this finds nothing, none is missing between the first and the last."""
    told = [row for row in rows if row.line.running_minor is not None]
    found = []
    for before, after in pairwise(told):
        expected = (before.line.running_minor or 0) + after.line.signed_minor
        difference = (after.line.running_minor or 0) - expected
        if difference:
            found.append(Gap(before.row_id, after.row_id, difference))
    return found


def _place(line: Line) -> Hashable:
    """Where the bank shows it; without a number that is nowhere in particular."""
    return object() if line.posted_order is None else (line.posting_date, line.posted_order)


def _balance(line: Line) -> Hashable:
    """No balance is like no other."""
    return object() if line.running_minor is None else line.running_minor


def _exactly(line: Line) -> Hashable:
    return (content_of(line), line.posting_date, line.posted_order, line.running_minor)


def _amount(line: Line) -> Hashable:
    return (line.posting_date, line.credit, line.amount_minor)


#: Of two lines from one source, from the surest to the weakest. Those without the content are rows
#: whose words the bank has changed: they stand where they stood, for the same amount. On another
#: day only a row is the same that has a date besides that day, and a balance.
_LIKENESSES: tuple[Callable[[Line], Hashable], ...] = (
    lambda line: (_place(line), content_of(line), line.running_minor),
    lambda line: (_place(line), content_of(line)),
    lambda line: (_place(line), line.credit, line.amount_minor, _balance(line)),
    lambda line: (content_of(line), line.posting_date, line.running_minor),
    lambda line: (lasting(line), _balance(line)),
    lambda line: (content_of(line), line.posting_date),
    lambda line: (lasting(line), line.running_minor is not None or object()),
    lambda line: (_place(line), line.credit, line.amount_minor),
)


def _was_looked_for(line: Line, fetched: Fetched) -> bool:
    """Whether the source would have shown it. Nowhere is it written which of its dates decides: so
    all of them have to be among the days."""
    days = {line.posting_date, line.value_date, line.transaction_date} - {None}
    if fetched.whole:
        return all(day is not None and fetched.first <= day <= fetched.last for day in days)
    return all(day is not None and fetched.first < day < fetched.last for day in days)


def _paired(
    old: list[Known],
    new: list[Line],
    likeness: Callable[[Line], Hashable],
    counts: Callable[[Known], bool],
) -> list[Pair]:
    """Pairs that are alike, each row once; they are taken out of both lists."""
    waiting: dict[Hashable, list[Known]] = defaultdict(list)
    for each in reversed(old):
        if counts(each):
            waiting[likeness(each.line)].append(each)
    pairs: list[Pair] = []
    left: list[Line] = []
    for line in new:
        alike = waiting.get(likeness(line))
        if alike:
            pairs.append(Pair(alike.pop(), line))
        else:
            left.append(line)
    taken = {pair.known.row_id for pair in pairs}
    old[:] = [each for each in old if each.row_id not in taken]
    new[:] = left
    return pairs
