"""Payment files: what stands in them, and what a bank or a spreadsheet must not stumble over."""

from __future__ import annotations

import csv
import dataclasses
import io
from datetime import UTC, datetime
from uuid import UUID
from xml.etree import ElementTree

import pytest

from bank.payouts.files import KINDS, Debtor, Format, csv_file, pain_001
from bank.payouts.orders import Payee, Payout
from tests.unit.test_payout_rows import payout

_MADE = datetime(2026, 3, 31, 22, 30, tzinfo=UTC)
_EXPORT = UUID(int=9)
_DEBTOR = Debtor("Store of Value (Pty) Ltd", "10010000001", "ZAR")
_SPACE = {"p": "urn:iso:std:iso:20022:tech:xsd:pain.001.001.03"}


def named(name: str, *, minor: int = 10_050, number: int = 1) -> Payout:
    made = payout(number, minor=minor)
    payee = Payee(name, "00620001", "250655")
    order = dataclasses.replace(made.order, payee=payee, their_reference="=1+1 & co")
    return dataclasses.replace(made, order=order)


def written(*payouts: Payout) -> ElementTree.Element:
    made = pain_001(_EXPORT, _MADE, _DEBTOR, payouts)
    return ElementTree.fromstring(made)  # noqa: S314  written by us, a line above


def texts(root: ElementTree.Element, path: str) -> list[str | None]:
    return [found.text for found in root.findall(path, _SPACE)]


def test_a_pain_001_says_everything_once_and_adds_up() -> None:
    root = written(named("Thandi"), named("Sipho", minor=5, number=2))
    assert texts(root, ".//p:NbOfTxs") == ["2", "2"]
    assert texts(root, ".//p:CtrlSum") == ["100.55", "100.55"]
    assert texts(root, ".//p:InstdAmt") == ["100.50", "0.05"]
    assert {found.get("Ccy") for found in root.findall(".//p:InstdAmt", _SPACE)} == {"ZAR"}
    assert texts(root, ".//p:EndToEndId") == ["PO000000000001", "PO000000000002"]
    assert texts(root, ".//p:CdtrAcct/p:Id/p:Othr/p:Id") == ["00620001"] * 2
    assert texts(root, ".//p:CdtrAgt/p:FinInstnId/p:ClrSysMmbId/p:MmbId") == ["250655"] * 2
    assert texts(root, ".//p:DbtrAcct/p:Id/p:Othr/p:Id") == ["10010000001"]
    # Half an hour past midnight where the bank is.
    assert texts(root, ".//p:ReqdExctnDt") == ["2026-04-01"]
    assert texts(root, ".//p:MsgId") == [_EXPORT.hex]


def test_elements_stand_in_the_order_that_the_schema_demands() -> None:
    root = written(named("Thandi"))

    def names(path: str) -> list[str]:
        found = root.find(path, _SPACE)
        assert found is not None
        return [child.tag.partition("}")[2] for child in found]

    assert names(".//p:GrpHdr") == ["MsgId", "CreDtTm", "NbOfTxs", "CtrlSum", "InitgPty"]
    assert names(".//p:PmtInf") == [
        *("PmtInfId", "PmtMtd", "BtchBookg", "NbOfTxs", "CtrlSum", "ReqdExctnDt"),
        *("Dbtr", "DbtrAcct", "DbtrAgt", "CdtTrfTxInf"),
    ]
    assert names(".//p:CdtTrfTxInf") == ["PmtId", "Amt", "CdtrAgt", "Cdtr", "CdtrAcct", "RmtInf"]


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Thandi Nkosi", "Thandi Nkosi"),
        ("André Müller-Ñandú", "Andre Muller-Nandu"),
        ("O'Neil & Sons <Pty>", "O'Neil . Sons .Pty."),
        ("日本", ".."),
        ("x" * 100, "x" * 70),
    ],
)
def test_names_are_in_letters_that_every_bank_takes(name: str, shown: str) -> None:
    assert texts(written(named(name)), ".//p:Cdtr/p:Nm") == [shown]


def test_a_csv_is_no_program() -> None:
    for name in ("=HYPERLINK(1)", "+1", "-1", "@x"):
        lines = csv_file(_EXPORT, _MADE, _DEBTOR, [named(name)]).decode()
        (row,) = csv.DictReader(io.StringIO(lines))
        assert row["beneficiaryName"] == f"'{name}"
        assert row["theirReference"] == "'=1+1 & co"
        assert (row["amount"], row["accountNumber"]) == ("100.50", "00620001")


def test_every_format_can_be_written() -> None:
    assert set(KINDS) == set(Format)
