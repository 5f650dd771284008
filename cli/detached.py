"""`./sov up --detach`: the same supervisor in a session of its own, watched until it is ready."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import click

from cli.home import Home, path_for_children
from cli.summary import already_running, summary
from cli.supervision import state
from cli.supervision.child import keep_small
from cli.supervision.state import Snapshot

PROGRAM = (sys.executable, "-m", "cli")
# From the moment that everything has been started; installing and first starts take what they take.
_READY_LIMIT_S = 60.0
_POLL_S = 0.1


def launch(here: Home) -> int:
    """Start the supervisor and follow it; the exit code of the command."""
    log_file = here.log("supervisor")
    keep_small(log_file)
    begins = log_file.stat().st_size if log_file.exists() else 0
    with log_file.open("ab") as log:
        process = subprocess.Popen(
            [*PROGRAM, "up"],
            env={**os.environ, **path_for_children(os.environ)},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,  # it outlives the terminal
        )
    code = _follow(here, process)
    if code is None:
        tail = log_file.read_bytes()[begins:].decode(errors="replace").strip()
        click.echo(f"it ended before it was ready:\n{tail}", err=True)
        return 1
    return code


def _follow(here: Home, process: subprocess.Popen[bytes]) -> int | None:
    """Print progress until it is ready (0), stuck (1), or gone (None)."""
    told = 0
    running_since: float | None = None
    while True:
        ended = process.poll() is not None
        snapshot = _own(here, process.pid)
        if snapshot is not None:
            told = _tell(snapshot, told)
            if snapshot.ready:
                click.echo(summary(here, snapshot))
                return 0
            if ended and snapshot.phase == "failed":
                click.echo(snapshot.reason, err=True)
                return 1
            if snapshot.phase == "running":
                running_since = running_since or time.monotonic()
                if time.monotonic() - running_since > _READY_LIMIT_S:
                    _explain(here, snapshot)
                    return 1
        if ended and process.returncode == 0:
            click.echo(already_running(here))  # somebody else was quicker
            return 0
        if ended:
            return None
        time.sleep(_POLL_S)


def _own(here: Home, pid: int) -> Snapshot | None:
    snapshot = state.read(here.state_file)
    return snapshot if snapshot is not None and snapshot.pid == pid else None


def _tell(snapshot: Snapshot, told: int) -> int:
    for note in snapshot.notes[told:]:
        click.echo(note, err=True)
    return max(told, len(snapshot.notes))


def _explain(here: Home, snapshot: Snapshot) -> None:
    click.echo(f"not ready after {_READY_LIMIT_S:.0f} s (it goes on trying; ./sov down stops it):")
    for view in snapshot.processes:
        if view.state == "ready":
            continue
        click.echo(f"  {view.name} is {view.state}, {view.restarts} restarts. {view.reason}")
        for line in _tail(here, view.name):
            click.echo(f"    {line}")


def _tail(here: Home, name: str, count: int = 5) -> list[str]:
    path = here.log(name)
    return path.read_text(errors="replace").splitlines()[-count:] if path.exists() else []
