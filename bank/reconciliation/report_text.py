"""A report as a person reads it. Pure: from the JSON one, and the first differences."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from topology.documents import Document
from topology.texts import clean

_AMOUNT: Final = 22
_TERM: Final = 58
_COUNT: Final = 10
#: Of each list of rows; the JSON report has more of them.
_LISTED: Final = 50


def written(report: Document, differences: Sequence[Document], count: int) -> str:
    """Lines of text; ``count`` differences there are in all, of which the first are given."""
    lines = [*_head(report, count)]
    if report["kind"] == "BANK":
        for account in report["accounts"]:
            lines += ["", *_account(account)]
        for currency in report["currencies"]:
            lines += ["", *_owed(currency)]
    else:
        lines += ["", *_extract(report)]
        for currency in report["currencies"]:
            lines += ["", f"In {currency['currency']}", *_terms(currency)]
    lines += ["", *_differences(report, differences, count)]
    # Keys and descriptions are texts of others: none of them begins a line of its own.
    return "\n".join(map(clean, lines)) + "\n"


def _head(report: Document, count: int) -> Iterator[str]:
    verdict = "both sides agree" if report["agrees"] else f"{count} differences"
    if not report["agrees"] and not count:
        verdict = "the sums do not agree"
    yield f"Reconciliation {report['reconciliationId']} ({report['kind']}): {verdict}"
    yield f"Period      {report['periodFrom']} until before {report['periodTo']}"
    yield f"Books as at {report['snapshotAt']}, complete until {report['completeUntil']}"


def _extract(report: Document) -> Iterator[str]:
    extract = report["extract"]
    states = ", ".join(f"{name} {n}" for name, n in extract["states"].items() if n) or "none"
    yield f"Extract     {extract['lines']} lines ({states}; unreadable {extract['unreadable']})"
    yield f"Books       {report['transfers']} transfers in the period, by {_who(report)}"


def _who(report: Document) -> str:
    return "anybody" if report["madeBy"] == "ANYBODY" else "keys of eclipse and operators"


def _account(account: Document) -> Iterator[str]:
    name, control = account["accountId"], account["controlExternalUniqueId"]
    until = account.get("followedUntil")
    told = "" if until is None else f", not followed since {until[:10]}"
    yield f"Account {name} ({account['currency']}), control wallet {control}{told}"
    last = account["lastRow"]
    if last is None:
        yield "  no row tells a balance by then"
    else:
        yield f"  last row that tells a balance: {last['postingDate']} number {_number(last)}"
    yield from _terms(account)
    yield from _rows("In transit", account["inTransit"], account["inTransitCount"])
    charges = f"Booked by the bank itself in the period, {account['chargesAmount']} in all"
    yield from _rows(charges, account["charges"], account["chargesCount"])


def _owed(currency: Document) -> Iterator[str]:
    yield f"Owed by all banks in {currency['currency']}: {currency['owed']}, and to whom"
    yield from _terms(currency)


def _terms(document: Document) -> Iterator[str]:
    for term in document["terms"]:
        yield _line(term["term"], term["count"], term["amount"])
    yield _line("unexplained", None, document["unexplained"])


def _line(term: str, count: int | None, amount: str) -> str:
    shown = "" if count is None else str(count)
    return f"  {term:<{_TERM}}{shown:>{_COUNT}}{amount:>{_AMOUNT}}"


def _rows(title: str, rows: Sequence[Document], count: int) -> Iterator[str]:
    yield f"  {title}: {count or 'none'}"
    for row in rows[:_LISTED]:
        place = f"{row['postingDate']} number {_number(row)}"
        why = f"  ({row['why']})" if row.get("why") else ""
        yield f"    {place:<28}{row['amount']:>{_AMOUNT}}  {row['description']}{why}"
    yield from _more(count - min(len(rows), _LISTED))


def _number(row: Document) -> object:
    return "-" if row["postedOrder"] is None else row["postedOrder"]


def _differences(report: Document, found: Sequence[Document], count: int) -> Iterator[str]:
    if not count:
        yield "No differences."
        return
    kinds = ", ".join(f"{kind} {n}" for kind, n in sorted(report["differences"].items()))
    yield f"Differences: {kinds}"
    for difference in found:
        yield ""
        yield f"{difference['number']}. {difference['kind']}  {_named(difference)}"
        yield from (f"   {side}" for side in _sides(difference))
        yield f"   -> {difference['whatToDo']}"
    yield from _more(count - len(found))


def _named(difference: Document) -> str:
    names = (
        ("externalUniqueId", ""),
        ("line", "line "),
        ("transferId", "transfer "),
        ("rowId", "row "),
    )
    known = (f"{word}{difference[name]}" for name, word in names if difference.get(name))
    return ", ".join(known)


def _sides(difference: Document) -> Iterable[str]:
    for side in ("there", "here"):
        if difference.get(side):
            members = ", ".join(f"{k} {v}" for k, v in difference[side].items() if v is not None)
            yield f"{side}: {members}"
    if "amount" in difference:
        place = f"{difference.get('postingDate') or 'no row'}"
        text = difference.get("description") or ""
        moved = difference.get("moved") or "nothing"
        yield f"bank: {place}, amount {difference['amount']}, moved here {moved}  {text}".rstrip()
    if difference.get("detail"):
        yield str(difference["detail"])


def _more(count: int) -> Iterator[str]:
    if count > 0:
        yield f"    and {count} more"
