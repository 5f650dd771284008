"""What the model of ``tests/simulation`` found: a batch that differed from its commands one by one.

Each case was a failing example there.
"""

from __future__ import annotations

from ledger.commands import ChangeWallet, CreateWallet, PostTransferGroup
from ledger.outcomes import Result, TransferGroupPosted, TransferPosted
from ledger.records import WalletStatus
from ledger.rejections import Code, Rejection
from tests.integration.ledger_driver import Ledger, reservation, submission, transfer


async def test_a_duplicate_wallet_is_shown_as_the_batch_left_it(ledger: Ledger) -> None:
    """What the answer says of the wallet takes in what the same batch did to it before."""
    alice, bob = await ledger.wallet("alice-01", "100"), await ledger.wallet("bob-0001")
    *_, duplicate = await ledger.run(
        transfer(alice, bob, "10", "key-000001"),
        reservation(alice, "20", "session-1", "hold-0001"),
        ChangeWallet(alice, WalletStatus.FROZEN, name="Alice"),
        CreateWallet("alice-01", "ZAR", name="Alice"),
    )
    assert isinstance(duplicate, Rejection)
    assert duplicate.code is Code.DUPLICATE_WALLET
    assert duplicate.same_payload
    assert duplicate.wallet is not None
    balance = duplicate.wallet.balance
    assert (balance.current_minor, balance.available_minor) == (9000, 7000)
    assert duplicate.wallet.wallet.status is WalletStatus.FROZEN


async def test_a_group_refused_as_duplicate_binds_its_other_keys(ledger: Ledger) -> None:
    """One member's key is on the ledger, and the group is refused; the other member's is not, and
    the caller was told that it did not move. An attempt issued before that stays refused."""
    alice, bob = await ledger.wallet("alice-01", "100"), await ledger.wallet("bob-0001")
    done = transfer(alice, bob, "1", "key-000001")
    other = transfer(alice, bob, "2", "key-000002")
    stuck = submission(other)
    await ledger.do(done)
    refused = await ledger.do(PostTransferGroup((done, other), "group-01"))
    assert code(refused) is Code.DUPLICATE_TRANSFER
    (thawed,) = await ledger.submit(stuck)
    assert thawed.result == refused
    assert await refusals_of(ledger, "key-000001") == 0
    assert isinstance(await ledger.do(other), TransferPosted)


async def test_retransmissions_of_a_posted_group_leave_no_refusals(ledger: Ledger) -> None:
    """All its keys are on the ledger, which refuses by itself: endless retries fill no table."""
    alice, bob = await ledger.wallet("alice-01", "100"), await ledger.wallet("bob-0001")
    group = PostTransferGroup((transfer(alice, bob, "1", "key-000001"),), "group-01")
    first, again = await ledger.run(group, group)
    assert isinstance(first, TransferGroupPosted)
    assert [code(again), code(await ledger.do(group))] == [Code.DUPLICATE_GROUP] * 2
    assert await ledger.connection.fetchval("SELECT count(*) FROM refused_keys") == 0


def code(result: Result) -> Code:
    assert isinstance(result, Rejection), result
    return result.code


async def refusals_of(ledger: Ledger, key: str) -> int:
    count: int = await ledger.connection.fetchval(
        "SELECT count(*) FROM refused_keys WHERE key = $1", key
    )
    return count
