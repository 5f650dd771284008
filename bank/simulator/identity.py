"""Tokens for whoever knows the three secrets."""

from __future__ import annotations

import base64
import binascii
import secrets
from typing import Final
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bank.simulator.guard import Bank, Token, guarded

_GOOD_FOR_S: Final = 1799


def routes(bank: Bank) -> list[Route]:
    reply = guarded(bank, "token", frozenset(), _give)
    return [Route("/identity/v2/oauth2/token", reply, methods=["POST"])]


async def _give(bank: Bank, request: Request) -> Response:
    known = bank.credentials
    given = _basic(request.headers.get("authorization", ""))
    pairs = (
        (given, f"{known.client_id}:{known.client_secret}"),
        (request.headers.get("x-api-key", ""), known.api_key),
    )
    if not all(secrets.compare_digest(a.encode(), b.encode()) for a, b in pairs):
        return Response(status_code=401)
    form = parse_qs((await request.body()).decode(errors="replace"))
    if form.get("grant_type") != ["client_credentials"]:
        return Response(status_code=400)
    now_s, scopes = bank.books.now_s(), bank.books.scopes
    token = secrets.token_urlsafe(20)
    bank.tokens = {name: each for name, each in bank.tokens.items() if each.until_s > now_s}
    bank.tokens[token] = Token(now_s + _GOOD_FOR_S, frozenset(scopes))
    assumed = bank.books.assumptions
    return JSONResponse(
        {
            "access_token": token,
            "token_type": "Bearer",
            "expires_in": str(_GOOD_FOR_S) if assumed.expires_in == "text" else _GOOD_FOR_S,
            "scope": " ".join(scopes) if assumed.names_scopes == "granted" else "accounts",
        }
    )


def _basic(header: str) -> str:
    scheme, _, encoded = header.partition(" ")
    try:
        known = scheme.lower() == "basic"
        return base64.b64decode(encoded, validate=True).decode() if known else ""
    except (binascii.Error, UnicodeDecodeError):
        return ""
