"""`./sov down`: stop what `up` started, however that ended; with `--wipe` delete its data too."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import time

import click

from cli.access import own_fields
from cli.home import Home, compose_file, home
from cli.servers import install, places, postgres, processes, provide
from cli.servers.docker import ComposeServer
from cli.servers.failures import ServerUnavailable
from cli.supervision import orphans, state
from cli.supervision.state import Lock, Snapshot

# All drains and both servers' own limits together, and a little more.
_STOP_LIMIT_S = 100.0
_POLL_S = 0.1


@click.command("down")
@click.option("--wipe", is_flag=True, help="Delete the data as well.")
def command(wipe: bool) -> None:
    """Stop everything; data is kept."""
    here = home(os.environ)
    if not here.folder.exists():
        click.echo("nothing to stop: there is no .sov folder")
        return
    here.make()
    out_of_reach = asyncio.run(provide.out_of_reach(here.folder, here.kept))
    if wipe:
        _refuse_foreign_database(here)
        if out_of_reach:
            raise click.ClickException(f"--wipe is refused: {out_of_reach}")
    elif out_of_reach:
        click.echo(f"not stopped, should they run: {out_of_reach}", err=True)
    lock = Lock(here.lock_file)
    if not lock.acquire():
        _stop_supervisor(here)
        if not lock.acquire():
            raise click.ClickException("somebody else is starting or stopping it; try again")
    try:
        asyncio.run(_stop_left_overs(here, wipe=wipe))
    except ServerUnavailable as problem:
        raise click.ClickException(str(problem)) from None
    if wipe:
        _wipe(here)
    click.echo("stopped, data deleted" if wipe else "stopped")


def _refuse_foreign_database(here: Home) -> None:
    """What is deleted must be ours: a database given by URL belongs to somebody else."""
    snapshot = state.read(here.state_file)
    given = os.environ.get("SOV_DATABASE_URL") and "database_url" not in own_fields(
        os.environ, here.kept
    )
    if given or (snapshot is not None and postgres.NAME not in snapshot.private):
        raise click.ClickException(
            "--wipe is refused: the database was given by SOV_DATABASE_URL, so it is not ours to"
            " delete (unset it, and use `down` without --wipe)"
        )


def _stop_supervisor(here: Home) -> None:
    snapshot = state.read(here.state_file)
    if snapshot is None or not snapshot.is_alive():
        raise click.ClickException("it is starting or stopping right now; try again in a moment")
    if snapshot.is_stale:
        click.echo("the supervisor does not answer: killing it", err=True)
        processes.send(snapshot.identity, signal.SIGKILL)
    else:
        processes.send(snapshot.identity, signal.SIGTERM)
    _follow(here, snapshot)
    if snapshot.is_alive():
        processes.send(snapshot.identity, signal.SIGKILL)
        asyncio.run(processes.gone([snapshot.identity], 5.0))


def _follow(here: Home, first: Snapshot) -> None:
    """Print what the supervisor says while it stops, for as long as that may take.

    The limit counts from the moment it does stop: an installation is waited for, however long.
    """
    told = len(first.notes)
    deadline = time.monotonic() + _STOP_LIMIT_S
    while first.is_alive() and time.monotonic() < deadline:
        time.sleep(_POLL_S)
        snapshot = state.read(here.state_file)
        if snapshot is not None and snapshot.phase == "starting" and not snapshot.is_stale:
            deadline = time.monotonic() + _STOP_LIMIT_S
        for note in snapshot.notes[told:] if snapshot else ():
            click.echo(note, err=True)
            told += 1


async def _stop_left_overs(here: Home, *, wipe: bool) -> None:
    """What a killed supervisor leaves: children for a few seconds, servers for ever."""
    await orphans.end_left_over(state.read(here.state_file), _say)
    await install.remove_left_over_guards(_say)
    servers = await provide.known_servers(here.folder, here.kept, _say, compose_file=compose_file())
    async with asyncio.TaskGroup() as group:
        for server in servers:
            group.create_task(server.stop())
    if wipe:
        for server in servers:
            if isinstance(server, ComposeServer):
                await server.wipe()


def _wipe(here: Home) -> None:
    places.remove(here.folder, provide.BOTH, here.kept)
    here.kept.forget_secrets_and_places()
    here.keys_file.unlink(missing_ok=True)
    here.access_file.unlink(missing_ok=True)
    here.state_file.unlink(missing_ok=True)
    for part in ("", "-wal", "-shm"):
        here.bank_books.with_name(here.bank_books.name + part).unlink(missing_ok=True)
    shutil.rmtree(here.log_folder, ignore_errors=True)


def _say(line: str) -> None:
    click.echo(line, err=True)
