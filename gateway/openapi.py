"""The interface's own description: OpenAPI 3.1, made from the operations themselves."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from gateway import problems
from gateway.answers import ACCEPTED
from gateway.operations import Access, Operation, Success
from gateway.problems import KINDS, AnyCode, GatewayCode, Refusal
from gateway.schemas import PendingCommand, Problem
from ledger.rejections import Code

DESCRIPTION: Final = """\
Wallets, transfers and reservations, applied in order from a queue.

Every write waits for its outcome (`Prefer: wait=seconds`, default 5; less than 0.1 counts as 0.1,
more than 30 as 30) and answers 202 with a command to ask about where there is none in time.
`Prefer: respond-async` answers 202 at once; the command may then be applied for 24 hours.
`Sov-Deadline` says until when it may be applied in either case. A key that is on the ledger moves
nothing twice: repeat a call with its key to settle what became of it.
"""

_REF: Final = "#/components/schemas/{model}"
_PATH_PARAMETER: Final = re.compile(r"{(\w+)}")
_KEYED: Final = "apiKey"
_EXAMPLE_ID: Final = "0198f0a4-2c8e-7d31-9f0e-3a5b8c1d2e4f"
_EXAMPLES: Final = {
    "commandId": "agm3x5cqaebqcae6nq3u4ijx5y7rm2hkzqdo",
    "batchId": "payroll-2026-03",
}

#: What every route may answer, every route with a key, every write, every route with a body.
_ALWAYS: Final = (GatewayCode.MALFORMED_HTTP, GatewayCode.HEAD_TOO_LARGE, Code.INTERNAL)
_WITH_KEY: Final = (
    GatewayCode.UNAUTHENTICATED,
    GatewayCode.FORBIDDEN,
    GatewayCode.RATE_LIMITED,
    Code.INVALID_REQUEST,
    Code.UNAVAILABLE,
)
_WRITE: Final = (Code.DEADLINE_EXCEEDED,)
_WITH_BODY: Final = (GatewayCode.PAYLOAD_TOO_LARGE, GatewayCode.UNSUPPORTED_MEDIA_TYPE)

_WRITE_HEADERS: Final[list[dict[str, Any]]] = [
    {
        "name": "Prefer",
        "in": "header",
        "description": "RFC 7240: `wait=N` (seconds) or `respond-async`.",
        "schema": {"type": "string"},
        "example": "wait=2",
    },
    {
        "name": "Sov-Deadline",
        "in": "header",
        "description": "Not to be applied later than this (RFC 3339), waited for or not.",
        "schema": {"type": "string", "format": "date-time"},
    },
]
_KEY_HEADER: Final[dict[str, Any]] = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "Instead of `externalUniqueId` in the body; quoted or bare.",
    "schema": {"type": "string"},
}


_COMMAND_HEADER: Final[dict[str, Any]] = {
    "schema": {"type": "string"},
    "required": True,
    "description": "What to ask `/v1/commands/{commandId}` about.",
}
_PENDING: Final = {
    ACCEPTED: Success("Accepted perhaps, and not decided yet: ask at `Location`", PendingCommand)
}


def described(operation: Operation) -> dict[str, Any]:
    """The operation object of one route."""
    document: dict[str, Any] = {
        "tags": [operation.tag],
        "summary": operation.summary,
        "operationId": operation_id(operation),
        "responses": _responses(operation),
    }
    if operation.description:
        document["description"] = operation.description
    parameters = _parameters(operation)
    if parameters:
        document["parameters"] = parameters
    if operation.body is not None:
        media = {"schema": _reference(operation.body), "example": dict(operation.example)}
        document["requestBody"] = {"required": True, "content": {"application/json": media}}
    elif operation.files:
        document["requestBody"] = {
            "required": True,
            "content": {
                # Bytes of any kind: what cannot be read is said line by line, not here.
                media_type: {"example": example}
                for media_type, example in operation.files.items()
            },
        }
    if operation.access is not Access.ANYBODY:
        document["security"] = [{_KEYED: []}]
    return document


def completed(schema: dict[str, Any], operations: Iterable[Operation]) -> dict[str, Any]:
    """The whole description with everything that the operations refer to."""
    models: dict[str, type[BaseModel]] = {m.__name__: m for m in (Problem, PendingCommand)}
    for operation in operations:
        found = [operation.body, *(s.model for s in operation.success.values())]
        models |= {m.__name__: m for m in found if m is not None}
    _, generated = models_json_schema(
        [(model, "validation") for model in models.values()], ref_template=_REF
    )
    components = schema.setdefault("components", {})
    components["schemas"] = {
        name: _tidied(definition) for name, definition in generated["$defs"].items()
    }
    components["securitySchemes"] = {_KEYED: {"type": "http", "scheme": "bearer"}}
    return schema


def operation_id(operation: Operation) -> str:
    """Such as ``postTransfersByTransferIdReversals``."""
    words = [operation.method.lower()]
    for step in operation.path.removeprefix("/v1").strip("/").split("/"):
        name = step.strip("{}")
        words.append(("By" if step != name else "") + name[:1].upper() + name[1:])
    return re.sub(r"-(\w)", lambda m: m[1].upper(), "".join(words))


def _responses(operation: Operation) -> dict[str, Any]:
    responses: dict[str, Any] = {}
    # One that says itself what an undecided order looks like knows better.
    own = ACCEPTED in operation.success
    successes = {**operation.success, **(_PENDING if operation.commands and not own else {})}
    for status, success in successes.items():
        response: dict[str, Any] = {"description": success.description}
        if success.model is not None:
            response["content"] = {success.media_type: {"schema": _reference(success.model)}}
        elif success.media_type != "application/json":
            response["content"] = {success.media_type: {"schema": {"type": "string"}}}
        if operation.commands and success.decided:
            response["headers"] = {"Sov-Command-Id": _COMMAND_HEADER}
        responses[str(status)] = response
    by_status: defaultdict[int, list[AnyCode]] = defaultdict(list)
    for code in dict.fromkeys(_codes(operation)):
        by_status[KINDS[code].status].append(code)
    for status, codes in sorted(by_status.items()):
        responses[str(status)] = _problem_response(codes)
    return responses


def _codes(operation: Operation) -> list[AnyCode]:
    codes: list[AnyCode] = [*operation.problems, *_ALWAYS]
    if operation.access is not Access.ANYBODY:
        codes += _WITH_KEY
    if operation.commands:
        codes += _WRITE
    if operation.body is not None or operation.files:
        codes += _WITH_BODY
    return codes


def _problem_response(codes: list[AnyCode]) -> dict[str, Any]:
    examples = {}
    for code in codes:
        refusal = Refusal(code, "what exactly, in words for people")
        answer = problems.answer(refusal, instance="/v1/…", trace_id="0" * 31 + "1")
        examples[str(code)] = {"summary": KINDS[code].title, "value": answer.content}
    response: dict[str, Any] = {
        "description": ", ".join(f"`{code}`" for code in codes),
        "content": {
            "application/problem+json": {"schema": _reference(Problem), "examples": examples}
        },
    }
    if Code.UNAVAILABLE in codes or GatewayCode.RATE_LIMITED in codes:
        response["headers"] = {
            "Retry-After": {"schema": {"type": "integer"}, "description": "seconds"}
        }
    return response


def _parameters(operation: Operation) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": {"type": "string"},
            "example": _EXAMPLES.get(name, _EXAMPLE_ID),
        }
        for name in _PATH_PARAMETER.findall(operation.path)
    ]
    for parameter in operation.query:
        described: dict[str, Any] = {
            "name": parameter.name,
            "in": "query",
            "required": parameter.required,
            "schema": dict(parameter.schema),
            "description": parameter.description,
        }
        if parameter.example is not None:
            described["example"] = parameter.example
        found.append(described)
    if operation.commands:
        found += _WRITE_HEADERS
    found += [{"in": "header", **header} for header in operation.headers]
    if operation.body is not None and "externalUniqueId" in _aliases(operation.body):
        found.append(_KEY_HEADER)
    return found


def _aliases(model: type[BaseModel]) -> set[str | None]:
    return {field.alias for field in model.model_fields.values()}


def _reference(model: type[BaseModel]) -> dict[str, Any]:
    return {"$ref": _REF.format(model=model.__name__)}


def _tidied(definition: Any) -> Any:
    """Without what pydantic adds and nobody needs: titles made of names, defaults of null."""
    if isinstance(definition, list):
        return [_tidied(item) for item in definition]
    if not isinstance(definition, Mapping):
        return definition
    kept = {}
    for name, value in definition.items():
        if name == "title" and isinstance(value, str):
            continue
        if name == "default" and value is None:
            continue
        kept[name] = _tidied(value)
    return kept
