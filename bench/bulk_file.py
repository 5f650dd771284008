"""A bulk file as a customer's job handles it: made, handed in, watched, its results read."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import IO, Any, Final, NamedTuple

import httpx

from bench.running import Running
from cli.bulk_calls import ENDED
from cli.servers.places import Say
from cli.servers.postgres_conf import MEBIBYTE

Document = dict[str, Any]

_HEADER: Final = "fromWalletId,toWalletId,amount,externalUniqueId\n"
_PIECE: Final = 256 * 1024
#: An end is seen so much too late at most: little beside the seconds of the smallest file.
_LOOK_EVERY_S: Final = 0.1
_TELL_EVERY_S: Final = 2.0
#: Storing the last piece, and the first rows of the results, on a machine that is busy.
_ANSWER_S: Final = 60.0
#: A file that is slower than this has stopped.
_START_S: Final = 60.0
_SLOWEST_PER_S: Final = 200
_POSTED: Final = b",POSTED,"
_COUNTS: Final = ("posted", "rejected", "invalid", "expired", "cancelled")


class Made(NamedTuple):
    """A CSV file of transfers of a cent."""

    path: Path
    lines: int
    size: int

    @property
    def mib(self) -> float:
        return self.size / MEBIBYTE


class Words(NamedTuple):
    """What a stream of results said, in lines."""

    lines: int
    posted: int


def make(path: Path, wallets: Sequence[str], lines: int, seed: int) -> Made:
    """Transfers between wallets drawn by chance, each with a key of its own. The seed is part of
    the keys: never use one twice on the same books."""
    chance = random.Random(seed)  # noqa: S311 - reproducible load, no secret
    with path.open("w") as file:
        file.write(_HEADER)
        for number in range(lines):
            source, target = chance.sample(wallets, 2)
            file.write(f"{source},{target},0.01,bulk-{seed}-{number:08}\n")
    return Made(path, lines, path.stat().st_size)


class Job:
    """One file on its way through a running system. Methods raise ``httpx.HTTPError``, and
    ``Ended`` where the system has."""

    def __init__(self, run: Running, made: Made, batch_id: str, say: Say) -> None:
        self._run, self._made, self._batch_id, self._say = run, made, batch_id, say
        self.decided = 0
        """How many lines had their word when we looked last."""

    async def hand_in(self) -> None:
        """Until the answer that all of it has arrived."""
        answer = await self._run.http.post(
            "/v1/batches",
            params={"batchId": self._batch_id},
            content=_pieces(self._made.path),
            headers={"Content-Type": "text/csv", "Content-Length": str(self._made.size)},
            timeout=_ANSWER_S,
        )
        answer.raise_for_status()

    async def ended(self) -> Document:
        """How it stands once every line has its word. Raises ``TimeoutError``."""
        return await self._until(lambda document: document["status"] in ENDED)

    async def begun(self) -> Document:
        """How it stands once lines of it are decided, or it has ended. Raises ``TimeoutError``."""
        return await self._until(lambda document: document["status"] in ENDED or self.decided > 0)

    async def document(self) -> Document:
        answer = await self._run.http.get(f"/v1/batches/{self._batch_id}", timeout=_ANSWER_S)
        document: Document = answer.raise_for_status().json()
        self.decided = sum(int(document[name]) for name in _COUNTS)
        return document

    async def cancel(self) -> None:
        """Send no more of it, and wait until nothing of it is on its way."""
        path = f"/v1/batches/{self._batch_id}/cancel"
        answer = await self._run.http.post(path, timeout=_ANSWER_S)
        if answer.status_code != httpx.codes.CONFLICT:  # it has ended by itself
            answer.raise_for_status()
        await self.ended()

    async def results(self) -> Words:
        """Read them to their end. Raises ``RuntimeError`` where they are not all there yet."""
        path = f"/v1/batches/{self._batch_id}/results"
        async with self._run.http.stream("GET", path, timeout=_ANSWER_S) as answer:
            answer.raise_for_status()
            if answer.headers["sov-results-complete"] != "true":
                raise RuntimeError("the results of a file that has ended are not complete")
            return await counted(answer.aiter_bytes())

    async def _until(self, is_so: Callable[[Document], bool]) -> Document:
        lines = self._made.lines
        began_s = now_s = time.monotonic()
        told_s = now_s - _TELL_EVERY_S
        async with asyncio.timeout(_START_S + lines / _SLOWEST_PER_S):
            while True:
                self._run.require_alive()
                document = await self.document()
                if is_so(document):
                    return document
                now_s = time.monotonic()
                if now_s - told_s >= _TELL_EVERY_S:
                    told_s = now_s
                    done = f"{self.decided:,} of {lines:,} lines"
                    self._say(f"  {document['status']}: {done} after {now_s - began_s:.0f} s")
                await asyncio.sleep(_LOOK_EVERY_S)


async def counted(parts: AsyncIterator[bytes]) -> Words:
    """Of results in CSV. By counting bytes, which is quick: a customer's parser is not what is
    measured."""
    ends = posted = 0
    rest = b""
    async for part in parts:
        whole, end, rest = (rest + part).rpartition(b"\n")
        ends += whole.count(b"\n") + len(end)
        posted += whole.count(_POSTED)
    return Words(ends - 1, posted)


async def _pieces(path: Path) -> AsyncIterator[bytes]:
    file: IO[bytes] = await asyncio.to_thread(path.open, "rb")
    try:
        while piece := await asyncio.to_thread(file.read, _PIECE):
            yield piece
    finally:
        file.close()
