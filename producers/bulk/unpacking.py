"""From the bytes of an upload to lines of text, a piece at a time, whatever the file holds.

Memory stays bounded by the pieces and by one line: what unpacks to more than was allowed, what is
not UTF-8, and streams that are cut short refuse the file; a line that is too long costs that line.
"""

from __future__ import annotations

import codecs
import sys
import zlib
from collections.abc import Iterator
from typing import Final, Protocol

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

#: Longest line, in characters. No line of ours comes near: metadata has 2 KiB.
LINE_LIMIT: Final = 64 * 1024
_PIECE: Final = 128 * 1024
#: What is given to a library at a time. What it does not need it hands back as a copy: with a whole
#: megabyte of tiny members each would cost a megabyte.
_GIVEN: Final = 64 * 1024
#: RFC 9659: what a zstd stream over HTTP may make its reader remember.
_ZSTD_WINDOW_LOG: Final = 23
_UTF16: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class Unreadable(Exception):
    """The file as a whole cannot be used; the text says why, and where."""


class Unpacks(Protocol):
    def feed(self, data: bytes) -> Iterator[bytes]:
        """What the bytes unpack to, in pieces of bounded size, some of them empty: each is a
        bounded piece of work, behind which others may have their turn. Raises ``Unreadable``."""

    def end(self) -> None:
        """Raises ``Unreadable`` where the stream is not complete."""


def unpacker(encoding: str) -> Unpacks:
    """For a Content-Encoding: identity, gzip or zstd."""
    known: dict[str, type[Unpacks]] = {"identity": _Plain, "gzip": _Gzip, "zstd": _Zstd}
    return known[encoding]()


class _Plain:
    def feed(self, data: bytes) -> Iterator[bytes]:
        for start in range(0, len(data), _PIECE):
            yield data[start : start + _PIECE]

    def end(self) -> None:
        pass


class _Gzip:
    """Members one after the other, as ``gzip`` itself joins them."""

    def __init__(self) -> None:
        self._member = zlib.decompressobj(wbits=31)
        self._begun = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        for start in range(0, len(data), _GIVEN):
            yield from self._unpacked(data[start : start + _GIVEN])

    def _unpacked(self, data: bytes) -> Iterator[bytes]:
        more = True
        while data or more:
            if self._member.eof:
                if not data.strip(b"\0"):  # padding of tapes and blocks
                    return
                self._member = zlib.decompressobj(wbits=31)
            self._begun = True
            try:
                out = self._member.decompress(data, _PIECE)
            except zlib.error as error:
                raise Unreadable(f"is not gzip: {error}") from None
            data = self._member.unused_data if self._member.eof else self._member.unconsumed_tail
            # A full piece may have more behind it even where all input is taken.
            more = len(out) == _PIECE and not self._member.eof
            yield out

    def end(self) -> None:
        if self._begun and not self._member.eof:
            raise Unreadable("is a gzip stream that is cut short")


class _Zstd:
    """Frames one after the other."""

    def __init__(self) -> None:
        self._frame = self._fresh()
        self._begun = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        for start in range(0, len(data), _GIVEN):
            yield from self._unpacked(data[start : start + _GIVEN])

    def _unpacked(self, data: bytes) -> Iterator[bytes]:
        while True:
            if self._frame.eof:
                if not data:
                    return
                self._frame = self._fresh()
            self._begun = True
            try:
                out = self._frame.decompress(data, _PIECE)
            except zstd.ZstdError as error:
                raise Unreadable(f"is not zstd that can be read here: {error}") from None
            data = self._frame.unused_data if self._frame.eof else b""
            yield out
            if not self._frame.eof and self._frame.needs_input:
                return

    def end(self) -> None:
        if self._begun and not self._frame.eof:
            raise Unreadable("is a zstd stream that is cut short")

    @staticmethod
    def _fresh() -> zstd.ZstdDecompressor:
        options: dict[int, int] = {zstd.DecompressionParameter.window_log_max: _ZSTD_WINDOW_LOG}
        return zstd.ZstdDecompressor(options=options)


class Lines:
    """Bytes in, numbered lines out. Both ends of line are known: LF and CRLF."""

    def __init__(self, encoding: str, most_bytes: int) -> None:
        self._unpacker = unpacker(encoding)
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")("strict")
        self._most_bytes, self._bytes = most_bytes, 0
        self._carry: list[str] = []
        self._carried = 0
        self._next = 1

    def feed(self, data: bytes) -> Iterator[tuple[int, list[str | None]]]:
        """Stretches of whole lines, each with the number of its first, some of them empty: each is
        a bounded piece of work. Raises ``Unreadable``."""
        for piece in self._unpacker.feed(data):
            if self._bytes == 0 and piece.startswith(_UTF16):
                raise Unreadable("is UTF-16; it has to be UTF-8")
            self._bytes += len(piece)
            if self._bytes > self._most_bytes:
                raise Unreadable(f"unpacks to more than {self._most_bytes} bytes")
            yield from self._take(self._decode(piece, final=False))

    def end(self) -> Iterator[tuple[int, list[str | None]]]:
        """The last line, where it has no end. Raises ``Unreadable``."""
        self._unpacker.end()
        yield from self._take(self._decode(b"", final=True))
        if self._carry:
            last = self._whole("")
            yield self._next, [last]
            self._next += 1

    def _decode(self, piece: bytes, *, final: bool) -> str:
        try:
            return self._decoder.decode(piece, final)
        except UnicodeDecodeError as error:
            line = self._next + error.object[: error.start].count(b"\n")
            raise Unreadable(f"is not UTF-8: see line {line}") from None

    def _take(self, text: str) -> Iterator[tuple[int, list[str | None]]]:
        first, *rest = text.split("\n")
        if not rest:
            self._keep(first)
            yield self._next, []
            return
        whole: list[str | None] = [self._whole(first)]
        last = rest.pop()
        whole += [_bounded(line) for line in rest]
        yield self._next, whole
        self._next += len(whole)
        self._keep(last)

    def _keep(self, text: str) -> None:
        """The beginning of a line; of one that is too long nothing but that it is."""
        if text:
            self._carried += len(text)
            if self._carried <= LINE_LIMIT + 1:
                self._carry.append(text)
            elif not self._carry:
                self._carry.append("")

    def _whole(self, rest: str) -> str | None:
        carried, self._carried = self._carried + len(rest), 0
        line = "".join((*self._carry, rest)) if carried <= LINE_LIMIT + 1 else None
        self._carry.clear()
        return None if line is None else _bounded(line)


def _bounded(line: str) -> str | None:
    line = line.removesuffix("\r")
    return line if len(line) <= LINE_LIMIT else None
