"""From what the ledger decided to the last word on a line."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final
from uuid import UUID

from ledger.commands import PostTransfer
from ledger.money import exponent_of, to_minor
from ledger.outcomes import Outcome, TransferPosted, WalletCreated
from ledger.records import Transfer
from ledger.rejections import TOO_LATE, Code, Rejection
from ledger.staged import LineResult, StagedLine, Word
from producers.bulk.currencies import Currencies

IsOwn = Callable[[StagedLine, UUID], bool]

_DETAIL: Final = 300


def unread(line: StagedLine) -> LineResult | None:
    """The result of a line that is no command; None for the others."""
    if line.flaw is None:
        return None
    return LineResult(
        line.number, line.flaw.key, Word.INVALID, None, line.flaw.code, line.flaw.detail
    )


def unsent(line: StagedLine, word: Word, detail: str) -> LineResult:
    """The result of a line that was never sent."""
    return unread(line) or LineResult(line.number, line.key, word, None, None, detail)


def result_of(line: StagedLine, outcome: Outcome, is_own: IsOwn) -> LineResult | None:
    """What became of the line; None where it was refused only because the partitions had changed
    while it was on its way, and may be sent again. ``is_own`` tells whether a command was this
    line's: what it posted under another id is no duplicate."""
    result = outcome.result
    match result:
        case TransferPosted(transfer=transfer):
            return LineResult(line.number, line.key, Word.POSTED, transfer.transfer_id)
        case WalletCreated(state=state):
            return LineResult(line.number, line.key, Word.POSTED, state.wallet.wallet_id)
        case Rejection(code=Code.UNAVAILABLE):
            return None
        case Rejection(transfer=Transfer() as original) if is_own(line, original.command_id):
            return LineResult(line.number, line.key, Word.POSTED, original.transfer_id)
        case Rejection():
            return rejected(line, result)
        case _:
            raise TypeError(f"a line cannot come to {type(result).__name__}")


def rejected(line: StagedLine, rejection: Rejection) -> LineResult:
    word = Word.EXPIRED if rejection.code is TOO_LATE.code else Word.REJECTED
    subject = rejection.transfer.transfer_id if rejection.transfer is not None else None
    if rejection.wallet is not None:
        subject = rejection.wallet.wallet.wallet_id
    return LineResult(
        line.number,
        line.key,
        word,
        subject,
        rejection.code.value,
        rejection.detail[:_DETAIL],
    )


class Amounts:
    """What was moved and what was not, by currency, in minor units."""

    def __init__(self) -> None:
        self.posted: dict[str, int] = {}
        self.rejected: dict[str, int] = {}

    @classmethod
    async def of(
        cls, currencies: Currencies, lines: Sequence[StagedLine], results: Sequence[LineResult]
    ) -> Amounts:
        """The currency of a line is its debit wallet's: a wallet that nobody knows has none."""
        amounts = cls()
        counted = [
            (line.command.from_wallet.wallet_id, line.command.amount, result.word)
            for line, result in zip(lines, results, strict=True)
            if isinstance(line.command, PostTransfer)
            and result.word in (Word.POSTED, Word.REJECTED)
        ]
        known = await currencies.of({wallet_id for wallet_id, _, _ in counted if wallet_id})
        for wallet_id, amount, word in counted:
            currency = None if wallet_id is None else known.get(wallet_id)
            minor = None if currency is None else to_minor(amount, exponent_of(currency))
            if currency is not None and minor is not None:
                sums = amounts.posted if word is Word.POSTED else amounts.rejected
                sums[currency] = sums.get(currency, 0) + minor
        return amounts
