"""A file of transfers through `./sov bulk`, from a machine that has nothing but a URL and a key."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import httpx
import pytest

from tests.acceptance.conftest import System, environment_of, sov


@pytest.fixture
def job(system: System, tmp_path: Path) -> dict[str, str]:
    """The environment of a batch job."""
    return environment_of(
        tmp_path / "nowhere", SOV_URL=system.url, SOV_KEY_BATCH=system.keys["batch"]
    )


async def funded(system: System, name: str, amount: str) -> None:
    headers = system.headers("operator")
    async with httpx.AsyncClient(base_url=system.url, headers=headers, timeout=30) as http:
        for key, kind in ((f"{name}-system", "SYSTEM"), (name, "STANDARD"), (f"{name}-to", None)):
            body = {"externalUniqueId": key, "currency": "ZAR", "type": kind}
            assert (await http.post("/v1/wallets", json=body)).status_code == 201
        paid = await http.post(
            "/v1/transfers",
            json={
                "fromExternalUniqueId": f"{name}-system",
                "toExternalUniqueId": name,
                "amount": amount,
                "externalUniqueId": f"fund-{name}",
            },
        )
        assert paid.status_code == 201


def payroll(folder: Path, name: str, lines: int) -> Path:
    file = folder / "payroll.csv"
    with file.open("w", newline="") as out:
        rows = csv.writer(out)
        rows.writerow(("fromExternalUniqueId", "toExternalUniqueId", "amount", "externalUniqueId"))
        rows.writerows((name, f"{name}-to", "1.00", f"{name}-{i:06}") for i in range(lines))
    return file


async def test_a_payroll_is_posted_and_told_line_by_line(
    system: System, job: dict[str, str], tmp_path: Path
) -> None:
    await funded(system, "payroll-1", "5000.00")
    file = payroll(tmp_path, "payroll-1", 5000)
    said = await sov(job, "bulk", "submit", str(file), "--watch", "--id", "march")
    assert said.splitlines() == ["march", "DONE posted=5000"]
    assert (await sov(job, "bulk", "status", "march")).strip() == "DONE posted=5000"
    rows = list(csv.DictReader((await sov(job, "bulk", "results", "march")).splitlines()))
    assert {row["status"] for row in rows} == {"POSTED"}
    assert [int(row["line"]) for row in rows] == list(range(2, 5002))
    # The same file once more moves nothing, under its id or under another one.
    assert "posted=5000" in await sov(job, "bulk", "submit", str(file), "--id", "march")
    said = await sov(job, "bulk", "submit", str(file), "--watch", "--id", "again", expect=3)
    assert said.splitlines()[-1] == "DONE rejected=5000"


async def test_a_file_that_is_no_file_of_transfers_is_not_accepted(
    job: dict[str, str], tmp_path: Path
) -> None:
    file = tmp_path / "notes.csv"
    file.write_text("Dear all,\n")
    await sov(job, "bulk", "submit", str(file), "--watch", expect=1)
    await sov(job, "bulk", "status", "nothing-like-it", expect=1)
    await sov({**job, "SOV_KEY_BATCH": "sov_wrong"}, "bulk", "submit", str(file), expect=1)


async def test_all_or_nothing_and_a_dry_run(
    system: System, job: dict[str, str], tmp_path: Path
) -> None:
    await funded(system, "payroll-2", "99.00")
    file = payroll(tmp_path, "payroll-2", 100)
    said = await sov(job, "bulk", "submit", str(file), "--dry-run", "--watch", expect=3)
    assert said.splitlines()[-1] == "DONE posted=99 rejected=1"
    said = await sov(job, "bulk", "submit", str(file), "--atomic", "--watch", expect=3)
    assert said.splitlines()[-1] == "DONE rejected=1 cancelled=99"
    batch_id = said.splitlines()[0]
    shown = json.loads(await sov(job, "bulk", "status", batch_id, "--json", expect=3))
    assert shown["reason"].startswith("line 101 was refused")
