"""One supervised process and what becomes of it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from cli.servers import processes
from cli.servers.processes import ProcessId
from cli.supervision import counts
from cli.supervision.backoff import Backoff
from cli.supervision.beats import BeatSocket
from topology.vitals import BEATS

State = Literal["starting", "ready", "stopping", "waiting", "stopped"]
LARGEST_LOG = 50_000_000
# Where prometheus_client keeps the counts of processes that are shown as one.
METRICS = "PROMETHEUS_MULTIPROC_DIR"


@dataclass(frozen=True, slots=True)
class Plan:
    """What to run, and when to stop it: lower stages are stopped, and drained, first."""

    name: str
    arguments: tuple[str, ...]
    environment: Mapping[str, str]
    log: Path
    stage: int
    inherits: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds of patience. ``first_beat_s`` covers imports, ``silence_s`` everything after them."""

    silence_s: float = 5.0
    first_beat_s: float = 30.0
    drain_s: float = 10.0


@dataclass(slots=True)
class Child:
    """Started, watched, killed when silent, started again. All times are ``time.monotonic``."""

    plan: Plan
    limits: Limits = Limits()
    backoff: Backoff = field(default_factory=Backoff)
    state: State = "waiting"
    restarts: int = 0
    report: Mapping[str, object] = field(default_factory=dict)
    reason: str = ""
    _process: subprocess.Popen[bytes] | None = None
    _beats: BeatSocket | None = None
    _identity: ProcessId | None = None
    _due: float = 0.0
    _deadline: float = 0.0
    _ready_since: float | None = None
    _verdict: str = ""

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    @property
    def identity(self) -> ProcessId | None:
        return self._identity

    def tick(self, now: float) -> None:
        """Notice death and silence, and start what is due. Call it several times a second."""
        if self._process is None:
            if self.state == "waiting" and now >= self._due:
                self._start(now)
        elif self._process.poll() is not None:
            self._ended(now, self._process.returncode)
        elif now > self._deadline:
            self._verdict = "did not drain in time" if self.state == "stopping" else "silent"
            self._process.send_signal(signal.SIGKILL)

    def listen(self, now: float) -> None:
        """Take in what the child has said since."""
        for fields in self._beats.received() if self._beats else ():
            if "WATCHDOG" in fields and self.state != "stopping":
                self._deadline = now + self.limits.silence_s
            if "READY" in fields and self.state == "starting":
                self.state = "ready"
                self._ready_since = now
            if "STATUS" in fields:
                self.report = _parsed(fields["STATUS"])

    def forgive(self, now: float) -> None:
        """After we ourselves were frozen: silence meanwhile was ours, not the child's."""
        self._deadline = max(self._deadline, now + self.limits.silence_s)

    def stop(self, now: float) -> None:
        """Ask it to drain; ``tick`` kills it after ``drain_s``. It is not started again."""
        if self._process is None or self._process.poll() is not None:
            self._let_go()
            self.state = "stopped"
        elif self.state != "stopping":
            self.state = "stopping"
            self._deadline = now + self.limits.drain_s
            self._process.send_signal(signal.SIGTERM)

    def hurry(self, now: float) -> None:
        """Whoever waits for the drain lost patience: the next ``tick`` kills."""
        self._deadline = now - 1

    def _start(self, now: float) -> None:
        try:
            self._process = self._spawn()
        except OSError as problem:  # no memory, no files left: for now
            self._wait(now, f"cannot be started: {problem}", 0.0)
            return
        self._identity = processes.identify(self._process.pid)
        self.state = "starting"
        self._ready_since = None
        self._verdict = ""
        self._deadline = now + self.limits.first_beat_s

    def _spawn(self) -> subprocess.Popen[bytes]:
        beats = BeatSocket()
        try:
            with self.plan.log.open("ab") as log:
                process = subprocess.Popen(
                    self.plan.arguments,
                    env={**self.plan.environment, BEATS: str(beats.inherited)},
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    pass_fds=(*self.plan.inherits, beats.inherited),
                    start_new_session=True,  # a Ctrl-C reaches us alone: we decide who stops first
                )
        except BaseException:
            beats.close()
            raise
        beats.handed_over()
        self._beats = beats
        return process

    def _ended(self, now: float, code: int) -> None:
        stopped = self.state == "stopping"
        up_s = now - self._ready_since if self._ready_since is not None else 0.0
        pid = self.pid
        self._let_go()
        reason = ", ".join(filter(None, (self._verdict, _ending(code))))
        if stopped:
            self.state = "stopped"
            self.reason = reason
        else:
            self._wait(now, reason, up_s)
        folder = self.plan.environment.get(METRICS)
        if folder is not None and pid is not None:
            counts.bury(Path(folder), pid)

    def _let_go(self) -> None:
        """What is left of an ended process."""
        if self._beats is not None:
            self._beats.close()
        self._process = self._identity = self._beats = None
        self.report = {}

    def _wait(self, now: float, reason: str, up_s: float) -> None:
        self.state = "waiting"
        self.reason = reason
        self.restarts += 1
        self._due = now + self.backoff.after(up_s)


def _ending(code: int) -> str:
    if code >= 0:
        return f"ended with exit code {code}"
    return f"ended by {signal.Signals(-code).name}"


def _parsed(text: str) -> Mapping[str, object]:
    """The report in a STATUS line; systemd allows any text there, ours is a JSON object."""
    try:
        value = json.loads(text)
    except ValueError:
        return {"text": text}
    return value if isinstance(value, dict) else {"text": text}


def keep_small(log: Path) -> None:
    """Bound a log that is being appended to: one older copy is kept, a few lines may be lost.

    On a full disk there is no copy: then the log is what there is to give up. Raises ``OSError``
    only where the log itself cannot be touched.
    """
    if not log.exists() or log.stat().st_size <= LARGEST_LOG:
        return
    older = log.with_name(log.name + ".1")
    try:
        shutil.copyfile(log, older)
    except OSError:
        with suppress(OSError):
            older.unlink()
    os.truncate(log, 0)  # the writer appends, so it goes on at the new end
