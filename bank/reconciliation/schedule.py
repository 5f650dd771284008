"""What is compared without anybody asking: each of the bank's days, once it is over. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from typing import Final, NamedTuple

from bank.investec.records import SAST, bank_day
from bank.reconciliation.requests import Kind, Order, Request, Status

#: A day that was missed (nothing ran, or it failed) is asked for that long.
_DAYS: Final = 7
_DAY: Final = timedelta(days=1)
_NAME: Final = re.compile(r"bank-([0-9]{4}-[0-9]{2}-[0-9]{2})(-again-[0-9]{4}-[0-9]{2}-[0-9]{2})?")

#: What has to wait is looked at again after a tenth of the time that it has waited.
_PART: Final = 10
_LEAST, _MOST = timedelta(seconds=1), timedelta(minutes=1)


class Scheduled(NamedTuple):
    reconciliation_id: str
    """The same for everybody, so that it is made once."""
    order: Order


def names(now: datetime, daily_at: time) -> list[str]:
    """All that the days of the last week may have been asked for by."""
    today = _today(now, daily_at)
    return [name for day in _week_before(today) for name in _names(day, today)]


def missing(now: datetime, daily_at: time, known: Sequence[Request]) -> list[Scheduled]:
    """The days that nobody has compared, nor is about to, the latest first: of each from
    ``daily_at`` of the next one on (the bank's clock). ``known``: what there is of ``names``.

    A day that failed is asked for again under a name of its own, at most once a day.
    """
    today = _today(now, daily_at)
    asked = {each.reconciliation_id: each for each in known}
    found = []
    for day in _week_before(today):
        order = _order(day)
        same = (asked[name] for name in _names(day, today) if name in asked)
        if any(each.order == order and each.status is not Status.FAILED for each in same):
            continue
        possible = (_first_name(day), _again_name(day, today))
        free = next((name for name in possible if name not in asked), None)
        if free is not None:
            found.append(Scheduled(free, order))
    return found


def is_anothers(reconciliation_id: str, order: Order) -> bool:
    """Whether this is the name of a day, and something else is asked for: the day would seem to
    have been compared."""
    match = _NAME.fullmatch(reconciliation_id)
    if match is None:
        return False
    try:
        return order != _order(date.fromisoformat(match[1]))
    except (ValueError, OverflowError):  # there is no such day
        return False


def pause_after(waited: timedelta) -> timedelta:
    """How soon to look again at what has waited so long."""
    return min(max(waited / _PART, _LEAST), _MOST)


def _today(now: datetime, daily_at: time) -> date:
    """A day begins when the one before it is compared."""
    day = bank_day(now)
    return day if now >= datetime.combine(day, daily_at, SAST) else day - _DAY


def _week_before(today: date) -> Iterator[date]:
    return (today - _DAY * back for back in range(1, _DAYS + 1))


def _names(day: date, today: date) -> Iterator[str]:
    yield _first_name(day)
    for since in range(1, (today - day).days + 1):
        yield _again_name(day, day + _DAY * since)


def _first_name(day: date) -> str:
    return f"bank-{day:%Y-%m-%d}"


def _again_name(day: date, today: date) -> str:
    return f"{_first_name(day)}-again-{today:%Y-%m-%d}"


def _order(day: date) -> Order:
    begins = datetime.combine(day, time(), SAST)
    return Order(Kind.BANK, period_from=begins, period_to=begins + _DAY)
