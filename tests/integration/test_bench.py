"""The benchmark end to end, and the promises of the baselines: a ratio against a system that
breaks the rules, or that is not what it is called, would be worth nothing."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

import consumers.lane
import consumers.partition
import producers.publisher
from bench import aims, run
from bench.baselines import direct, single
from bench.effort import QUICK
from bench.plan import ROUTES
from bench.results import Results
from bench.scenarios import live_beside_bulk
from bench.systems import Direct, Product, Single
from cli.servers.kept import Kept
from cli.servers.places import Say
from cli.servers.throwaway import throwaway
from ledger.database import connect_owner
from tests import databases
from tests.integration import gateways
from tests.integration.gateways import Running, code, in_an_hour, make_keys, serving
from tests.integration.ledger_driver import Ledger, transfer
from tests.integration.processes import Broker, consuming, producing
from tests.servers import Servers

TINY = replace(
    QUICK, wallets=20, warm_up_s=1, rates=(200,), rate_s=2, bulk_lines=3_000, reconciled=3_000
)


async def test_a_tiny_run_leaves_figures_and_a_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders: list[Path] = []

    @asynccontextmanager
    async def remembered(prefix: str, say: Say) -> AsyncIterator[tuple[Path, Kept]]:
        async with throwaway(prefix, say) as (folder, kept):
            folders.append(folder)
            yield folder, kept

    monkeypatch.setattr(run, "throwaway", remembered)
    figures = tmp_path / "figures.json"
    chosen = ("due diligence", "bulk", "live beside bulk", "reconciling", "tying out")
    order = run.Order(TINY, 5, tmp_path / "report.md", figures, chosen)
    told: list[str] = []
    results = await run.carry_out(order, told.append)

    assert not results.problems
    alone, beside, arrivals = results.arrivals
    assert arrivals.answers == TINY.rates[0] * TINY.rate_s
    assert set(arrivals.routes) == set(ROUTES)
    assert set(arrivals.statuses) == {"200", "201"}
    # Each part is found: a server whose processes are looked for in the wrong way has no time. Nor
    # has the bulk process where there is no file.
    assert busy(arrivals.cores) | busy(results.files[0].cores) == {
        "gateway",
        "consumer",
        "relay",
        "bulk",
        "postgresql",
        "rabbitmq",
        "load generator",
    }
    assert_files_were_measured(results, told)
    extracts, accounts = results.comparisons[:2], results.comparisons[2:]
    assert [each.lines > TINY.reconciled * 0.99 for each in extracts] == [True] * 2
    assert [each.lines for each in accounts] == [TINY.reconciled] * 3
    assert all(each.peak_mib["reconciler"] > 0 for each in results.comparisons)
    assert [alone.case, beside.case] == ["no file", "beside a file"]
    assert alone.answers == beside.answers == live_beside_bulk.PER_S * TINY.rate_s
    assert [(audit.scenario, audit.broken) for audit in results.audits] == [
        ("bulk", []),
        ("live beside bulk", []),
        ("reconciling", []),
        ("tying out", []),
        ("due diligence", []),
    ]
    assert results.settings["synchronous_commit"] == "on"
    assert "| due diligence | 200 | 2 | all |" in order.report.read_text()
    assert (tmp_path / "report-due-diligence.svg").exists()
    read = msgspec.json.decode(figures.read_bytes(), type=Results)
    assert read.arrivals == results.arrivals
    assert read.files == results.files
    (folder,) = folders
    assert not folder.exists()
    assert not using(folder)


def busy(cores: Mapping[str, float]) -> set[str]:
    return {part.split("-")[0] for part, spent in cores.items() if spent > 0}


def assert_files_were_measured(results: Results, told: Sequence[str]) -> None:
    """One all the way beside the ceiling of its rows, and one that payments ran beside."""
    (file,), (beside,) = results.files, results.besides
    assert (file.lines, file.problem) == (TINY.bulk_lines, "")
    assert min(file.accepting_s, file.draining_s, file.results_s) > 0
    assert {"gateway", "bulk", "consumer"} <= {part.split("-")[0] for part in file.peak_mib}
    assert beside.lines > 0
    (ceiling,) = results.limits
    # Of the very rows: its wallets' funds, the probe and the file that warmed it up are with it.
    assert (ceiling.scenario, ceiling.transfers > file.lines) == ("bulk", True)
    measured = {row.figure: row.measured for row in aims.rows(results)}
    for figure in ("bulk: file", "live p99"):
        assert [m != "not measured" for f, m in measured.items() if f.startswith(figure)] == [True]
    assert any(line.startswith("  accepted after") for line in told)


def using(folder: Path) -> list[str]:
    """Processes that were told of the folder."""
    found = []
    for entry in Path("/proc").iterdir():
        with suppress(OSError):  # gone meanwhile
            if entry.name.isdigit() and os.fsencode(folder) in (entry / "environ").read_bytes():
                found.append((entry / "cmdline").read_text())
    return found


@asynccontextmanager
async def direct_town(
    servers: Servers, template: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[Running, Ledger]]:
    """The direct baseline on books that the ledger fills; their rules hold at the end."""
    monkeypatch.setenv(direct.CONNECTIONS, "4")
    monkeypatch.setattr(gateways, "Gateway", direct.DirectGateway)
    async with databases.copied(servers, template, audited=False) as database:
        await direct.prepare(database.owner)
        keys = await make_keys(database)
        async with (
            Ledger.opened(database) as ledger,
            serving(
                database.reader, servers.amqp_url, keys, database_url_writer=database.writer
            ) as running,
        ):
            yield running, ledger
        owner = await connect_owner(database.owner)
        try:
            assert await Direct().broken_rules(owner) == []
        finally:
            await owner.close()


def body(source: object, target: object, amount: str, key: str, **more: str) -> dict[str, str]:
    sides = {"fromWalletId": str(source), "toWalletId": str(target)}
    return {**sides, "amount": amount, "externalUniqueId": key, **more}


async def test_the_direct_baseline_keeps_the_rules(
    servers: Servers, template: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with direct_town(servers, template, monkeypatch) as (town, ledger):
        rich, poor = await ledger.wallet("rich wallet", "10"), await ledger.wallet("poor wallet")

        async def paid(*arguments: object, **more: str) -> tuple[int, str]:
            return code(await town.post("/v1/transfers", body(*arguments, **more)))  # type: ignore[arg-type]

        # Twenty want one of the ten that are there.
        both = await asyncio.gather(*(paid(rich, poor, "1", f"race {n:02}") for n in range(20)))
        assert sorted(both) == [(201, "")] * 10 + [(422, "insufficient-funds")] * 10
        again = await asyncio.gather(*(paid(poor, rich, "1", "only once") for _ in range(5)))
        assert sorted(again) == [(201, "")] + [(409, "duplicate-transfer")] * 4
        assert await paid(rich, rich, "1", "to itself") == (422, "same-wallet")
        assert await paid(gateways.NOBODY, rich, "1", "from nobody") == (422, "unknown-wallet")
        assert await paid(poor, rich, "0.001", "too fine") == (422, "invalid-amount")
        assert await paid(poor, rich, "1", "other money", currency="EUR") == (
            422,
            "currency-mismatch",
        )
        assert await paid(poor, rich, "0", "nothing at all") == (422, "invalid-amount")
        assert (await town.http.post("/v1/transfers", headers={"Authorization": "x"})
                ).status_code == 401  # fmt: skip
        assert await ledger.balances(rich, poor) == [(100, 100), (900, 900)]


async def test_the_direct_baseline_holds_and_spends_sessions(
    servers: Servers, template: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with direct_town(servers, template, monkeypatch) as (town, ledger):
        payer, shop = await ledger.wallet("payer wallet", "10"), await ledger.wallet("shop wallet")

        async def held(amount: str, key: str) -> tuple[int, str]:
            return code(
                await town.post(
                    f"/v1/wallets/{payer}/reservations",
                    {
                        "amount": amount,
                        "sessionId": "session-1",
                        "expires": in_an_hour(),
                        "externalUniqueId": key,
                    },
                )
            )

        assert await held("8", "first hold") == (201, "")
        assert await held("8", "first hold") == (409, "duplicate-reservation")
        assert await held("8", "second hold") == (422, "insufficient-funds")
        refused = await town.post("/v1/transfers", body(payer, shop, "5", "without it"))
        assert code(refused) == (422, "insufficient-funds")
        spent = await town.post(
            "/v1/transfers", body(payer, shop, "5", "with it", sessionId="session-1")
        )
        assert spent.status_code == 201
        assert [r["amount"] for r in spent.json()["releasedReservations"]] == ["8.00"]
        assert await ledger.balances(payer, shop) == [(500, 500), (500, 500)]


async def post_many(servers: Servers, template: str, count: int) -> tuple[list[str], list[str]]:
    """Transfers all at once through the queue; what the audits of both systems say afterwards."""
    async with (
        databases.copied(servers, template) as database,
        Broker.declared(servers.amqp_url) as broker,
        consuming(database, broker),
        producing(database, broker.url) as producer,
    ):
        rich, poor = await producer.wallet("rich wallet", "1000"), await producer.wallet("poor one")
        async with asyncio.TaskGroup() as group:
            for n in range(count):
                group.create_task(producer.ask(transfer(rich, poor, "1", f"transfer {n}"), 30))
        owner = await connect_owner(database.owner)
        try:
            return await Product().broken_rules(owner), await Single().broken_rules(owner)
        finally:
            await owner.close()


async def test_one_message_per_command_is_what_it_is_called(
    servers: Servers, template: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await post_many(servers, template, 100) == ([], ["one-per-message"])
    for module, names in {
        producers.publisher: ("MAX_COMMANDS", "_Lane"),
        consumers.lane: ("MAX_COMMANDS",),
        consumers.partition: ("PREFETCH",),
    }.items():
        for name in names:  # put back at the end of the test
            monkeypatch.setattr(module, name, getattr(module, name))
    single.without_batching()
    assert await post_many(servers, template, 100) == ([], [])
