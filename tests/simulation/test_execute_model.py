"""``execute`` against the model: whatever is asked, in whatever batches, at whatever time.

Time is the heads': it stands a day ahead of the clock and moves only between batches, so that
expiries, deadlines and refusals are met to the microsecond, and an example plays the same twice.

``SOV_MODEL_EXAMPLES`` (100) and ``SOV_MODEL_STEPS`` (20) make longer runs; ``SOV_MODEL_SEED``
repeats one.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from typing import Any, ClassVar, TypeVar
from uuid import UUID

import asyncpg
import hypothesis
import pytest
from hypothesis import HealthCheck
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from consumers.applying import TRANSIENT
from consumers.writer import Writer
from ledger.audit import audit
from ledger.commands import ChangeWallet, Submission
from ledger.database import connect_owner
from ledger.execute import Assigned, execute
from ledger.outcomes import (
    Outcome,
    ReservationPlaced,
    TransferGroupPosted,
    TransferPosted,
)
from ledger.records import Transfer
from ledger.rejections import Rejection
from tests.databases import Database
from tests.integration.ledger_driver import LAYOUT
from tests.simulation import intents
from tests.simulation.intents import MICROSECOND, Again, Intent, Move, Open, Sent, View
from tests.simulation.model import Model
from tests.simulation.model_answers import in_words, learn
from tests.simulation.model_history import BEFORE_HISTORY, History
from topology.partitions import partition_of

DAY = timedelta(days=1)
_TRIES = 5
Answer = TypeVar("Answer")

_CLEAR = """
TRUNCATE wallets, transfers, entries, transfer_groups, reservations, outcomes, refused_keys, chain,
         dead_letters;
UPDATE heads SET next_number = 1, next_event = 1, last_hash = decode(repeat('00', 32), 'hex')
"""
_STAND = """
SELECT w.external_unique_id, w.balance_minor,
       w.balance_minor - coalesce(w.minimum_minor, 0) - coalesce(sum(r.amount_minor), 0)
  FROM wallets w
  LEFT JOIN reservations r
    ON r.wallet_id = w.wallet_id AND r.released IS NULL AND r.expires > $1
 GROUP BY w.wallet_id
"""
_LIVE = "SELECT external_unique_id FROM reservations WHERE released IS NULL AND expires > $1"


class Site:
    """Books that one example after the other uses, with an event loop to reach them."""

    def __init__(self, loop: asyncio.AbstractEventLoop, database: Database) -> None:
        self._loop = loop
        self._writer = Writer(database.writer, LAYOUT.number)
        self.owner: asyncpg.Connection[Any] = self.run(connect_owner(database.owner))
        for partition in range(LAYOUT.partitions):
            self.run(self._writer.take_over(partition))

    def execute(self, batch: list[Assigned]) -> list[Outcome]:
        """The outcomes of one transaction, run again where the connection was lost in it.

        On a machine that stalls for seconds the server ends an idle transaction, rightly.
        """
        return self.run(self._execute(batch))

    async def _execute(self, batch: list[Assigned]) -> list[Outcome]:
        for _ in range(_TRIES):
            with suppress(*TRANSIENT):
                return await execute(await self._writer.connection(), self._writer.fence, batch)
        raise AssertionError(f"no transaction came through in {_TRIES} tries")

    def run(self, asked: Coroutine[Any, Any, Answer]) -> Answer:
        return self._loop.run_until_complete(asked)

    def close(self) -> None:
        self.run(self._writer.close())
        self.run(self.owner.close(timeout=5))

    @classmethod
    @contextmanager
    def opened(cls, database: Database) -> Iterator[Site]:
        loop = asyncio.new_event_loop()
        site = cls(loop, database)
        try:
            yield site
        finally:
            site.close()
            loop.close()


class Execution(RuleBasedStateMachine):
    """Batches go to the ledger and to the model, and both must say the same."""

    site: ClassVar[Site]

    def __init__(self) -> None:
        super().__init__()
        self.model, self.history = Model(), History()
        self.sent: list[Submission] = []
        self.posted: list[Transfer] = []
        self.placed: list[tuple[UUID, UUID]] = []
        self.numbers: dict[int, int] = {}
        self.agreed = True
        self.site.run(self.site.owner.execute(_CLEAR))
        clock: datetime = self.site.run(self.site.owner.fetchval("SELECT clock_timestamp()"))
        self.now = clock.replace(microsecond=0) + DAY
        self.before = self.now

    @initialize()
    def open_books(self) -> None:
        """A few wallets with money, so that there is something to refuse."""
        opened: list[Intent] = [Open(n, n[-3:], True, "0") for n in intents.SYSTEMS]
        opened += [Open(name, "ZAR", False, "0") for name in intents.WALLETS[:3]]
        opened += [Open(intents.WALLETS[3], "ZAR", False, "-50")]
        opened += [Open(intents.WALLETS[4], "JPY", False, "0")]
        funds = [
            Move("system-ZAR", name, "100", 9000 + n, None, True, None)
            for n, name in enumerate(intents.WALLETS[:3])
        ]
        hour = timedelta(hours=1)
        self._submit([Sent(intent, 0, MICROSECOND, hour) for intent in (*opened, *funds)])

    @rule(step=intents.steps, batch=intents.batches)
    def batch(self, step: timedelta | None, batch: list[Sent]) -> None:
        self.before = self.now
        expiries = [self.model.reservations[key]["expires"] for key in self.model.live(self.now)]
        if step is None and expiries:
            self.now = min(expiries)
        else:
            self.now += step or timedelta(seconds=1)
        self._submit(batch)

    @rule()
    def sweep(self) -> None:
        """Tidy what has expired, as the consumer does from time to time: nobody may notice."""
        statement = "UPDATE reservations SET released = expires WHERE released IS NULL"
        self.site.run(self.site.owner.execute(f"{statement} AND expires <= $1", self.now))

    def _submit(self, batch: list[Sent]) -> None:
        self.agreed = False
        # Whoever decides next decides just after its head.
        head = self.now - MICROSECOND
        self.site.run(self.site.owner.execute("UPDATE heads SET decided_at = $1", head))
        assigned = [self._assign(sent) for sent in batch]
        outcomes = self.site.execute(assigned)
        for each, outcome in zip(assigned, outcomes, strict=True):
            self._compare(each, outcome)
        self._compare_books()
        self.agreed = True

    def _assign(self, sent: Sent) -> Assigned:
        submission = self._submission(sent)
        self.sent.append(submission)
        command = submission.command
        # Changes of one wallet keep to one partition: the audit goes by their order there.
        if isinstance(command, ChangeWallet):
            return Assigned(partition_of(command, LAYOUT), submission)
        return Assigned(sent.partition, submission)

    def _submission(self, sent: Sent) -> Submission:
        issued = self.before if sent.issued is None else self.now - sent.issued
        fresh_id = UUID(int=1000 + len(self.sent))
        intent = sent.intent
        if isinstance(intent, Again):
            earlier = self.sent[-1 - intent.which % len(self.sent)]
            if not intent.as_new:
                return earlier
            command = earlier.command
        else:
            command = intent.command(self._view())
        return Submission(fresh_id, issued, self.now + sent.deadline, "test", command)

    def _view(self) -> View:
        ids = {name: i for i, name in self.model.names.items() if name in self.model.wallets}
        transfers = [(t.transfer_id, t.from_wallet_id, t.to_wallet_id) for t in self.posted]
        return View(self.now, ids, transfers, self.placed)

    def _compare(self, assigned: Assigned, outcome: Outcome) -> None:
        submission = assigned.submission
        first = self.history.outcomes.get(submission.command_id)
        if first is not None:
            assert outcome == first, "a redelivered command meets its first outcome"
            return
        assert outcome.decided == self.now
        assert outcome.partition == assigned.partition
        number = self.numbers.get(outcome.partition, 0) + 1
        assert outcome.number == number
        self.numbers[outcome.partition] = number
        self._compare_answer(submission, outcome)
        self.history.record(submission, outcome, self.model.taken)
        self._remember(outcome)

    def _compare_answer(self, submission: Submission, outcome: Outcome) -> None:
        result = outcome.result
        bound = self.history.binding(submission)
        learn(result, self.model.names)
        foretold = self.model.judge(submission, outcome.decided, bound=bool(bound))
        if bound and foretold.get("code") not in BEFORE_HISTORY:
            assert result in bound, "a command issued before a refusal of its key meets it"
            return
        assert in_words(result, self.model.names) == foretold
        if isinstance(result, Rejection) and result.transfer is not None:
            assert result.transfer in self.posted, "a duplicate shows the original"

    def _remember(self, outcome: Outcome) -> None:
        match outcome.result:
            case TransferPosted(transfer=transfer):
                self.posted.append(transfer)
            case TransferGroupPosted(transfers=transfers):
                self.posted += transfers
            case ReservationPlaced(reservation=reservation):
                self.placed.append((reservation.reservation_id, reservation.wallet_id))
            case _:
                pass

    def _compare_books(self) -> None:
        rows = self.site.run(self.site.owner.fetch(_STAND, self.now))
        stand = {name: (balance, available) for name, balance, available in rows}
        assert stand == {
            name: (row["balance"], self.model.available(name, self.now))
            for name, row in self.model.wallets.items()
        }
        live = self.site.run(self.site.owner.fetch(_LIVE, self.now))
        assert sorted(row[0] for row in live) == self.model.live(self.now)

    def teardown(self) -> None:
        if not self.agreed:
            return
        # The audit goes by the clock, a day behind: what has expired by now, it still sees live.
        self.sweep()
        findings = self.site.run(audit(self.site.owner))
        assert [f for f in findings if not f.holds] == []


@pytest.mark.parametrize("slice_size", [1000, 2], ids=["at-once", "in-slices"])
def test_execute_does_what_the_model_foretells(
    database: Database, monkeypatch: pytest.MonkeyPatch, slice_size: int
) -> None:
    monkeypatch.setattr("ledger.execute.SLICE", slice_size)
    monkeypatch.setattr("ledger.execute._TURN", 1)
    seed = int(os.environ.get("SOV_MODEL_SEED") or random.randrange(2**32))
    print(f"SOV_MODEL_SEED={seed}")  # noqa: T201  repeats this very run
    settings = hypothesis.settings(
        max_examples=int(os.environ.get("SOV_MODEL_EXAMPLES", "100")),
        stateful_step_count=int(os.environ.get("SOV_MODEL_STEPS", "20")),
        deadline=None,
        database=None,
        print_blob=True,
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
    with Site.opened(database) as opened:

        @hypothesis.seed(seed)
        class Seeded(Execution):
            site = opened

        run_state_machine_as_test(Seeded, settings=settings)
