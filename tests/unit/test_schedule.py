"""Which days are reconciled without anybody asking, by which names, and how soon again."""

from __future__ import annotations

from datetime import datetime, time, timedelta

import pytest

from bank.reconciliation import schedule
from bank.reconciliation.requests import Kind, Order, Request, Status

AT = time(6)
MORNING = "2026-03-25T06:00:00+02:00"
WEEK = [f"bank-2026-03-{day}" for day in range(24, 17, -1)]
"""The latest first, as they are missing on the morning of the 25th."""
AGAIN = "bank-2026-03-24-again-2026-03-25"


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def day(text: str, account_id: str | None = None) -> Order:
    begins = moment(f"{text}T00:00:00+02:00")
    return Order(Kind.BANK, begins, begins + timedelta(days=1), account_id)


def known(name: str, status: Status, order: Order | None = None) -> Request:
    """A request of this name, for the day in it unless something else is said."""
    created = moment(MORNING)
    return Request(
        reconciliation_id=name,
        actor="schedule",
        order=order or day(name.removeprefix("bank-")[:10]),
        status=status,
        received_bytes=0,
        digest=None,
        created=created,
        started=None,
        finished=None,
        attempt=0,
        reason=None,
        agrees=None,
        differences=None,
    )


def missing(now: str, *asked: Request) -> list[str]:
    return [each.reconciliation_id for each in schedule.missing(moment(now), AT, asked)]


@pytest.mark.parametrize(
    ("now", "latest"),
    [
        ("2026-03-25T05:59:59+02:00", "bank-2026-03-23"),
        ("2026-03-25T06:00:00+02:00", "bank-2026-03-24"),
        ("2026-03-25T21:59:59Z", "bank-2026-03-24"),
        ("2026-03-25T22:00:00Z", "bank-2026-03-24"),
        ("2026-03-26T04:00:00Z", "bank-2026-03-25"),
    ],
)
def test_a_day_is_due_the_next_morning(now: str, latest: str) -> None:
    found = missing(now)
    assert (found[0], len(found)) == (latest, len(WEEK))
    assert set(found) <= set(schedule.names(moment(now), AT))


def test_a_day_is_from_midnight_to_midnight_of_the_banks_clock() -> None:
    (first, *_) = schedule.missing(moment(MORNING), AT, ())
    assert first.order == day("2026-03-24")


@pytest.mark.parametrize("status", [each for each in Status if each is not Status.FAILED])
def test_what_was_asked_for_is_not_missing(status: Status) -> None:
    days = [known(name, status) for name in WEEK]
    assert missing(MORNING, *days) == []
    # A day on which nothing ran is made up for.
    assert missing(MORNING, *days[:3], *days[4:]) == [WEEK[3]]


def test_what_failed_is_asked_for_again_once_a_day() -> None:
    others = [known(name, Status.DONE) for name in WEEK[1:]]
    failed = known(WEEK[0], Status.FAILED)
    assert missing(MORNING, failed, *others) == [AGAIN]
    for status in Status:
        assert missing(MORNING, failed, known(AGAIN, status), *others) == []
    tomorrow = "2026-03-26T06:00:00+02:00"
    again = [failed, known(AGAIN, Status.FAILED), *others, known("bank-2026-03-25", Status.DONE)]
    assert missing(tomorrow, *again) == ["bank-2026-03-24-again-2026-03-26"]
    assert AGAIN in schedule.names(moment(tomorrow), AT)
    done = [failed, known(AGAIN, Status.DONE), *others, known("bank-2026-03-25", Status.DONE)]
    assert missing(tomorrow, *done) == []


def test_what_stands_under_the_name_of_a_day_and_is_not_it() -> None:
    """As it may have been asked for before these names were kept."""
    others = [known(name, Status.DONE) for name in WEEK[1:]]
    for order in (day("2026-03-23"), day("2026-03-24", account_id="1")):
        assert missing(MORNING, known(WEEK[0], Status.DONE, order), *others) == [AGAIN]


@pytest.mark.parametrize(
    ("name", "order", "refused"),
    [
        ("bank-2026-03-24", day("2026-03-24"), False),
        ("bank-2026-03-24", day("2026-03-23"), True),
        ("bank-2026-03-24", day("2026-03-24", account_id="1"), True),
        ("bank-2026-03-24-again-2026-03-26", day("2026-03-24"), False),
        ("bank-2026-03-24-again-2026-03-26", day("2026-03-26"), True),
        ("bank-2026-03-24-mine", day("2026-03-23"), False),
        ("eclipse-2026-03-24", day("2026-03-23"), False),
        ("bank-2026-02-30", day("2026-03-23"), False),
        ("bank-0000-01-01", day("2026-03-23"), False),
        ("bank-9999-12-31", day("2026-03-23"), False),
    ],
)
def test_whose_a_name_is(name: str, order: Order, refused: bool) -> None:
    assert schedule.is_anothers(name, order) == refused


@pytest.mark.parametrize(
    ("waited_s", "pause_s"), [(-5, 1), (0, 1), (10, 1), (60, 6), (600, 60), (86_400, 60)]
)
def test_what_waits_is_looked_at_less_and_less_often(waited_s: int, pause_s: int) -> None:
    assert schedule.pause_after(timedelta(seconds=waited_s)) == timedelta(seconds=pause_s)
