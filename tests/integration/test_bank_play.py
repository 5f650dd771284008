"""Whatever the simulated bank does with its rows, in the end the books agree with it."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from decimal import Decimal
from pathlib import Path

import pytest

from tests.integration.banks import Branch, branch
from tests.servers import Servers

STEPS = 30
MOVES = (
    *("credit", "credit", "credit", "debit", "pending", "unnumbered"),
    *("settle", "renumber", "rewrite", "fetch", "restart"),
)


@pytest.fixture
async def town(servers: Servers, template: str, tmp_path: Path) -> AsyncIterator[Branch]:
    async with branch(servers, template, tmp_path) as ready:
        yield ready


class Game:
    """Few amounts and few words, so that rows are easily taken for one another."""

    def __init__(self, town: Branch, seed: int, words: list[str]) -> None:
        self._town, self._random, self._words = town, random.Random(seed), words
        self._waiting: list[int] = []
        self._posted: list[int] = []
        self._touched: set[int] = set()
        """Since the last look. A row that is renumbered and reworded at once is another one to
        everybody, and waits for people."""
        self._reworded = 0

    async def move(self, what: str) -> None:
        play, choose = self._town.play, self._random.choice
        cents, words = choose((10_00, 20_00)), choose(self._words)
        match what:
            case "credit":
                self._posted += await play.credit(cents, words, times=choose((1, 1, 2)))
            case "debit":
                self._posted += await play.credit(cents, "FEE", type="DEBIT")
            case "pending":
                self._waiting += await play.credit(cents, words, settles="later")
            case "unnumbered":
                self._waiting += await play.credit(cents, words, settles="unnumbered")
            case "settle" if self._waiting:
                self._posted.append(self._waiting.pop())
                await play.change(self._posted[-1], "settle")
            case "renumber" if rest := self._untouched():
                await play.change(self._touch(choose(rest)), "renumber")
            case "rewrite" if rest := self._untouched():
                self._reworded += 1
                other = f"other words {self._reworded}"
                await play.change(self._touch(choose(rest)), "rewrite", description=other)

    def looked_at(self) -> None:
        self._touched.clear()

    def _untouched(self) -> list[int]:
        return [row_id for row_id in self._posted if row_id not in self._touched]

    def _touch(self, row_id: int) -> int:
        self._touched.add(row_id)
        return row_id

    async def settle_all(self) -> int:
        while self._waiting:
            await self.move("settle")
        return len(self._posted)


@pytest.mark.parametrize("seed", range(3))
async def test_whatever_the_bank_plays_the_books_agree_with_it(town: Branch, seed: int) -> None:
    await town.running.wallet("alice-01")
    await town.running.wallet("bob-0001")
    await town.play.assume(running_balance="recomputed", order="shuffled")
    words = [await town.reference("alice-01"), await town.reference("bob-0001"), "rent", "may"]
    game, chosen = Game(town, seed, words), random.Random(seed)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(town.bank(bank_poll_s=3600))
        for _ in range(STEPS):
            move = chosen.choice(MOVES)
            if move == "fetch":
                await town.fetch()
                game.looked_at()
            elif move == "restart":
                await stack.aclose()
                await stack.enter_async_context(town.bank(bank_poll_s=3600))
            else:
                await game.move(move)
        rows = await game.settle_all()
        await town.fetch()
        await town.booked(rows)
    (account,) = (await town.play.state())["accounts"]
    assert -await town.control() == Decimal(account["currentCents"]) / 100
    await town.assert_ties()
    kinds = {kind for kind, _ in await town.exceptions()}
    assert kinds <= {"MOVED", "CHANGED", "GAP"}
    still_open = [kind for kind, resolved in await town.exceptions() if not resolved]
    assert "GAP" not in still_open
