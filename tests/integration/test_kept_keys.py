"""The bank side's own keys, however often others name them."""

from __future__ import annotations

from uuid import UUID

from ledger.commands import Command, CreateWallet, PostTransferGroup
from ledger.kept import KEEPER
from ledger.records import WalletType
from ledger.rejections import Code, Rejection
from tests.integration.ledger_driver import Ledger, posted, reservation, submission, transfer

NAME = UUID(int=7)


async def test_it_never_meets_what_others_were_refused_under_its_keys(ledger: Ledger) -> None:
    """Whoever repeats such commands would else have refused what is on its way: bookings too."""
    alice, bob = await ledger.wallet("alice-01", "100"), await ledger.wallet("bob-0001")
    own: list[Command] = [
        transfer(alice, bob, "1", f"bank-row:{NAME}"),
        PostTransferGroup((transfer(alice, bob, "1", f"bank-action:{NAME}:1"),)),
        reservation(alice, "1", f"payout:{NAME}", f"payout:{NAME}"),
        CreateWallet("bank-control:1", "ZAR", WalletType.SYSTEM),
    ]
    on_its_way = [submission(each, actor=KEEPER) for each in own]
    others = [*own, transfer(bob, alice, "1000", f"bank-row:{NAME}")]
    refused = await ledger.run(*others)
    assert [each.code for each in refused if isinstance(each, Rejection)] == [
        *(Code.INVALID_REQUEST, Code.INVALID_REQUEST, Code.INVALID_REQUEST),
        *(Code.WALLET_FROZEN, Code.INSUFFICIENT_FUNDS),
    ]
    outcomes = await ledger.submit(*(submission(each) for each in others), *on_its_way)
    assert posted([outcome.result for outcome in outcomes[len(others) :]]) == [
        *("TransferPosted", "TransferGroupPosted", "ReservationPlaced", "WalletCreated")
    ]
    assert await ledger.connection.fetchval("SELECT count(*) FROM refused_keys") == 0


async def test_its_own_refusals_stay_true(ledger: Ledger) -> None:
    alice, bob = await ledger.wallet("alice-01"), await ledger.wallet("bob-0001")
    command = transfer(alice, bob, "1", f"bank-row:{NAME}")
    frozen = submission(command, actor=KEEPER)
    (refused,) = await ledger.submit(submission(command, actor=KEEPER))
    await ledger.do(transfer(await ledger.system(), alice, "1", "key-000001"))
    (thawed,) = await ledger.submit(frozen)
    assert isinstance(refused.result, Rejection)
    assert thawed.result == refused.result
