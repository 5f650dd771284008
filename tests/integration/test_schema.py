"""The schema: migrations, statements, roles."""

from __future__ import annotations

import asyncio
import dataclasses
import uuid
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

import bank.sql
import ledger.sql
from ledger import migrate
from ledger.database import connect_owner, connect_writer, reader_pool
from ledger.deployment import Layout, read_deployment
from ledger.load import LOCKED
from tests.databases import Database, copied
from tests.servers import Servers

STATEMENTS = {
    f"{record}.{field.name}": (getattr(value, field.name), record, field.name)
    for package in (ledger.sql, bank.sql)
    for record, value in vars(package).items()
    if dataclasses.is_dataclass(value) and not isinstance(value, type)
    for field in dataclasses.fields(value)
}


@pytest.fixture
async def owner(database: Database) -> AsyncIterator[asyncpg.Connection[Any]]:
    connection = await connect_owner(database.owner)
    yield connection
    await connection.close()


async def test_every_statement_can_be_prepared(owner: asyncpg.Connection[Any]) -> None:
    assert len(STATEMENTS) > 50
    # What is compared is staged in temporary tables, which the others ask.
    await owner.execute(STATEMENTS.pop("COMPARISONS.staging")[0])
    for name, (text, record, field) in STATEMENTS.items():
        try:
            await owner.prepare(text)
            if record == "EXECUTE" and field in ("wallets", "reservations"):
                await owner.prepare(text + LOCKED)
        except asyncpg.PostgresError as error:
            pytest.fail(f"{name}: {error}")


async def test_what_was_asked_for_about_a_row_is_found_by_an_index(
    owner: asyncpg.Connection[Any],
) -> None:
    """Also what is over: the indexes of what is open do not have it."""
    row_id = uuid.UUID(int=1)
    question = bank.sql.ACTIONS.lately.replace("$1::uuid", f"'{row_id}'::uuid")
    async with owner.transaction():
        await owner.execute("SET LOCAL enable_seqscan = off")
        plan = "\n".join(row[0] for row in await owner.fetch(f"EXPLAIN {question}"))
    assert "Index Cond: (row_id = " in plan, plan


async def test_migrating_again_changes_nothing(
    database: Database, owner: asyncpg.Connection[Any]
) -> None:
    before = await owner.fetch("SELECT * FROM migrations")
    assert await migrate.prepare(database.owner, partitions=3) == []
    assert await owner.fetch("SELECT * FROM migrations") == before
    assert (await read_deployment(owner)).layout == Layout(1, 8)
    await migrate.require_current(owner)


async def test_a_migration_that_was_changed_stops_everything(
    database: Database, owner: asyncpg.Connection[Any]
) -> None:
    await owner.execute("UPDATE migrations SET checksum = 'another'")
    with pytest.raises(migrate.MigrationChanged):
        await migrate.migrate(owner)
    with pytest.raises(migrate.SchemaOutdated):
        await migrate.require_current(owner)


async def test_two_at_once_migrate_once(servers: Servers) -> None:
    async with copied(servers, "template0", audited=False) as empty:
        first = await connect_owner(empty.owner)
        try:
            with pytest.raises(migrate.SchemaOutdated):
                await migrate.require_current(first)
        finally:
            await first.close()
        ran = await asyncio.gather(*(migrate.prepare(empty.owner, partitions=4) for _ in range(3)))
        assert sorted(map(len, ran)) == [0, 0, len(migrate.migrations())]


def test_migrations_are_numbered_from_one() -> None:
    numbers = [migration.number for migration in migrate.migrations()]
    assert numbers == list(range(1, len(numbers) + 1))


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE entries SET amount_minor = 1",
        "DELETE FROM entries",
        "UPDATE transfers SET amount_minor = 1",
        "DELETE FROM transfers",
        "UPDATE outcomes SET kind = 'Rejection'",
        "DELETE FROM outcomes",
        "UPDATE chain SET hash = ''",
        "DELETE FROM wallets",
        "UPDATE wallets SET currency = 'USD'",
        "UPDATE wallets SET external_unique_id = 'x'",
        "DELETE FROM reservations",
        "UPDATE reservations SET amount_minor = 1",
        "DELETE FROM heads",
        "UPDATE dead_letters SET reason = 'x'",
        "DELETE FROM dead_letters",
        "UPDATE dead_letter_resolutions SET command_id = gen_random_uuid()",
        "DELETE FROM dead_letter_resolutions",
        "UPDATE api_keys SET scopes = '{operator}'",
        "INSERT INTO api_keys VALUES ('x')",
        "TRUNCATE entries",
        "CREATE TABLE mine (x int)",
        "DROP TABLE entries",
    ],
)
async def test_the_writer_cannot_rewrite_the_books(database: Database, statement: str) -> None:
    connection = await connect_writer(database.writer)
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(statement)
    finally:
        await connection.close()


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO dead_letters VALUES (gen_random_uuid(), 1, 1, now(), 'x')",
        "INSERT INTO dead_letter_resolutions VALUES (gen_random_uuid(), gen_random_uuid())",
        "UPDATE wallets SET balance_minor = 1",
        "UPDATE heads SET epoch = 1",
        "SELECT FROM wallets FOR UPDATE",
        "DELETE FROM relay_cursors",
        "DELETE FROM batches",
        "INSERT INTO batch_uploads VALUES ('x', 0, '')",
    ],
)
async def test_the_reader_cannot_write(database: Database, statement: str) -> None:
    connection = await asyncpg.connect(database.reader, server_settings={"search_path": "sov"})
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(statement)
    finally:
        await connection.close()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE wallets SET balance_minor = 1",
        "INSERT INTO dead_letters VALUES (gen_random_uuid(), 1, 1, now(), 'x')",
        "DELETE FROM outcomes",
        "UPDATE heads SET epoch = 1",
        "INSERT INTO api_keys VALUES ('x')",
    ],
)
async def test_the_uploader_writes_bulk_files_alone(database: Database, statement: str) -> None:
    connection = await asyncpg.connect(database.uploader, server_settings={"search_path": "sov"})
    try:
        await connection.execute("DELETE FROM batches")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(statement)
    finally:
        await connection.close()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE wallets SET balance_minor = 1",
        "INSERT INTO transfers (transfer_id) VALUES (gen_random_uuid())",
        "DELETE FROM bank_rows",
        "UPDATE bank_verdicts SET verdict = 'APPROVED'",
        "UPDATE bank_rows SET amount_minor = 1",
        "UPDATE bank_rows SET credit = true",
        "UPDATE bank_actions SET kind = 'WRITE_OFF'",
        "UPDATE bank_actions SET row_id = gen_random_uuid()",
        "UPDATE bank_actions SET detail = '{}'",
        "UPDATE bank_actions SET other_row_id = gen_random_uuid()",
        "UPDATE bank_actions SET requested_owner = 'x'",
        "UPDATE payouts SET wallet_id = gen_random_uuid()",
        "UPDATE payouts SET amount_minor = 1",
        "UPDATE payouts SET account_number = 'x'",
        "UPDATE payouts SET branch_code = 'x'",
        "UPDATE payouts SET beneficiary_id = 'x'",
        "UPDATE payouts SET account_id = 'x'",
        "UPDATE payouts SET approvals_needed = 0",
        "UPDATE payouts SET owner = 'x'",
        "UPDATE payout_words SET owner = 'x'",
        "UPDATE heads SET epoch = 1",
        "INSERT INTO api_keys VALUES ('x')",
    ],
)
async def test_the_banker_keeps_the_bank_side_alone(database: Database, statement: str) -> None:
    connection = await asyncpg.connect(database.banker, server_settings={"search_path": "sov"})
    try:
        await connection.execute("UPDATE bank_rows SET held = true")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(statement)
    finally:
        await connection.close()


async def test_the_readers_pool_is_read_only_whatever_the_role(database: Database) -> None:
    pool = await reader_pool(database.owner, size=1)
    try:
        with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
            await pool.execute("UPDATE heads SET epoch = 1")
    finally:
        await pool.close()


async def test_the_roles_sql_is_what_an_administrator_can_run(
    owner: asyncpg.Connection[Any],
) -> None:
    printed = migrate.roles_sql()
    assert "CREATE ROLE sov_writer" in printed
    grants = printed.partition("\n\n")[2]
    await owner.execute(grants)


@pytest.mark.parametrize(
    "missing", [(), ("sov_uploader",), ("sov_reader", "sov_uploader"), ("sov_banker",)]
)
async def test_the_roles_that_there_are_get_their_rights(
    owner: asyncpg.Connection[Any], missing: tuple[str, ...]
) -> None:
    """An installation from before bulk files has no sov_uploader, and new tables all the same."""
    transaction = owner.transaction()
    await transaction.start()
    try:
        for role in missing:
            # Roles are the whole server's: under another name, and only until the rollback.
            await owner.execute(f"ALTER ROLE {role} RENAME TO {role}_of_nobody")
        present = [role for role in migrate.ROLES if role not in missing]
        await owner.execute("CREATE TABLE sov.added_later (x integer)")
        await owner.execute(f"GRANT DELETE ON sov.entries TO {', '.join(present)}")
        await migrate.grant(owner)
        for role in present:
            rights = await owner.fetchrow(
                "SELECT has_table_privilege($1, 'sov.added_later', 'SELECT'),"
                " has_table_privilege($1, 'sov.entries', 'DELETE'),"
                " has_table_privilege($1, 'sov.entries', 'INSERT'),"
                " has_table_privilege($1, 'sov.batches', 'INSERT')",
                role,
            )
            assert rights is not None
            select, delete, insert, upload = rights
            assert (select, delete) == (True, False), role
            assert (insert, upload) == (role == "sov_writer", role == "sov_uploader"), role
    finally:
        await transaction.rollback()
