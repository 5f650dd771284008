"""The rules of a transfer, as a banker would write them down."""

from __future__ import annotations

from datetime import timedelta

from ledger.books import TRANSFERS, KeySpace, Refusal
from ledger.commands import PostTransfer, WalletRef
from ledger.money import LIMIT_MINOR, format_minor
from ledger.outcomes import Result, TransferPosted
from ledger.rejections import Code, Rejection
from tests.tables import cases
from tests.unit.rulebooks import NOW, RuleBooks, minor, name_id, transfer


def answer(result: Result) -> str:
    if isinstance(result, Rejection):
        return result.code.value
    assert isinstance(result, TransferPosted)
    return f"posted, leaves {format_minor(result.transfer.from_balance_minor, 2)}"


@cases("""
    case                             | balance | minimum | held    | amount  | answer
    all that is there                | 100.00  | 0       | 0       | 100.00  | posted, leaves 0.00
    one cent more than there is      | 100.00  | 0       | 0       | 100.01  | insufficient-funds
    nothing there                    | 0       | 0       | 0       | 0.01    | insufficient-funds
    down to the minimum              | 100.00  | 40.00   | 0       | 60.00   | posted, leaves 40.00
    a cent into the minimum          | 100.00  | 40.00   | 0       | 60.01   | insufficient-funds
    into an agreed overdraft         | 100.00  | -50.00  | 0       | 150.00  | posted, leaves -50.00
    beyond the agreed overdraft      | 100.00  | -50.00  | 0       | 150.01  | insufficient-funds
    what is not reserved             | 100.00  | 0       | 30.00   | 70.00   | posted, leaves 30.00
    a cent of what is reserved       | 100.00  | 0       | 30.00   | 70.01   | insufficient-funds
    minimum and reservation together | 100.00  | 20.00   | 30.00   | 50.00   | posted, leaves 50.00
    a fraction of a cent             | 100.00  | 0       | 0       | 0.001   | invalid-amount
""")
def test_funds(row: dict[str, str]) -> None:
    books = RuleBooks()
    books.wallet("payer", row["balance"], minimum=row["minimum"])
    books.wallet("payee")
    if row["held"] != "0":
        books.hold("payer", row["held"])
    assert answer(books.decide(transfer("payer", "payee", row["amount"]))) == row["answer"]


@cases("""
    case                       | from    | to      | currency | answer
    active to active           | active  | other   |          | posted, leaves 90.00
    the currency it is in      | active  | other   | ZAR      | posted, leaves 90.00
    another currency           | active  | other   | USD      | currency-mismatch
    wallets of two currencies  | active  | dollars |          | currency-mismatch
    to itself                  | active  | active  |          | same-wallet
    from nowhere               | nobody  | other   |          | unknown-wallet
    to nowhere                 | active  | nobody  |          | unknown-wallet
    out of a frozen wallet     | frozen  | other   |          | wallet-frozen
    into a frozen wallet       | active  | frozen  |          | posted, leaves 90.00
    out of a closed wallet     | closed  | other   |          | wallet-closed
    into a closed wallet       | active  | closed  |          | wallet-closed
    frozen into closed         | frozen  | closed  |          | wallet-closed
    money out of the system    | system  | other   |          | posted, leaves -10.00
""")
def test_wallets(row: dict[str, str]) -> None:
    books = RuleBooks()
    books.wallet("active", "100.00")
    books.wallet("other")
    books.wallet("dollars", currency="USD")
    books.wallet("frozen", "100.00", status="FROZEN")
    books.wallet("closed", status="CLOSED")
    books.wallet("system", type="SYSTEM")
    command = transfer(row["from"], row["to"], "10.00", currency=row["currency"] or None)
    assert answer(books.decide(command)) == row["answer"]


@cases("""
    case                     | from session | amount | answer               | still held
    spends what it reserved  | mine-01      | 100.00 | posted, leaves 0.00  | 0.00
    spends less, frees all   | mine-01      | 10.00  | posted, leaves 90.00 | 0.00
    spends more than it has  | mine-01      | 100.01 | insufficient-funds   | 100.00
    another session          | other-1      | 0.01   | insufficient-funds   | 100.00
    no session               |              | 0.01   | insufficient-funds   | 100.00
""")
def test_a_session_is_released_by_its_transfer_and_only_then(row: dict[str, str]) -> None:
    books = RuleBooks()
    books.wallet("payer", "100.00")
    books.wallet("payee")
    books.hold("payer", "60.00", "mine-01")
    books.hold("payer", "40.00", "mine-01")
    command = transfer("payer", "payee", row["amount"], session_id=row["from session"] or None)
    result = books.decide(command)
    assert answer(result) == row["answer"]
    assert books.books.reserved[name_id("payer")] == minor(row["still held"])
    if isinstance(result, TransferPosted):
        assert len(result.transfer.released) == 2


def test_a_session_is_released_on_every_wallet() -> None:
    books = RuleBooks()
    books.wallet("payer", "100.00")
    books.wallet("guarantor", "100.00")
    books.wallet("payee")
    books.hold("payer", "100.00", "mine-01")
    books.hold("guarantor", "50.00", "mine-01")
    result = books.decide(transfer("payer", "payee", "100.00", session_id="mine-01"))
    assert isinstance(result, TransferPosted)
    released = {r.wallet_id: r.amount_minor for r in result.transfer.released}
    assert released == {name_id("payer"): 10_000, name_id("guarantor"): 5_000}
    assert books.books.reserved[name_id("guarantor")] == 0


def test_balances_and_amounts_have_a_limit() -> None:
    books = RuleBooks()
    limit = format_minor(LIMIT_MINOR, 2)
    books.wallet("system", type="SYSTEM")
    books.wallet("rich", limit)
    books.wallet("poor")
    assert answer(books.decide(transfer("system", "rich", "0.01"))) == "limit-exceeded"
    assert answer(books.decide(transfer("system", "poor", "900000000000000.01"))) == (
        "limit-exceeded"
    )
    assert answer(books.decide(transfer("system", "poor", limit))) == f"posted, leaves -{limit}"
    assert answer(books.decide(transfer("system", "rich", "0.01", "key-000002"))) == (
        "limit-exceeded"
    )


def test_money_has_the_digits_of_its_currency() -> None:
    books = RuleBooks()
    for currency in ("JPY", "BHD"):
        books.wallet(f"{currency} payer", "100", currency=currency)
        books.wallet(f"{currency} payee", currency=currency)
    yen = transfer("JPY payer", "JPY payee", "0.5")
    dinar = transfer("BHD payer", "BHD payee", "0.125")
    assert answer(books.decide(yen)) == "invalid-amount"
    result = books.decide(dinar)
    assert isinstance(result, TransferPosted)
    assert result.transfer.amount_minor == 125


@cases("""
    case                   | from  | amount | session | answer | same payload
    the very same          | payer | 10.0   |         | dup    | yes
    another amount         | payer | 10.01  |         | dup    | no
    another wallet         | third | 10     |         | dup    | no
    another session        | payer | 10     | sess-01 | dup    | no
    an impossible amount   | payer | 1000   |         | dup    | no
    an amount too fine     | payer | 0.001  |         | fine   |
""")
def test_a_key_moves_money_once(row: dict[str, str]) -> None:
    books = RuleBooks()
    books.wallet("payer", "100.00")
    books.wallet("third", "100.00")
    books.wallet("payee")
    first = books.decide(transfer("payer", "payee", "10.00"))
    assert isinstance(first, TransferPosted)
    again = books.decide(
        transfer(row["from"], "payee", row["amount"], session_id=row["session"] or None)
    )
    assert isinstance(again, Rejection)
    if row["answer"] == "fine":
        assert again.code is Code.INVALID_AMOUNT
        return
    assert again.code is Code.DUPLICATE_TRANSFER
    assert again.transfer == first.transfer
    assert again.same_payload is (row["same payload"] == "yes")


def test_a_refusal_does_not_use_the_key_up() -> None:
    books = RuleBooks()
    books.wallet("payer")
    books.wallet("payee")
    books.wallet("system", type="SYSTEM")
    assert answer(books.decide(transfer("payer", "payee", "10"))) == "insufficient-funds"
    books.decide(transfer("system", "payer", "10", "key-000002"))
    assert answer(books.decide(transfer("payer", "payee", "10"))) == "posted, leaves 0.00"


def test_what_was_issued_before_a_recorded_refusal_is_refused_with_it() -> None:
    books = RuleBooks()
    books.wallet("payer", "100.00")
    books.wallet("payee")
    told = Rejection(Code.WALLET_FROZEN, "was frozen then")
    refused = Refusal(NOW - timedelta(seconds=1), told)
    books.books.refusals[KeySpace(TRANSFERS, "key-000001")] = refused
    command = transfer("payer", "payee", "10")
    assert books.decide(command, issued=NOW - timedelta(seconds=2)) == told
    assert isinstance(books.decide(command, issued=NOW), TransferPosted)


def test_past_its_deadline_nothing_else_counts() -> None:
    books = RuleBooks()
    books.wallet("payer", "100.00")
    books.wallet("payee")
    books.decide(transfer("payer", "payee", "10"))
    late = books.decide(transfer("payer", "payee", "10"), deadline=NOW)
    assert answer(late) == "deadline-exceeded"
    unknown = books.decide(transfer("nobody", "payee", "0.001"), deadline=NOW)
    assert answer(unknown) == "deadline-exceeded"


def test_wallets_may_be_named_by_their_external_id() -> None:
    books = RuleBooks()
    books.wallet("payer", "100.00")
    books.wallet("payee")
    command = PostTransfer(
        from_wallet=WalletRef(external_unique_id="payer"),
        to_wallet=WalletRef(external_unique_id="payee"),
        amount=transfer("a", "b", "10").amount,
        external_unique_id="key-000001",
    )
    assert answer(books.decide(command)) == "posted, leaves 90.00"
