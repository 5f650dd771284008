"""What a project folder keeps from one start to the next: ports, passwords, where the data lies."""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path

from cli.servers import ports


class Kept:
    """Two small JSON files in ``folder``, written atomically; secrets are readable by us alone.

    One writer at a time is assumed (the supervisor's lock sees to it); readers may read any time.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ports = folder / "ports.json"
        self._passwords = folder / "passwords.json"
        self._places = folder / "places.json"

    def port(self, name: str) -> int | None:
        return self._known_ports().get(name)

    def claim_port(self, name: str) -> int:
        """The kept port of ``name`` if it can be listened on now, else a new one, then kept."""
        known = self._known_ports()
        port = known.get(name)
        if port is not None and ports.is_free(port):
            return port
        taken = frozenset(known.values())
        return self.keep_port(name, ports.preferred(f"{self._folder}#{name}", taken))

    def keep_port(self, name: str, port: int) -> int:
        write_json(self._ports, {**self._known_ports(), name: port})
        return port

    def _known_ports(self) -> dict[str, int]:
        return {name: int(str(port)) for name, port in read_json(self._ports).items()}

    def password(self, name: str) -> str:
        """The generated password of ``name``, made on first use. Needs no quoting in a URL."""
        known = read_json(self._passwords)
        if name not in known:
            known[name] = secrets.token_hex(20)
            write_json(self._passwords, known, secret=True)
        return str(known[name])

    def has_password(self, name: str) -> bool:
        return name in read_json(self._passwords)

    def place(self, name: str) -> Path | None:
        value = read_json(self._places).get(name)
        return Path(str(value)) if value is not None else None

    def keep_place(self, name: str, place: Path) -> Path:
        write_json(self._places, {**read_json(self._places), name: str(place)})
        return place

    def forget_place(self, name: str) -> None:
        places = read_json(self._places)
        if places.pop(name, None) is not None:
            write_json(self._places, places)

    def forget_secrets_and_places(self) -> None:
        """For a wipe. The ports stay: a URL in somebody's shell must go on to mean this project."""
        self._passwords.unlink(missing_ok=True)
        self._places.unlink(missing_ok=True)


def read_json(path: Path) -> dict[str, object]:
    """The object in ``path``; empty when there is no such file."""
    try:
        value = json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    if not isinstance(value, dict):
        raise TypeError(f"{path} does not hold a JSON object")
    return value


def write_json(path: Path, value: object, *, secret: bool = False) -> None:
    """Replace ``path`` in one step, so that a reader sees the old text or the new one whole."""
    # Beside the target, and named by us: two of our own processes never share one.
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600 if secret else 0o644)
    with os.fdopen(descriptor, "w") as file:
        json.dump(value, file, indent=1)
        file.write("\n")
    fresh.replace(path)
