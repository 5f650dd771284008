"""The folder ``.sov/`` and everything in it that belongs to ``./sov up``."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import cli
from cli.servers.kept import Kept

# The folder that holds the packages: a checkout, or site-packages in the production image.
ROOT = Path(cli.__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class Home:
    """Paths only; ``make`` creates the folders."""

    folder: Path

    @property
    def kept(self) -> Kept:
        return Kept(self.folder)

    @property
    def state_file(self) -> Path:
        return self.folder / "state.json"

    @property
    def lock_file(self) -> Path:
        return self.folder / "lock"

    @property
    def keys_file(self) -> Path:
        """The API keys that ``./sov env`` prints, readable by us alone."""
        return self.folder / "keys.json"

    @property
    def access_file(self) -> Path:
        """The URLs that the last `up` used, readable by us alone."""
        return self.folder / "access.json"

    @property
    def bank_books(self) -> Path:
        """The books of the simulated bank: what it once did stays done."""
        return self.folder / "bank.sqlite"

    @property
    def log_folder(self) -> Path:
        return self.folder / "log"

    @property
    def metrics_folder(self) -> Path:
        """What the processes count, in files that every one of them can add up."""
        return self.folder / "metrics"

    def log(self, name: str) -> Path:
        return self.log_folder / f"{name}.log"

    def make(self) -> None:
        # Others may pass through (the servers' users must) but see nothing; secrets are 0600.
        self.folder.mkdir(mode=0o711, parents=True, exist_ok=True)
        self.log_folder.mkdir(mode=0o700, exist_ok=True)


def home(environment: Mapping[str, str]) -> Home:
    """``SOV_HOME`` where set (tests do), else ``.sov`` beside the packages."""
    return Home(Path(environment.get("SOV_HOME") or ROOT / ".sov").absolute())


def compose_file() -> Path:
    return ROOT / "compose.yaml"


def path_for_children(environment: Mapping[str, str]) -> dict[str, str]:
    """What makes ``python -m cli`` find these packages, and none of the same name, anywhere."""
    others = environment.get("PYTHONPATH")
    return {
        "PYTHONSAFEPATH": "1",
        "PYTHONPATH": os.pathsep.join(filter(None, (str(ROOT), others))),
    }
