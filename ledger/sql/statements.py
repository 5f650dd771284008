"""Reading a ``.sql`` file into a record with one field per statement."""

from __future__ import annotations

import dataclasses
import re
from importlib import resources
from typing import TypeVar

_NAME = re.compile(r"^-- name: (\w+)\n", re.MULTILINE)

T = TypeVar("T", bound="Statements")


@dataclasses.dataclass(frozen=True, slots=True)
class Statements:
    @classmethod
    def load(cls: type[T], package: str, stem: str) -> T:
        """Raises ``LookupError`` where file and record do not name the same statements."""
        text = resources.files(package).joinpath(f"{stem}.sql").read_text()
        _, *parts = _NAME.split(text)
        found = {name: body.strip() for name, body in zip(parts[::2], parts[1::2], strict=True)}
        expected = {field.name for field in dataclasses.fields(cls)}
        if found.keys() != expected:
            raise LookupError(f"{stem}.sql and {cls.__name__}: {found.keys() ^ expected}")
        return cls(**found)
