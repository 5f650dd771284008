"""Each row of a statement once: what was fetched is compared with what is kept, in one transaction.

Whatever is killed here has changed nothing; whatever is fetched again changes nothing twice. Money
is not moved here: what is stored as new is decided and booked by its own steps.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

import uuid_utils.compat

from bank import metrics
from bank.findings import Findings
from bank.lines import API, Fetched, Known, Line, content_of, in_order
from bank.opening import Opening, opening_of, reopen
from bank.sql import DEPOSITS as SQL
from bank.statement import Changes, Pair, Remade, compare, gaps, held_for_balance
from bank.stored import BankAccount, account_of, known_of
from bank.suspects import APART
from ledger.money import format_minor

_BY_ITSELF: Final = "bank"


@dataclass(frozen=True, slots=True)
class Stored:
    """What came of a statement."""

    rows: int
    new: int
    """Those that are held back included."""
    held: int
    changed: int
    """Rows that were known, and of which it says something else or more."""
    raised: Mapping[str, int]
    """What people have to look at, by kind."""
    added: Sequence[Line]
    """What is new of it."""

    @property
    def exceptions(self) -> int:
        return sum(self.raised.values())

    def count(self) -> None:
        """Once it is committed: what was undone was never there."""
        metrics.ROWS.labels("new").inc(self.new - self.held)
        metrics.ROWS.labels("held").inc(self.held)
        for kind, number in self.raised.items():
            metrics.EXCEPTIONS.labels(kind).inc(number)


class NotFollowed(Exception):
    """There is no such account."""


class Overtaken(Exception):
    """The bank was asked before what is stored by now: rows that came since are not in its answer,
    and would seem to have vanished."""


async def store(
    connection: Any, account_id: str, fetched: Fetched, asked: datetime | None = None
) -> Stored:
    """Within the caller's transaction. ``asked``: when, in database time, nobody had asked yet for
    what the API has answered. Raises ``NotFollowed`` or ``Overtaken``."""
    record = await connection.fetchrow(SQL.lock_account, account_id)
    if record is None:
        raise NotFollowed(account_id)
    account = account_of(record)
    if asked is not None and account.fetched is not None and asked < account.fetched:
        raise Overtaken("a later answer of the bank was stored meanwhile")
    statement = _Statement(connection, account, fetched)
    return await statement.store()


class _Statement:
    """One statement on its way into an account that is locked."""

    def __init__(self, connection: Any, account: BankAccount, fetched: Fetched) -> None:
        self._connection, self._account, self._fetched = connection, account, fetched
        self._findings = Findings(connection, account.account_id)

    async def store(self) -> Stored:
        account, fetched = self._account, self._fetched
        followed = [each for each in fetched.lines if each.posting_date >= account.followed_from]
        days = {fetched.first, fetched.last, *(line.posting_date for line in followed)}
        first = max(min(days), account.followed_from)  # there are no rows before that day
        last = max(first, *days)
        around = await self._rows(SQL.known, first - APART, last + APART)
        was = [each for each in around if first <= each["posting_date"] <= last]
        near = [each for each in around if not first <= each["posting_date"] <= last]
        issued = list({line.transaction_date for line in followed if line.transaction_date})
        elsewhere = await self._rows(SQL.elsewhere, first, last, issued)
        looked = replace(fetched, lines=followed)
        known = [known_of(each) for each in was]
        others = ([known_of(each) for each in rows] for rows in (elsewhere, near))
        # Of many lines it takes seconds, in which the process has to show that it lives.
        changes = await asyncio.to_thread(compare, known, looked, *others)
        before = [known_of(each) for each in await self._rows(SQL.before, first)]
        held_for_balance(changes, before[0] if before else None, followed)
        opened = await opening_of(self._connection, account.account_id)
        for each in changes.vanished:
            if not each.vanished:
                await self._vanish(each)
        changed = await self._replace(changes.same, {r["row_id"]: r["decided"] for r in was})
        await self._add(changes)
        await self._reopen(opened)
        for unread in fetched.unread:
            told = f"{unread.problem}: {unread.text}"
            self._findings.add("UNREADABLE", _digest(unread.text), told)
        await self._chain(first, last)
        raised = await self._findings.write()
        await self._connection.execute(
            SQL.fetched, account.account_id, fetched.complete_to, fetched.source == API
        )
        added = [*changes.new, *(each.line for each in changes.held)]
        return Stored(len(followed), len(added), len(changes.held), changed, raised, added)

    async def _reopen(self, was: Opening | None) -> None:
        """Keep what was held before the first row; where that row says another amount now, tell."""
        account = self._account
        found = await reopen(self._connection, account.account_id, was)
        if found is None:
            return
        amount = format_minor(found.minor, account.exponent)
        detail = f"by the first row {amount} was held before it, which is not what was said before"
        fingerprint = f"opening {found.row_id} {found.minor}"
        # Of no row: then it is not over when the chain of balances behind it is whole.
        self._findings.add("GAP", fingerprint, detail, None, found.row_id)

    async def _rows(self, statement: str, *about: object) -> Sequence[Mapping[str, Any]]:
        found: Sequence[Mapping[str, Any]] = await self._connection.fetch(
            statement, self._account.account_id, *about
        )
        return found

    async def _vanish(self, known: Known) -> None:
        since = await self._connection.fetchval(SQL.vanish, known.row_id)
        self._findings.add(
            "VANISHED",
            f"{known.row_id} {since:%Y-%m-%dT%H:%M:%S.%f}",
            f"the bank shows it no more: {self._told(known.line)}",
            known.row_id,
        )

    async def _replace(self, pairs: Sequence[Pair], decided: Mapping[UUID, bool]) -> int:
        """Rows that are found again, where anything about them is new to us; answers how many."""
        again = [p for p in pairs if p.known.same_as is None]
        again = [p for p in again if p.known.line != p.line or p.known.vanished]
        source = self._fetched.source
        again = [p for p in again if p.known.source == source or _takes_over(p, source) or _adds(p)]
        if again:
            await self._connection.execute(SQL.lift, [pair.known.row_id for pair in again])
        for pair in again:
            await self._place(pair, decided.get(pair.known.row_id, True))
        return len(again)

    async def _place(self, pair: Pair, decided: bool) -> None:
        known, line = pair.known, pair.line
        row_id, was = known.row_id, known.line
        same_source = known.source == self._fetched.source
        takes_over = _takes_over(pair, self._fetched.source)
        if same_source and pair.has_moved:
            place = f"{line.posting_date} {line.posted_order}"
            detail = f"it stood at {was.posting_date} {was.posted_order}: {self._told(line)}"
            self._findings.add("MOVED", f"{row_id} {place}", detail, row_id)
        if same_source and pair.reads_otherwise:
            detail = f"it said {was.description!r}: {self._told(line)}"
            if decided:
                detail += " (whose it is was decided by what it said then)"
            self._findings.add("CHANGED", f"{row_id} {_said(line)}", detail, row_id)
        is_there = await self._connection.fetchval(
            SQL.place,
            row_id,
            line.posting_date,
            line.posted_order if line.posted_order is not None else was.posted_order,
            line.description if takes_over or same_source else was.description,
            line.transaction_type or was.transaction_type,
            line.value_date if takes_over else line.value_date or was.value_date,
            line.transaction_date if takes_over else line.transaction_date or was.transaction_date,
            line.running_minor if line.running_minor is not None else was.running_minor,
            self._fetched.source if takes_over else known.source,
        )
        if known.vanished and is_there:
            await self._connection.execute(
                *(SQL.resolve_row, row_id, ["VANISHED"], "CAME_BACK", _BY_ITSELF, None)
            )

    async def _add(self, changes: Changes) -> None:
        held: dict[int, Known | None] = {id(each.line): each.of for each in changes.held}
        lines = in_order([*changes.new, *(each.line for each in changes.held)])
        rows = [(uuid_utils.compat.uuid7(), line) for line in lines]
        await self._connection.executemany(
            SQL.add_rows,
            [self._record(row_id, line, held=id(line) in held) for row_id, line in rows],
        )
        for row_id, line in rows:
            if id(line) in held:
                self._hold(row_id, Remade(line, held[id(line)]))

    def _record(self, row_id: UUID, line: Line, *, held: bool) -> tuple[object, ...]:
        return (
            row_id,
            self._account.account_id,
            line.posting_date,
            line.posted_order,
            line.credit,
            line.amount_minor,
            line.description,
            line.transaction_type,
            line.value_date,
            line.transaction_date,
            line.running_minor,
            self._fetched.source,
            held,
        )

    def _hold(self, row_id: UUID, remade: Remade) -> None:
        of = remade.of
        detail = f"it may be a row that was known before: {self._told(remade.line)}"
        if of is not None:
            detail += f"; before: {self._told(of.line)}"
        self._findings.add("HELD", str(row_id), detail, row_id, None if of is None else of.row_id)

    async def _chain(self, first: date, last: date) -> None:
        """Prove that no row is missing among those of these days, and the ones on either side."""
        before = await self._rows(SQL.before, first)
        after = await self._rows(SQL.after, last)
        known = await self._rows(SQL.known, first, last)
        rows = [*before, *known, *after]
        shown = [known_of(each) for each in rows if not each["vanished"]]
        found = {f"{gap.before} {gap.after} {gap.difference_minor}": gap for gap in gaps(shown)}
        for fingerprint, gap in found.items():
            difference = format_minor(gap.difference_minor, self._account.exponent)
            detail = f"the balance behind it is {difference} off the one before it and its amount"
            self._findings.add("GAP", fingerprint, detail, gap.after, gap.before)
        await self._connection.execute(
            SQL.close_gaps,
            self._account.account_id,
            list(found),
            # What lies before the first one was not looked at: a hole that ends at it is still one.
            [each["row_id"] for each in (*known, *after)],
        )

    def _told(self, line: Line) -> str:
        amount = format_minor(line.signed_minor, self._account.exponent)
        place = f"{line.posting_date} no. {line.posted_order or '-'}"
        return f"{place}, {amount} {self._account.currency}, {line.description!r}"


def _takes_over(pair: Pair, source: str) -> bool:
    """A row that the API has numbered is the API's from then on, whoever told of it first."""
    return source == API != pair.known.source and pair.line.posted_order is not None


def _adds(pair: Pair) -> bool:
    """Whether another source knows what the first one did not. Whether the row is there at all only
    its own source can say."""
    was, now = pair.known.line, pair.line
    is_told = was.running_minor is None and now.running_minor is not None
    return is_told and not pair.known.vanished


def _said(line: Line) -> str:
    return _digest(repr(content_of(line)))


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode(errors="replace"), digest_size=16).hexdigest()
