"""What statement files prove where there is no API: a file by itself, and no day left out."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest

from bank.investec.records import SAST
from bank.sql import TIE_OUTS
from tests.integration.banks import Branch, banking, branch
from tests.integration.comparisons import reconciling
from tests.integration.statement_files import COLUMNS, HEADER, handed_in
from tests.integration.tie_outs import LONG_AGO, amounts, comparisons_of, reconciled
from tests.polling import eventually
from tests.servers import Servers


@pytest.fixture
async def town(servers: Servers, template: str, tmp_path: Path) -> AsyncIterator[Branch]:
    async with branch(servers, template, tmp_path) as ready:
        account = ready.play.account_id
        async with banking(ready.database, ready.broker, None, bank_accounts=account):
            await ready.followed()
            yield ready


STOP = date(2026, 11, 10)

#: Files as ``first day-last day handed in at DAYThh``, and what there is else of them; whether they
#: prove all until the ninth, and the first day for which nothing accounts.
PROOFS: Sequence[tuple[Sequence[str], bool, int | None]] = [
    ((), False, None),
    (("02-09 10T08",), True, None),
    (("02-12 13T08",), True, None),
    (("02-08 10T08",), False, 9),
    # Before the day was over nobody knew what it would bring.
    (("02-09 09T23",), False, None),
    # That it was brought again is the word of one person alone.
    (("02-09 09T23 again 10T08",), False, None),
    # Not what one file reaches and another one's time.
    (("02-09 09T23", "02-05 10T08"), False, None),
    # A day between two files may have had rows that come to nothing.
    (("02-05 06T08", "06-09 10T08"), True, None),
    (("06-09 10T08", "02-05 11T08"), True, None),
    (("02-05 06T08", "07-09 10T08"), False, 6),
    (("02-05 06T08", "04-07 06T09", "08-09 10T08"), True, None),
    (("02-05 06T08", "07-09 10T08", "06-06 10T09"), True, None),
    # Of the days before there is nothing.
    (("10-12 13T08",), False, 9),
    # Only what was believed, and what was read since it is kept what a file proves.
    (("02-09 10T08 REFUSED",), False, None),
    (("02-09 10T08 FAILED",), False, None),
    (("02-09 10T08 AWAITING_APPROVAL",), False, None),
    (("- 10T08",), False, None),
]


def moment(text: str) -> datetime:
    day, _, hour = text.partition("T")
    return datetime(2026, 11, int(day), int(hour), tzinfo=SAST)


async def kept(town: Branch, number: int, text: str) -> None:
    """A file that was read before, of which only its proof matters."""
    span, uploaded, *more = text.split()
    first, last = (date(2026, 11, int(each)) if each else None for each in span.split("-"))
    again = moment(more[1]) if more and more[0] == "again" else None
    status = more[0] if more and again is None else "DONE"
    await town.owner.execute(
        "INSERT INTO bank_statements (statement_id, account_id, format, digest, body, uploaded_by,"
        "       uploaded_owner, uploaded, status, finished, first_day, last_day, handed_in_again)"
        " VALUES (gen_random_uuid(), $1, 'MT940', $2, '', 'k', 'o', $3, $4::text,"
        "         CASE WHEN $4::text IN ('DONE', 'REFUSED', 'FAILED') THEN now() END, $5, $6, $7)",
        *(town.play.account_id, bytes([number]), moment(uploaded), status, first, last, again),
    )


async def proven(town: Branch) -> Mapping[str, Any]:
    found: Sequence[Mapping[str, Any]] = await town.owner.fetch(
        TIE_OUTS.accounts, None, datetime.combine(STOP, time(), SAST), STOP
    )
    return found[0]


async def test_which_files_prove_a_period(town: Branch) -> None:
    for files, complete, missing in PROOFS:
        await town.owner.execute("DELETE FROM bank_statements")
        for number, text in enumerate(files):
            await kept(town, number, text)
        found = await proven(town)
        day = missing and date(2026, 11, missing)
        assert (found["complete"], found["missing_day"]) == (complete, day), files


async def test_files_go_on_where_the_api_ended(town: Branch) -> None:
    await town.owner.execute(
        "INSERT INTO bank_fetches (fetch_id, account_id, requested_by, started, finished)"
        " VALUES (gen_random_uuid(), $1, 'k', $2, $2)",
        *(town.play.account_id, moment("06T10")),
    )
    for span, complete, missing in (("06-09", True, None), ("07-09", False, date(2026, 11, 6))):
        await town.owner.execute("DELETE FROM bank_statements")
        await kept(town, 1, f"{span} 10T08")
        found = await proven(town)
        assert (found["complete"], found["missing_day"]) == (complete, missing)


async def test_a_period_waits_for_the_file_that_has_all_of_its_last_day(town: Branch) -> None:
    await town.running.wallet("alice-01")
    today = datetime.now(SAST).date()
    midnight = datetime.combine(today, time(), SAST)
    reference = await town.reference("alice-01")
    lines = [f"{today - timedelta(days=2 - n)},{reference},10.00" for n in range(3)]
    async with reconciling(town.database, town.broker.url):
        # Of its first and of its last day a CSV may have a part.
        await handed_in(town, HEADER + "\n".join(lines[:2]))
        await town.booked(2)
        compared = comparisons_of(town)
        period: dict[str, Any] = {"periodFrom": LONG_AGO, "periodTo": midnight.isoformat()}
        await compared.ask(kind="BANK", reconciliationId="waits", **period)

        async def waits() -> bool:
            found = await compared.status("waits")
            return "has to be fetched" in (found["reason"] or "")

        await eventually(waits)
        # The same in a file that goes on, and tells no balance; then one that does.
        await handed_in(town, HEADER + "\n".join(lines))
        assert (await compared.ended("waits"))["agrees"] is False
        assert (await compared.report("waits"))["differences"] == {"NOT_PROVEN": 1}
        columns = json.dumps({**json.loads(COLUMNS), "balance": "Balance"})
        told = [f"{line},{10 * n}.00" for n, line in enumerate(lines, 1)]
        await handed_in(town, f"{HEADER[:-1]},Balance\n" + "\n".join(told), columns=columns)
        report = await reconciled(town, midnight)
    assert (report["agrees"], report["found"]) == (True, [])
    assert amounts(report["accounts"][0])[0] == "20.00"


def mt940(opens: date, closes: date, opening: int, *entries: date) -> str:
    """Entries of +10.00."""
    lines = [":20:X", f":60F:C{opens:%y%m%d}ZAR{opening},00"]
    for day in entries:
        lines += [f":61:{day:%y%m%d%m%d}C10,00NTRFNONREF", ":86:rent"]
    return "\n".join([*lines, f":62F:C{closes:%y%m%d}ZAR{opening + 10 * len(entries)},00", ""])


async def test_a_file_without_entries_has_to_close_with_what_the_rows_add_up_to(
    town: Branch,
) -> None:
    today = datetime.now(SAST).date()
    before, yesterday = today - timedelta(days=2), today - timedelta(days=1)
    midnight = datetime.combine(today, time(), SAST)
    async with reconciling(town.database, town.broker.url):
        found = await handed_in(town, mt940(before, yesterday, 100, yesterday), format="MT940")
        assert (found["status"], found["new"]) == ("DONE", 1)
        await town.booked(1)
        report = await reconciled(town, midnight)
        assert (report["agrees"], report["found"]) == (True, [])
        # By the bank's word something else was booked on that day.
        other = await handed_in(town, mt940(yesterday, yesterday, 120), format="MT940")
        assert (other["status"], other["rows"]) == ("DONE", 0)
        report = await reconciled(town, midnight)
        (difference,) = report["found"]
        assert (report["agrees"], difference["kind"]) == (False, "BALANCE")
        assert (difference["amount"], difference["moved"]) == ("120.00", "110.00")
        await handed_in(town, mt940(yesterday, yesterday, 110), format="MT940")
        assert (await reconciled(town, midnight))["agrees"]
