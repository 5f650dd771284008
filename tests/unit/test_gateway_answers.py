"""Outcomes as HTTP answers, and the documentation held against them."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from pydantic import BaseModel

from gateway import schemas
from gateway.answers import Answers
from ledger.outcomes import (
    DeadLetterDiscarded,
    ReservationPlaced,
    ReservationsReleased,
    Result,
    TransferGroupPosted,
    TransferPosted,
    WalletChanged,
    WalletCreated,
)
from ledger.records import (
    Balance,
    Release,
    Reservation,
    Transfer,
    Wallet,
    WalletState,
    WalletStatus,
    WalletType,
)
from ledger.rejections import Code, Rejection
from producers.commands import Pending
from tests.unit.gateway_calls import COMMAND_ID, COMMAND_IDS, NOW, wallet_id

TOKEN = COMMAND_IDS.token(COMMAND_ID)
ANSWERS = Answers(COMMAND_IDS)

TRANSFER = Transfer(
    transfer_id=UUID(int=1),
    command_id=COMMAND_ID,
    external_unique_id="key-0001",
    from_wallet_id=wallet_id(1),
    to_wallet_id=wallet_id(2),
    amount_minor=10050,
    currency="ZAR",
    created=NOW,
    from_sequence=1,
    from_balance_minor=-10050,
    to_sequence=1,
    to_balance_minor=10050,
    released=(Release(UUID(int=2), wallet_id(1), "session-1", 5, "ZAR"),),
)
SYSTEM = WalletState(
    Wallet(
        wallet_id=wallet_id(1),
        external_unique_id="wallet-1",
        currency="JPY",
        type=WalletType.SYSTEM,
        status=WalletStatus.ACTIVE,
        minimum_minor=None,
        reference="RF00",
        created=NOW,
    ),
    Balance(7, 0, None),
)
RESERVATION = Reservation(
    reservation_id=UUID(int=3),
    wallet_id=wallet_id(1),
    amount_minor=100,
    currency="ZAR",
    session_id="session-1",
    expires=NOW,
    created=NOW,
    external_unique_id="reservation-1",
)

SUCCESSES: list[tuple[Result, int, str | None, type[BaseModel] | None]] = [
    (TransferPosted(TRANSFER), 201, f"/v1/transfers/{UUID(int=1)}", schemas.Transfer),
    (TransferGroupPosted(UUID(int=4), (TRANSFER,), None), 201, None, schemas.TransferGroup),
    (WalletCreated(SYSTEM), 201, f"/v1/wallets/{wallet_id(1)}", schemas.Wallet),
    (WalletChanged(SYSTEM), 200, None, schemas.Wallet),
    (
        ReservationPlaced(RESERVATION),
        201,
        f"/v1/wallets/{wallet_id(1)}/reservations/{UUID(int=3)}",
        schemas.Reservation,
    ),
    (ReservationsReleased(wallet_id(1), ()), 204, None, None),
    (DeadLetterDiscarded(UUID(int=5), "paid by hand"), 200, None, schemas.Discarded),
]


@pytest.mark.parametrize(("result", "status", "location", "schema"), SUCCESSES)
def test_successes(
    result: Result, status: int, location: str | None, schema: type[BaseModel] | None
) -> None:
    answer = ANSWERS.decided(COMMAND_ID, result, "t")
    headers = dict(answer.headers)
    assert answer.status == status
    assert headers[b"sov-command-id"].decode() == TOKEN
    assert headers.get(b"location") == (location.encode() if location else None)
    if schema is None:
        assert answer.content is None
    else:
        schema.model_validate(answer.content)


def refused(**of: Any) -> dict[str, Any]:
    rejection = Rejection(**{"code": Code.INSUFFICIENT_FUNDS, "detail": "why", **of})
    answer = ANSWERS.decided(COMMAND_ID, rejection, "t")
    assert dict(answer.headers)[b"sov-command-id"].decode() == TOKEN
    assert isinstance(answer.content, dict)
    schemas.Problem.model_validate(answer.content)
    return answer.content


def test_a_refusal_names_its_command() -> None:
    document = refused()
    assert document["instance"] == f"/v1/commands/{TOKEN}"
    assert document["code"] == "insufficient-funds"
    assert "errors" not in document


def test_duplicates_carry_what_is_on_the_ledger() -> None:
    transfer = refused(code=Code.DUPLICATE_TRANSFER, transfer=TRANSFER, same_payload=True)
    schemas.Transfer.model_validate(transfer["transfer"])
    assert transfer["samePayload"] is True
    wallet = refused(code=Code.DUPLICATE_WALLET, wallet=SYSTEM, same_payload=False)
    schemas.Wallet.model_validate(wallet["wallet"])
    assert wallet["samePayload"] is False
    held = refused(code=Code.DUPLICATE_RESERVATION, reservation=RESERVATION, same_payload=True)
    schemas.Reservation.model_validate(held["reservation"])
    assert refused(code=Code.DUPLICATE_GROUP, group_id=UUID(int=4))["groupId"] == str(UUID(int=4))


def test_a_defect_names_its_dead_letter() -> None:
    document = refused(code=Code.INTERNAL, dead_letter_id=UUID(int=5))
    assert document["deadLetterId"] == str(UUID(int=5))
    assert document["status"] == 500


@pytest.mark.parametrize(
    ("index", "pointer", "told"),
    [
        (None, "/amount", "/amount"),
        (3, "/amount", "/transfers/3/amount"),
        (3, "/transfers/3/externalUniqueId", "/transfers/3/externalUniqueId"),
    ],
)
def test_pointers_are_into_what_the_caller_sent(index: int | None, pointer: str, told: str) -> None:
    document = refused(code=Code.INVALID_AMOUNT, index=index, pointer=pointer)
    assert document["errors"] == [{"detail": "why", "pointer": told}]
    assert document.get("index") == index


def test_pending() -> None:
    answer = ANSWERS.pending(Pending(COMMAND_ID, NOW))
    assert answer.status == 202
    schemas.PendingCommand.model_validate(answer.content)
    assert dict(answer.headers) == {
        b"location": f"/v1/commands/{TOKEN}".encode(),
        b"sov-command-id": TOKEN.encode(),
    }
