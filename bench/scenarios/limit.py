"""What PostgreSQL alone could do: the same rows at once, the same statements without us."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import asyncpg

from bench import programs
from bench.effort import Effort
from bench.filling import filling
from bench.installation import Installation
from bench.results import Limit
from bench.scenarios.times import FILLED_PER_S, INSTALL_S
from bench.systems import Direct, Product
from bench.workbench import Workbench
from cli.servers import postgres

NAME: Final = "limit"
INSERT_SELECT: Final = "INSERT … SELECT"
#: Transfers per second, for telling beforehand.
COPIED_PER_S: Final = 30_000
_TABLES: Final = ("transfers", "entries", "outcomes")
_CLIENTS: Final = (1, 8, 32)
_SCRIPT: Final = """\
\\set source random(1, {wallets})
\\set step random(1, {wallets} - 1)
\\set target 1 + (:source + :step - 1) % {wallets}
SELECT code FROM direct_transfer(gen_random_uuid(), gen_random_uuid(), gen_random_uuid()::text,
    (SELECT wallet_id FROM bench_wallets WHERE number = :source),
    (SELECT wallet_id FROM bench_wallets WHERE number = :target),
    0.01, NULL, NULL, NULL, NULL, NULL, 'pgbench');
"""


async def run(bench: Workbench) -> None:
    async with bench.installation(NAME, Product()) as installation:
        async with filling(installation) as filler:
            await filler.transfers(bench.effort.limit_rows, bench.seed())
        await installation.settle()
        for _ in range(bench.effort.rounds):
            await insert_select(bench, NAME, installation)
    program = programs.pgbench()
    if program is None:
        bench.results.notes.append("pgbench is not installed: its part of the limit is left out")
        return
    async with bench.installation(NAME, Direct()) as installation:
        await _number_wallets(installation)
        for clients in _CLIENTS:
            await _pgbench(bench, installation, program, clients)


async def insert_select(bench: Workbench, scenario: str, installation: Installation) -> None:
    """The rows of the books into empty tables of the same form, the balances once per wallet."""
    async with installation.servers.administrator(installation.name) as connection:
        await connection.execute("CREATE SCHEMA ceiling; SET search_path = ceiling")
        for table in (*_TABLES, "wallets"):
            await connection.execute(f"CREATE TABLE {table} (LIKE sov.{table} INCLUDING ALL)")
        await connection.execute("INSERT INTO wallets SELECT * FROM sov.wallets")
        await connection.execute("CHECKPOINT")
        started_s = time.monotonic()
        await _copy(connection)
        taken_s = time.monotonic() - started_s
        rows = int(await connection.fetchval("SELECT count(*) FROM transfers"))
        await connection.execute("DROP SCHEMA ceiling CASCADE")
    bench.results.limits.append(Limit(scenario, INSERT_SELECT, rows, taken_s, rows / taken_s))
    bench.say(f"  {INSERT_SELECT}: {rows / taken_s:.0f} transfers/s")


async def _copy(connection: asyncpg.Connection[Any]) -> None:
    async with connection.transaction():
        for table in _TABLES:
            await connection.execute(f"INSERT INTO {table} SELECT * FROM sov.{table}")  # noqa: S608
        await connection.execute("UPDATE wallets SET last_sequence = last_sequence + 1")


async def _number_wallets(installation: Installation) -> None:
    """pgbench draws numbers, the books have ids."""
    async with installation.servers.administrator(installation.name) as connection:
        await connection.execute(
            "CREATE TABLE sov.bench_wallets (number integer PRIMARY KEY, wallet_id uuid);"
            "GRANT SELECT ON sov.bench_wallets TO sov_writer"
        )
        await connection.executemany(
            "INSERT INTO sov.bench_wallets VALUES ($1, $2)",
            list(enumerate(installation.wallets, start=1)),
        )


async def _pgbench(
    bench: Workbench, installation: Installation, program: Path, clients: int
) -> None:
    """The direct baseline's statement without HTTP and Python: one transaction per transfer."""
    script = installation.home.folder / "pgbench.sql"
    script.write_text(_SCRIPT.format(wallets=len(installation.wallets)))
    url = urlsplit(installation.access.writer)
    seconds_ = max(1, round(bench.effort.point_s))
    output = await programs.run(
        seconds_,
        str(program),
        *("--no-vacuum", "--protocol=prepared", f"--file={script}", f"--time={seconds_}"),
        *(f"--client={clients}", "--jobs=1", f"--random-seed={bench.seed()}"),
        *(f"--host={url.hostname}", f"--port={url.port}", f"--username={postgres.WRITER}"),
        installation.name,
        environment={
            "PATH": os.defpath,
            "PGPASSWORD": url.password or "",
            "PGOPTIONS": "-c search_path=sov -c plan_cache_mode=force_generic_plan",
        },
    )
    done = re.search(r"transactions actually processed: (\d+)", output)
    rate = re.search(r"tps = ([\d.]+)", output)
    if done is None or rate is None:
        raise programs.Failed(f"pgbench said something else than before: {output[-300:]}")
    limit = Limit(NAME, f"pgbench, {clients} clients", int(done[1]), seconds_, float(rate[1]))
    bench.results.limits.append(limit)
    bench.say(f"  {limit.way}: {limit.rate_per_s:.0f} transfers/s")


def seconds(effort: Effort) -> float:
    filled = effort.limit_rows / FILLED_PER_S
    return (
        2 * INSTALL_S
        + filled
        + effort.rounds * effort.limit_rows / COPIED_PER_S
        + len(_CLIENTS) * effort.point_s
    )
