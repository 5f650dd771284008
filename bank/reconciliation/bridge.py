"""From what Eclipse adds up to, term by term, to what moved here. Pure."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from decimal import Context, Decimal, Inexact
from enum import StrEnum
from typing import Final

from bank.reconciliation.extract import State
from bank.reconciliation.verdicts import Here, There
from ledger.money import exponent_of
from topology.documents import Document

#: Where neither the line nor its wallets say a currency.
UNKNOWN: Final = "?"
#: Wider than any file adds up to; what did not fit would be an error, and not be rounded.
_EXACT: Final = Context(prec=60, traps=[Inexact])


class Term(StrEnum):
    """In the order of a report."""

    THERE = "done, says the extract"
    MISSING_HERE = "less what never moved here"
    LISTED_TWICE = "less what is listed twice"
    ELSEWHERE = "less what moved here outside the period, or for others"
    MISSING_THERE = "and what the extract does not have"
    NOT_DONE = "and what the extract has as open, failed or reversed"
    DIFFERENT = "and the difference of what differs"
    HERE = "moved here in the period"


@dataclass(slots=True)
class _Sum:
    count: int = 0
    amount: Decimal = Decimal(0)


@dataclass(slots=True)
class Bridge:
    """Per currency: THERE and the terms between add up to HERE, or something was overlooked."""

    _terms: defaultdict[str, defaultdict[Term, _Sum]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(_Sum))
    )

    def add_pair(
        self, there: There | None, here: Here | None, line_currency: str | None, *, in_period: bool
    ) -> None:
        """One that is not the same on both sides. ``in_period``: the transfer is among those that
        HERE counts."""
        done = there is not None and there.state is State.DONE
        if here is not None and in_period:
            amount = major(here.amount_minor, here.currency)
            term = Term.MISSING_THERE if there is None else Term.NOT_DONE
            self.add(Term.DIFFERENT if done else term, here.currency, amount)
        if there is not None and done:
            self.add(
                _term_of(there, here, in_period),
                line_currency,
                -there.amount,
                counted=(here is None or not in_period),
            )

    def add(
        self,
        term: Term,
        currency: str | None,
        amount: Decimal,
        count: int = 1,
        *,
        counted: bool = True,
    ) -> None:
        total = self._terms[currency or UNKNOWN][term]
        total.amount = _EXACT.add(total.amount, amount)
        total.count += count if counted else 0

    def unexplained(self) -> dict[str, Decimal]:
        """By currency; empty where all terms add up."""
        found = {}
        for currency, terms in self._terms.items():
            rest = Decimal(0)
            for term, total in terms.items():
                sign = -total.amount if term is Term.HERE else total.amount
                rest = _EXACT.add(rest, sign)
            if rest:
                found[currency] = rest
        return found

    def documents(self) -> list[Document]:
        unexplained = self.unexplained()
        return [
            {
                "currency": currency,
                "terms": [
                    {
                        "term": term.value,
                        "count": terms[term].count,
                        "amount": written(terms[term].amount, currency),
                    }
                    for term in Term
                    if term in terms or term in (Term.THERE, Term.HERE)
                ],
                "unexplained": written(unexplained.get(currency, Decimal(0)), currency),
            }
            for currency, terms in sorted(self._terms.items())
        ]


def _term_of(there: There, here: Here | None, in_period: bool) -> Term:
    if not there.first:
        return Term.LISTED_TWICE
    if here is None:
        return Term.MISSING_HERE
    return Term.DIFFERENT if in_period else Term.ELSEWHERE


def major(minor: int, currency: str) -> Decimal:
    return Decimal(minor).scaleb(-exponent_of(currency), _EXACT)


def written(amount: Decimal, currency: str) -> str:
    """With the currency's digits, and more where there are more."""
    digits = 2 if currency == UNKNOWN else exponent_of(currency)
    finer = max(digits, -int(amount.normalize(_EXACT).as_tuple().exponent))
    return f"{amount:.{finer}f}"
