"""Golden vectors of everything that outlives a process: a change here breaks queues and books."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

import msgspec
import pytest

from ledger import chain
from ledger.commands import (
    ChangeWallet,
    Command,
    CreateWallet,
    DiscardDeadLetter,
    PlaceReservation,
    PostTransfer,
    PostTransferGroup,
    ReleaseReservation,
    ReleaseSession,
    ReplayDeadLetter,
    ReverseTransfer,
    Submission,
    WalletRef,
)
from ledger.deployment import Layout
from ledger.outcomes import (
    DeadLetterDiscarded,
    Outcome,
    ReservationPlaced,
    ReservationsReleased,
    Result,
    TransferGroupPosted,
    TransferPosted,
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
from topology.command_ids import (
    CommandIds,
    InvalidCommandId,
    command_id_of,
    new_command_id,
    whole_milliseconds,
)
from topology.envelopes import (
    decode_commands,
    decode_outcomes,
    decode_reconciliation,
    encode_commands,
    encode_outcomes,
    encode_reconciliation,
    encode_submission,
)
from topology.errors import Malformed
from topology.partitions import partition_of

EIGHT = Layout(1, 8)
ONE, TWO, THREE = (UUID(f"01900000-0000-7000-8000-00000000000{n}") for n in (1, 2, 3))
MOMENT = datetime(2026, 3, 1, 12, 30, 45, 123456, tzinfo=UTC)

TRANSFER = PostTransfer(
    WalletRef(ONE), WalletRef(TWO), Decimal("100.5"), "key-000001", session_id="session-1"
)
COMMANDS: list[tuple[Command, int]] = [
    (TRANSFER, 1),
    (PostTransfer(WalletRef(None, "wallet-9"), WalletRef(ONE), Decimal(1), "key-000002"), 7),
    (PostTransferGroup((TRANSFER,), "group-01"), 1),
    (ReverseTransfer(THREE, ONE, TWO, "key-000003"), 1),
    (PlaceReservation(ONE, Decimal(1), "session-1", MOMENT, "hold-0001"), 1),
    (ReleaseReservation(ONE, THREE), 1),
    (ReleaseSession(ONE, "session-1"), 1),
    (ChangeWallet(ONE, WalletStatus.FROZEN), 1),
    (CreateWallet("wallet-9", "ZAR"), 7),
]

#: Later additions: the vectors of what came before stay as they are.
DEAD_LETTERS: list[tuple[Command, int]] = [
    (ReplayDeadLetter(THREE, TRANSFER), 1),
    (DiscardDeadLetter(THREE, "paid by hand"), 6),
]

POSTED = Transfer(
    transfer_id=THREE,
    command_id=ONE,
    external_unique_id="key-000001",
    from_wallet_id=ONE,
    to_wallet_id=TWO,
    amount_minor=10050,
    currency="ZAR",
    created=MOMENT,
    from_sequence=3,
    from_balance_minor=-50,
    to_sequence=9,
    to_balance_minor=20000,
    session_id="session-1",
    metadata={"till": "4"},
    released=(Release(THREE, ONE, "session-1", 10050, "ZAR"),),
)
RESERVED = Reservation(THREE, ONE, 5, "ZAR", "session-1", MOMENT, MOMENT, "hold-0001")
OPENED = WalletState(
    Wallet(ONE, "wallet-9", "ZAR", WalletType.STANDARD, WalletStatus.ACTIVE, -100, "RF00", MOMENT),
    Balance(0, 0, -100),
)
RESULTS: list[Result] = [
    TransferPosted(POSTED),
    TransferGroupPosted(TWO, (POSTED,), "group-01"),
    ReservationPlaced(RESERVED),
    ReservationsReleased(ONE, POSTED.released),
    WalletCreated(OPENED),
    Rejection(Code.DUPLICATE_TRANSFER, "twice", same_payload=True, transfer=POSTED),
]
OUTCOMES = [
    Outcome(ONE, 3, number, MOMENT, result, "key-1", first_event=number)
    for number, result in enumerate(RESULTS, start=1)
]


@pytest.mark.parametrize(
    ("command", "partition"),
    COMMANDS + DEAD_LETTERS,
    ids=[type(c).__name__ for c, _ in COMMANDS + DEAD_LETTERS],
)
def test_a_command_keeps_its_partition(command: Command, partition: int) -> None:
    assert partition_of(command, EIGHT) == partition


def test_partitions_are_used_evenly() -> None:
    used = [0] * 8
    for number in range(8000):
        used[partition_of(ReleaseSession(UUID(int=number), "session-1"), EIGHT)] += 1
    assert min(used) > 850
    assert max(used) < 1150


class TestCommandIds:
    ids = CommandIds(b"a secret of this installation")
    deadline = datetime(2026, 3, 1, 12, 30, 45, 123000, tzinfo=UTC)

    def test_it_carries_where_and_until_when(self) -> None:
        command_id = command_id_of(2, 200, self.deadline, b"\x01" * 8)
        assert command_id == UUID("019ca961-3183-02c8-0101-010101010101")
        token = self.ids.token(command_id)
        assert token == "agoksyjrqmbmqaibaeaqcaibafkha3lymwaa"
        address = self.ids.parse(token)
        assert address.command_id == command_id
        assert (address.layout, address.partition) == (2, 200)
        assert address.deadline == self.deadline

    def test_a_made_up_or_foreign_one_is_refused(self) -> None:
        token = self.ids.token(new_command_id(1, 0, self.deadline))
        foreign = CommandIds(b"another installation").token(new_command_id(1, 0, self.deadline))
        flipped = ("b" if token[5] == "a" else "a").join((token[:5], token[6:]))
        for wrong in (flipped, foreign, token[:-1], token + "a", "", "é" * 36, "0" * 36):
            with pytest.raises(InvalidCommandId):
                self.ids.parse(wrong)

    def test_deadlines_are_whole_milliseconds(self) -> None:
        assert whole_milliseconds(MOMENT) == self.deadline


def test_command_messages_are_read_back() -> None:
    submissions = tuple(
        Submission(TWO, MOMENT, MOMENT, "key-1", command, "trace") for command, _ in COMMANDS
    )
    body = encode_commands(1, MOMENT, "replies.x", map(encode_submission, submissions))
    message = decode_commands(body)
    assert message.submissions == submissions
    assert (message.layout, message.sent, message.reply_to) == (1, MOMENT, "replies.x")
    assert hashlib.sha256(body).hexdigest()[:16] == "8605d1e80bfdd1b4"


def test_commands_about_dead_letters_are_read_back() -> None:
    submissions = tuple(
        Submission(TWO, MOMENT, MOMENT, "key-1", command, None) for command, _ in DEAD_LETTERS
    )
    body = encode_commands(1, MOMENT, None, map(encode_submission, submissions))
    assert decode_commands(body).submissions == submissions
    assert hashlib.sha256(body).hexdigest()[:16] == "da59cd1f9dae4878"


def test_outcome_messages_are_read_back() -> None:
    body = encode_outcomes(OUTCOMES)
    assert decode_outcomes(body) == tuple(OUTCOMES)
    assert hashlib.sha256(body).hexdigest()[:16] == "8cb77e1121ce8913"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xc1",
        b"garbage",
        b"\x91" * 5000,
        msgspec.msgpack.encode((2, 1, MOMENT, None, ())),
        msgspec.msgpack.encode((1, 1, MOMENT, None, (), "one more")),
        msgspec.msgpack.encode((1, 1, MOMENT, None, ({"amount": 1.5},))),
        msgspec.msgpack.encode((1, 1, MOMENT, "q" * 256, ())),
    ],
    ids=[
        *("empty", "reserved", "text", "deep", "other version", "more fields", "no command"),
        "no queue has such a name",
    ],
)
def test_what_cannot_be_read_is_malformed(body: bytes) -> None:
    with pytest.raises(Malformed):
        decode_commands(body)
    with pytest.raises(Malformed):
        decode_outcomes(body)


def test_reconciliation_messages_are_read_back() -> None:
    body = encode_reconciliation("eclipse-1")
    assert body.hex() == "9201a965636c697073652d31"
    assert decode_reconciliation(body) == "eclipse-1"


@pytest.mark.parametrize("body", [b"", b"nonsense", bytes.fromhex("9202a161"), b"\x92\x01\xa0"])
def test_a_reconciliation_that_cannot_be_read_is_malformed(body: bytes) -> None:
    with pytest.raises(Malformed):
        decode_reconciliation(body)


def test_the_chain_is_what_it_always_was() -> None:
    assert chain.link(chain.GENESIS, OUTCOMES).hex()[:16] == "9967ca60f35a0d3d"


def test_a_discard_has_its_place_in_the_chain() -> None:
    discarded = Outcome(ONE, 3, 1, MOMENT, DeadLetterDiscarded(THREE, "paid by hand"), "key-1")
    assert decode_outcomes(encode_outcomes([discarded])) == (discarded,)
    assert chain.link(chain.GENESIS, [discarded]).hex()[:16] == "0f14e154c0c913da"


def test_the_chain_notices_every_field() -> None:
    first = OUTCOMES[0]
    before = chain.link(chain.GENESIS, [first])
    for field in Transfer.__struct_fields__:
        changed = msgspec.structs.replace(POSTED, **{field: _other(getattr(POSTED, field))})
        outcome = msgspec.structs.replace(first, result=TransferPosted(changed))
        assert chain.link(chain.GENESIS, [outcome]) != before, field
    for field in ("command_id", "partition", "number", "decided", "actor", "first_event"):
        outcome = msgspec.structs.replace(first, **{field: _other(getattr(first, field))})
        assert chain.link(chain.GENESIS, [outcome]) != before, field
    assert chain.link(before, [first]) != before


def _other(value: object) -> object:
    match value:
        case int():
            return value + 1
        case str():
            return value + "x"
        case datetime():
            return value.replace(microsecond=1)
        case UUID():
            return UUID(int=value.int ^ 1)
        case dict():
            return {**value, "more": "1"}
        case None:
            return ONE
        case _:
            return ()
