"""`./sov up`: servers, schema, queues, keys, processes; then watch over them all."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import socket
import sys

import asyncpg
import click
from aio_pika.exceptions import AMQPError

from cli import detached, listening, plans, provision, simulated_bank
from cli.access import Access, BadSettings, access, private_names, settings_here, store
from cli.home import Home, compose_file, home
from cli.listening import CannotListen
from cli.provision import Provisioning
from cli.servers import install, postgres
from cli.servers.failures import ServerUnavailable
from cli.servers.places import Say
from cli.servers.provide import Server, provide
from cli.simulated_bank import SimulatedBank
from cli.summary import already_running, summary
from cli.supervision import orphans, state
from cli.supervision.child import Plan
from cli.supervision.state import Lock
from cli.supervision.supervisor import Supervisor, Surroundings
from ledger.deployment import NotPrepared
from ledger.migrate import MigrationChanged
from topology.declare import DeclaredDifferently
from topology.settings import SettingMissing, Settings

_OPEN_FILES = 65_536

# What a person can do something about; anything else is a defect and shows where it happened.
_REASONS = (
    *(ServerUnavailable, CannotListen, BadSettings, SettingMissing, OSError),
    *(asyncpg.PostgresError, asyncpg.InterfaceError, AMQPError),
    *(MigrationChanged, DeclaredDifferently, NotPrepared),
)


@click.command("up")
@click.option("--detach", is_flag=True, help="Return once everything is ready.")
def command(detach: bool) -> None:
    """Bring the whole system up and print its URLs."""
    here = home(os.environ)
    here.make()
    lock = Lock(here.lock_file)
    if detach and not lock.is_held():
        sys.exit(detached.launch(here))
    if not lock.acquire():
        click.echo(already_running(here))
        return
    try:
        settings = settings_here(os.environ, here.kept)
        asyncio.run(_foreground(here, settings))
    except _REASONS as problem:
        raise click.ClickException(str(problem)) from None


async def _foreground(here: Home, settings: Settings) -> None:
    listening.check_exposure(settings)  # before anything is started or installed
    _allow_many_files()
    with (
        listening.open_socket(settings, here.kept) as opened,
        simulated_bank.simulated(here, settings) as bank,
    ):
        await _supervise(here, settings, opened, bank)


async def _supervise(
    here: Home, settings: Settings, opened: socket.socket, bank: SimulatedBank | None
) -> None:
    before = state.read(here.state_file)
    url = listening.url_of(opened, settings)

    private = private_names(settings)

    async def servers(say: Say) -> list[Server]:
        await orphans.end_left_over(before, say)
        await install.remove_left_over_guards(say)
        return await provide(
            here.folder, here.kept, say, names=private, compose_file=compose_file()
        )

    async def prepare() -> list[Plan]:
        ways = access(settings, here.kept)
        store(ways, here.access_file)
        await provision.provision(_needs(here, settings, ways))
        return plans.for_machine(here, settings, ways, opened.fileno(), bank)

    around = Surroundings(here.state_file, url, listening=opened, private=private)
    supervisor = Supervisor(servers, prepare, around, _say)
    stop = asyncio.Event()
    ready = asyncio.create_task(_print_when_ready(here, stop))
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, _asked_to_stop, stop, supervisor)
    try:
        await supervisor.run(stop)
    finally:
        ready.cancel()


def _asked_to_stop(stop: asyncio.Event, supervisor: Supervisor) -> None:
    if stop.is_set():  # the second time means: now
        supervisor.hurry()
    stop.set()


async def _print_when_ready(here: Home, stop: asyncio.Event) -> None:
    while not stop.is_set():
        snapshot = state.read(here.state_file)
        if snapshot is not None and snapshot.pid == os.getpid() and snapshot.ready:
            click.echo(summary(here, snapshot))
            return
        await asyncio.sleep(0.2)


def _needs(here: Home, settings: Settings, ways: Access) -> Provisioning:
    ours = postgres.NAME in ways.private
    return Provisioning(
        access=ways,
        partitions=settings.partitions,
        writer_password=here.kept.password(postgres.WRITER) if ours else None,
        reader_password=here.kept.password(postgres.READER) if ours else None,
        uploader_password=here.kept.password(postgres.UPLOADER) if ours else None,
        banker_password=here.kept.password(postgres.BANKER) if ours else None,
        keys_file=here.keys_file,
    )


def _allow_many_files() -> None:
    """Connections are files; broker, gateways and consumers inherit the limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, _OPEN_FILES)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _say(line: str) -> None:
    click.echo(line, err=True)
