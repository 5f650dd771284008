"""What a route is, said in one place: who may call it, what it takes, what it answers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any, Final

from pydantic import BaseModel

from gateway.call import Call
from gateway.parameters import Parameter
from gateway.problems import AnyCode
from gateway.response import Answer
from ledger.keys import Scope


class Access(Enum):
    """Instead of scopes, where no key is asked for."""

    ANYBODY = auto()


#: Every valid key may read.
READERS: Final = frozenset(Scope)
WRITERS: Final = frozenset({Scope.ECLIPSE, Scope.OPERATOR})
OPERATORS: Final = frozenset({Scope.OPERATOR})
UPLOADERS: Final = frozenset({Scope.BATCH, Scope.OPERATOR})
#: Who asks for what concerns the bank, and who agrees to it. Operators do neither.
MAKERS: Final = frozenset({Scope.BANK})
CHECKERS: Final = frozenset({Scope.APPROVER})
#: Comparing moves nothing.
RECONCILERS: Final = frozenset({Scope.BANK, Scope.OPERATOR})


@dataclass(frozen=True, slots=True)
class Success:
    """One way to succeed, for the documentation."""

    description: str
    model: type[BaseModel] | None = None
    media_type: str = "application/json"
    decided: bool = True
    """Whether a command always stands behind it, where the operation makes commands."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One method on one path. ``access`` has no default: nothing is open by being forgotten."""

    method: str
    path: str
    answer: Callable[[Call], Awaitable[Answer]]
    access: frozenset[Scope] | Access
    tag: str
    summary: str
    description: str = ""
    success: Mapping[int, Success]
    problems: tuple[AnyCode, ...] = ()
    """Codes of its own; those that every route can answer with are added by the documentation."""
    query: tuple[Parameter, ...] = ()
    body: type[BaseModel] | None = None
    example: Mapping[str, Any] = field(default_factory=dict)
    """A body as it may be sent."""
    files: Mapping[str, str] = field(default_factory=dict)
    """Media types of a file that is taken instead of a body, each with an example. It may take as
    long as it arrives at all."""
    headers: tuple[Mapping[str, Any], ...] = ()
    """Header parameters of its own, as OpenAPI says them."""
    stores: bool = False
    """Changes what is kept beside the books, and makes no command."""

    @property
    def commands(self) -> bool:
        """Whether it makes commands, and so waits for the broker and not for the books alone."""
        return self.method != "GET" and not self.stores
