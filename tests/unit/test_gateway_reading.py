"""What callers send, as bytes: read losslessly or refused, never a defect."""

from __future__ import annotations

import contextlib
import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.bodies import (
    NewReservation,
    NewTransfer,
    NewTransferGroup,
    NewWallet,
    WalletChange,
    validated,
)
from gateway.problems import Refusal
from gateway.reading import parse_document
from tests.tables import cases

DOCUMENTS = r"""
    body                                   | detail                  | pointer
    {"a":                                  | is not JSON             |
    hello                                  | is not JSON             |
    {'a': 1}                               | is not JSON             |
    {"a": 01}                              | is not JSON             |
    {"a": .5}                              | is not JSON             |
    {"a": NaN}                             | is not JSON             |
    {"a": -Infinity}                       | is not JSON             |
    {} {}                                  | is not JSON             |
    []                                     | must be a JSON object   |
    null                                   | must be a JSON object   |
    "text"                                 | must be a JSON object   |
    {"a": 1, "a": 1}                       | names a member twice    |
    {"a": {"b": 1, "b": 2}}                | names a member twice    |
    {"a": "\ud800"}                        | half of a surrogate     | /a
    {"a": {"b/c~d": ["x", "\udfff"]}}      | half of a surrogate     | /a/b~1c~0d/1
    {"a": "x\u0000"}                       | NUL                     | /a
    {"a": {"\u0000": 1}}                   | NUL                     | /a
    {"\ud800": 1}                          | half of a surrogate     |
"""

TRANSFER = {"fromWalletId": "a", "toWalletId": "b", "amount": 1, "externalUniqueId": "key-0001"}

AMOUNTS = """
    amount                 | value
    1                      | 1
    1.00                   | 1
    1.0E7                  | 10000000
    0.01                   | 0.01
    "100.000"              | 100
    "00000000000000001"    | 1
    1.1000000000000000000  | 1.1
    12345678901234567      | 12345678901234567
    1e30                   | invalid-amount
    1e-30                  | invalid-amount
    1e99999999999          | invalid-amount
    1e-99999999999         | invalid-amount
    1e9999999999999999999  | invalid-amount
    0                      | invalid-amount
    0.0                    | invalid-amount
    -0                     | invalid-amount
    -1                     | invalid-amount
    0.00001                | invalid-amount
    true                   | invalid-amount
    null                   | invalid-amount
    [1]                    | invalid-amount
    {}                     | invalid-amount
    ""                     | invalid-amount
    " 1"                   | invalid-amount
    "+1"                   | invalid-amount
    "-1"                   | invalid-amount
    "1e3"                  | invalid-amount
    "1."                   | invalid-amount
    ".5"                   | invalid-amount
    "1,5"                  | invalid-amount
    "1_0"                  | invalid-amount
    "NaN"                  | invalid-amount
    "123456789012345678"   | invalid-amount
    "١"                    | invalid-amount
"""

MEMBERS = """
    member                | value                                    | pointer
    fromWalletId          | 5                                        | /fromWalletId
    fromWalletId          | ""                                       | /fromWalletId
    externalUniqueId      | "short"                                  | /externalUniqueId
    externalUniqueId      | true                                     | /externalUniqueId
    description           | 1                                        | /description
    sessionId             | "short"                                  | /sessionId
    externalId            | ""                                       | /externalId
    currency              | "usd"                                    | /currency
    currency              | "ZZZ"                                    | /currency
    currency              | "XAU"                                    | /currency
    metadata              | []                                       | /metadata
    metadata              | {"a": 1}                                 | /metadata/a
    metadata              | {"a": {"b": "c"}}                        | /metadata/a
    metadata              | {"a": null}                              | /metadata/a
    onlyCheck             | 1                                        | /onlyCheck
    onlyCheck             | "true"                                   | /onlyCheck
    unknown               | 1                                        | /unknown
    from_wallet_id        | "a"                                      | /from_wallet_id
"""


@cases(DOCUMENTS)
def test_documents_that_are_refused(row: dict[str, str]) -> None:
    with pytest.raises(Refusal) as refused:
        parse_document(row["body"].encode())
    assert refused.value.code == "invalid-request"
    (error,) = refused.value.errors
    assert row["detail"] in error["detail"]
    assert error["pointer"] == row["pointer"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff",
        b"\xef\xbb\xbf{}",
        '{"a": 1}'.encode("utf-16"),
        b"[" * 65_536,
        b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
        b'{"a": "\\u0041", "b":' + b"[" * 500 + b"]" * 500 + b"}",
        b'{"a": "\x00"}',
    ],
)
def test_bytes_that_are_no_document(body: bytes) -> None:
    with pytest.raises(Refusal) as refused:
        parse_document(body)
    assert refused.value.code == "invalid-request"


def test_numbers_are_lossless() -> None:
    document = parse_document(
        b'{"a": 0.1, "b": 1e2, "c": 9007199254740993, "d": 1' + b"0" * 5000 + b"}"
    )
    assert document["a"] == Decimal("0.1")
    assert document["b"] == Decimal(100)
    assert document["c"] == 9007199254740993
    assert isinstance(document["d"], Decimal)


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_no_bytes_are_a_defect(body: bytes) -> None:
    with contextlib.suppress(Refusal):
        assert isinstance(parse_document(body), dict)


def refusal_of(model: Any, document: dict[str, Any] | str) -> Refusal:
    body = document if isinstance(document, str) else json.dumps(document)
    with pytest.raises(Refusal) as refused:
        validated(model, parse_document(body.encode()))
    return refused.value


@cases(AMOUNTS)
def test_amounts(row: dict[str, str]) -> None:
    body = json.dumps({**TRANSFER, "amount": "AMOUNT"}).replace('"AMOUNT"', row["amount"])
    if row["value"] == "invalid-amount":
        refusal = refusal_of(NewTransfer, body)
        assert refusal.code == "invalid-amount"
        assert [e["pointer"] for e in refusal.errors] == ["/amount"]
    else:
        transfer = validated(NewTransfer, parse_document(body.encode()))
        assert transfer.amount == Decimal(row["value"])


@cases(MEMBERS)
def test_members_that_are_refused(row: dict[str, str]) -> None:
    refusal = refusal_of(NewTransfer, {**TRANSFER, row["member"]: json.loads(row["value"])})
    assert refusal.code == "invalid-request"
    assert [e["pointer"] for e in refusal.errors] == [row["pointer"]]


def test_lengths_are_in_characters() -> None:
    longest = {
        **TRANSFER,
        "externalUniqueId": "😀" * 200,
        "description": "😀" * 200,
        "sessionId": "😀" * 100,
        "externalId": "😀" * 200,
        "fromWalletId": "😀" * 100,
    }
    validated(NewTransfer, parse_document(json.dumps(longest).encode()))
    for member, text in longest.items():
        if isinstance(text, str) and len(text) > 1:
            refusal = refusal_of(NewTransfer, {**longest, member: text + "x"})
            assert [e["pointer"] for e in refusal.errors] == [f"/{member}"]


def test_metadata_is_bounded() -> None:
    twenty = {str(i): "x" for i in range(20)}
    validated(NewTransfer, {**TRANSFER, "metadata": twenty})
    refusal_of(NewTransfer, {**TRANSFER, "metadata": {**twenty, "more": "x"}})
    validated(NewTransfer, {**TRANSFER, "metadata": {"a": "x" * (2048 - len('{"a":""}'))}})
    refusal_of(NewTransfer, {**TRANSFER, "metadata": {"a": "x" * (2049 - len('{"a":""}'))}})
    refusal_of(NewTransfer, {**TRANSFER, "metadata": {"a": "é" * 1024}})


def test_all_that_is_wrong_is_said_at_once() -> None:
    refusal = refusal_of(NewTransfer, {"amount": 0, "metadata": {"a": 1}, "x": 1})
    assert refusal.code == "invalid-request"  # not the amount alone
    assert [e["pointer"] for e in refusal.errors] == ["/amount", "/metadata/a", "/x"]


def test_pointers_reach_into_groups() -> None:
    refusal = refusal_of(NewTransferGroup, {"transfers": [TRANSFER, {**TRANSFER, "amount": 0}]})
    assert refusal.code == "invalid-amount"
    assert refusal.detail == "/transfers/1/amount: must be greater than zero"
    refusal_of(NewTransferGroup, {"transfers": []})
    refusal_of(NewTransferGroup, {"transfers": [TRANSFER] * 101})
    refusal_of(NewTransferGroup, {"transfers": [{**TRANSFER, "onlyCheck": True}]})


def test_null_is_left_out_except_in_a_change() -> None:
    wallet = validated(NewWallet, {"currency": "ZAR", "name": None, "type": None})
    assert wallet.name is None
    for member in ("status", "name", "metadata", "minimumBalance"):
        refusal = refusal_of(WalletChange, {member: None})
        assert [e["pointer"] for e in refusal.errors] == [f"/{member}"]
    change = validated(WalletChange, {"minimumBalance": Decimal("-0.5")})
    assert change.model_fields_set == {"minimum_balance"}


@pytest.mark.parametrize("expires", ["2030-01-01", "soon", 5, None, "9999-12-31T23:59:59-14:00"])
def test_times_that_are_none(expires: object) -> None:
    body = {"amount": 1, "sessionId": "session-1", "expires": expires}
    assert refusal_of(NewReservation, body).detail.startswith("/expires")
