"""Payment files for a person to upload: pain.001 and CSV. Pure.

Both carry our reference where the bank copies it into the row of the account's own statement, for
by it the payout is settled. pain.001 is version 03, which is what banks take that take any.
"""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Final
from uuid import UUID
from xml.etree import ElementTree

from bank.investec.records import bank_day
from bank.payouts.orders import Payout
from ledger.money import exponent_of, format_minor

_NAMESPACE: Final = "urn:iso:std:iso:20022:tech:xsd:pain.001.001.03"
#: What all banks take in a name or a text (the EPC's and SWIFT's common set).
_UNCOMMON: Final = re.compile(r"[^A-Za-z0-9/\-?:().,'+ ]")
_NAME: Final = 70
_TEXT: Final = 140
#: A spreadsheet takes cells that begin so for formulas.
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")

_COLUMNS: Final = (
    *("beneficiaryName", "accountNumber", "branchCode", "amount", "currency"),
    *("myReference", "theirReference", "payoutId"),
)


class Format(StrEnum):
    PAIN_001 = "PAIN.001"
    CSV = "CSV"


@dataclass(frozen=True, slots=True)
class Debtor:
    """The account that pays."""

    name: str
    account_number: str
    currency: str


@dataclass(frozen=True, slots=True)
class Kind:
    """What a format is called where files have names and types."""

    media_type: bytes
    suffix: str
    write: Callable[[UUID, datetime, Debtor, Sequence[Payout]], bytes]


def pain_001(export_id: UUID, made: datetime, debtor: Debtor, payouts: Sequence[Payout]) -> bytes:
    """One batch of credit transfers, booked one by one so that each has its own row."""
    root = ElementTree.Element("Document", xmlns=_NAMESPACE)
    initiation = _child(root, "CstmrCdtTrfInitn")
    total = format_minor(sum(p.order.amount_minor for p in payouts), exponent_of(debtor.currency))
    header = _child(initiation, "GrpHdr")
    _leaf(header, "MsgId", export_id.hex)
    _leaf(header, "CreDtTm", made.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))
    _leaf(header, "NbOfTxs", str(len(payouts)))
    _leaf(header, "CtrlSum", total)
    _leaf(_child(header, "InitgPty"), "Nm", _common(debtor.name, _NAME))
    batch = _child(initiation, "PmtInf")
    _leaf(batch, "PmtInfId", export_id.hex)
    _leaf(batch, "PmtMtd", "TRF")
    _leaf(batch, "BtchBookg", "false")
    _leaf(batch, "NbOfTxs", str(len(payouts)))
    _leaf(batch, "CtrlSum", total)
    _leaf(batch, "ReqdExctnDt", bank_day(made).isoformat())
    _leaf(_child(batch, "Dbtr"), "Nm", _common(debtor.name, _NAME))
    account = _child(batch, "DbtrAcct")
    _leaf(_child(account, "Id", "Othr"), "Id", debtor.account_number)
    _leaf(account, "Ccy", debtor.currency)
    # The schema demands an agent; whoever takes the file in is the one.
    _leaf(_child(batch, "DbtrAgt", "FinInstnId", "Othr"), "Id", "NOTPROVIDED")
    for payout in payouts:
        _add_transfer(batch, payout)
    ElementTree.indent(root)
    text: bytes = ElementTree.tostring(root, encoding="UTF-8", xml_declaration=True)
    return text + b"\n"


def _add_transfer(batch: ElementTree.Element, payout: Payout) -> None:
    order = payout.order
    transfer = _child(batch, "CdtTrfTxInf")
    identity = _child(transfer, "PmtId")
    _leaf(identity, "InstrId", payout.my_reference)
    _leaf(identity, "EndToEndId", payout.my_reference)
    amount = _leaf(
        _child(transfer, "Amt"),
        "InstdAmt",
        format_minor(order.amount_minor, exponent_of(order.currency)),
    )
    amount.set("Ccy", order.currency)
    branch = _child(transfer, "CdtrAgt", "FinInstnId", "ClrSysMmbId")
    _leaf(_child(branch, "ClrSysId"), "Cd", "ZANCC")
    _leaf(branch, "MmbId", order.payee.branch_code)
    _leaf(_child(transfer, "Cdtr"), "Nm", _common(order.payee.name, _NAME))
    _leaf(_child(transfer, "CdtrAcct", "Id", "Othr"), "Id", order.payee.account_number)
    _leaf(_child(transfer, "RmtInf"), "Ustrd", _common(order.their_reference, _TEXT))


def csv_file(export_id: UUID, made: datetime, debtor: Debtor, payouts: Sequence[Payout]) -> bytes:
    """One line each; for banks whose own form is filled from a spreadsheet."""
    written = io.StringIO()
    lines = csv.writer(written, lineterminator="\r\n")
    lines.writerow(_COLUMNS)
    for payout in payouts:
        order, payee = payout.order, payout.order.payee
        amount = format_minor(order.amount_minor, exponent_of(order.currency))
        lines.writerow(
            [
                *(_cell(payee.name), payee.account_number, payee.branch_code),
                *(amount, order.currency, payout.my_reference),
                *(_cell(order.their_reference), str(payout.payout_id)),
            ]
        )
    return written.getvalue().encode()


KINDS: Final[Mapping[Format, Kind]] = MappingProxyType(
    {
        Format.PAIN_001: Kind(b"application/xml", "xml", pain_001),
        Format.CSV: Kind(b"text/csv", "csv", csv_file),
    }
)


def _child(parent: ElementTree.Element, *names: str) -> ElementTree.Element:
    for name in names:
        parent = ElementTree.SubElement(parent, name)
    return parent


def _leaf(parent: ElementTree.Element, name: str, text: str) -> ElementTree.Element:
    leaf = _child(parent, name)
    leaf.text = text
    return leaf


def _common(text: str, most: int) -> str:
    """In letters that every bank takes; accents are taken off, the rest becomes a full stop."""
    plain = unicodedata.normalize("NFKD", text)
    kept = "".join(c for c in plain if not unicodedata.combining(c))
    return _UNCOMMON.sub(".", kept)[:most].strip() or "."


def _cell(text: str) -> str:
    """Never a formula where the file is opened as a spreadsheet."""
    return f"'{text}" if text.startswith(_FORMULA) else text
