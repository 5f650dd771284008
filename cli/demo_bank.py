"""The bank's side, played against the simulated bank: deposits, suspense, a payout, the tie-out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import click
import httpx

from cli.home import Home
from cli.simulated_bank import NAME, SimulatedBank
from cli.stage import PATIENCE_S, Json, Stage
from cli.supervision import state

#: Somebody whom the account's holder has paid before, in the bank's own pages.
_PAYEE: Final = {"name": "Thandi Nkosi", "accountNumber": "62000000001", "branchCode": "580105"}


@contextmanager
def simulator(here: Home) -> Iterator[httpx.Client]:
    """The control interface of the bank that `up` runs. Raises ``ClickException`` where the bank is
    none that is simulated."""
    snapshot, port = state.read(here.state_file), here.kept.port(NAME)
    names = () if snapshot is None else {view.name for view in snapshot.processes}
    if NAME not in names or port is None:
        raise click.ClickException("no simulated bank runs here, and the demo plays with no other")
    with httpx.Client(base_url=SimulatedBank(here, port).url, timeout=PATIENCE_S) as client:
        yield client


class BankStory:
    """The steps, each checked against what has to happen."""

    def __init__(self, stage: Stage, bank: httpx.Client) -> None:
        self._stage, self._bank = stage, bank
        self._account: Json = {}

    def play(self) -> None:
        """From two deposits to the tie-out. Raises ``Unexpected``."""
        self._open()
        self._sloppy_reference()
        row = self._nobody_can_match()
        self._allocate(row)
        payout = self._pay_out()
        self._time_out(payout)
        self._settle(payout)
        self._tie_out()
        self._stage.show_books()

    def _open(self) -> None:
        stage = self._stage
        stage.title("A wallet inside one bank account, which the bank process follows")
        stage.wallet("tenant")
        stage.say(f"the tenant's payment reference: {stage.wallets['tenant']['reference']}")
        found = stage.wait(
            lambda: stage.call("GET", "/v1/bank/accounts", expect=200, role="reader", quiet=True),
            lambda page: bool(page["items"]),
        )
        self._account = found["items"][0]
        for name, role in (("control", "controlWalletId"), ("suspense", "suspenseWalletId")):
            path = f"/v1/wallets/{self._account[role]}"
            stage.wallets[name] = stage.call("GET", path, expect=200, quiet=True)
        self._play("beneficiaries", {**_paid_before(), "beneficiaryId": "demo-thandi"})

    def _sloppy_reference(self) -> None:
        stage = self._stage
        reference = stage.wallets["tenant"]["reference"]
        sloppy = f"rent {reference[:4].lower()} {reference[4:8]}-{reference[8:].lower()}!"
        stage.title(f"R1000 comes in as {sloppy!r}: found all the same")
        self._credit(1000_00, sloppy)
        stage.wait(lambda: stage.read("tenant"), lambda b: bool(b["currentBalance"] == "1000.00"))
        stage.balance("tenant", "1000.00", "1000.00")

    def _nobody_can_match(self) -> str:
        stage = self._stage
        words = f"thanks for lunch {stage.run}"
        stage.title(f"R250 comes in as {words!r}: nobody's, so it waits in suspense")
        self._credit(250_00, words)

        def suspense() -> Json:
            items = self._pages("/v1/suspense")
            mine = [item for item in items if item["description"] == words]
            return mine[0] if mine else {}

        item = stage.wait(suspense, bool)
        stage.say(f"suspense: {item['amount']} {item['currency']}, {item['description']!r}")
        row_id: str = item["rowId"]
        return row_id

    def _allocate(self, row_id: str) -> None:
        stage = self._stage
        stage.title("It is allocated to the tenant: one person asks, another one approves")
        share = {"walletId": stage.wallets["tenant"]["walletId"], "amount": "250.00"}
        body = {"kind": "ALLOCATE", "shares": [share], "reason": "proof of payment seen"}
        asked = stage.call("POST", f"/v1/suspense/{row_id}/actions", body, expect=202, role="bank")
        path = f"/v1/bank/actions/{asked['actionId']}"
        refused = stage.call("POST", f"{path}/approvals", {}, expect=403, role="operator")
        stage.require(refused["code"] == "forbidden", refused)
        stage.call("POST", f"{path}/approvals", {}, expect=200, role="approver")
        stage.wait(
            lambda: stage.call("GET", path, expect=200, role="reader", quiet=True),
            lambda action: bool(action["status"] == "DONE"),
        )
        stage.balance("tenant", "1250.00", "1250.00")

    def _pay_out(self) -> str:
        stage = self._stage
        stage.title(
            "R400 is to be paid to a bank account: held at once, approved by a second person"
        )
        body = {
            "walletId": stage.wallets["tenant"]["walletId"],
            "amount": "400.00",
            "externalUniqueId": f"demo-{stage.run}-payout",
            "beneficiary": _PAYEE,
            "theirReference": "Invoice 42",
        }
        held = stage.call("POST", "/v1/payouts", body, expect=201, role="bank")
        stage.balance("tenant", "1250.00", "850.00")
        path = f"/v1/payouts/{held['payoutId']}"
        # The bank will pay, and its answer will be lost on the way.
        self._play("faults", {"kind": "cut-after", "route": "payments"})
        stage.call("POST", f"{path}/approvals", {}, expect=200, role="approver")
        return path

    def _time_out(self, path: str) -> None:
        stage = self._stage
        stage.title(
            "The bank's answer is lost: nobody knows, so the money stays held, and nobody asks"
        )
        payout = self._payout(path, "UNKNOWN")
        stage.say(f"{payout['status']}: {payout['reason']}")
        stage.balance("tenant", "1250.00", "850.00")

    def _settle(self, path: str) -> None:
        stage = self._stage
        stage.title("Its debit row appears in the statement: settled, once")
        self._play("clock", {"advanceS": 10})
        self._fetch()
        payout = self._payout(path, "SETTLED")
        stage.say(f"{payout['status']}: {payout['myReference']}")
        stage.balance("tenant", "850.00", "850.00")

    def _tie_out(self) -> None:
        stage = self._stage
        stage.title("The bank charges a fee; then bank and books are held against each other")
        fee = {"type": "DEBIT", "transactionType": "FeesAndInterest"}
        self._credit(12_50, f"MONTHLY SERVICE CHARGE {stage.run}", **fee)
        rows = f"/v1/bank/rows?accountId={self._account['accountId']}"
        stage.wait(
            lambda: {"rows": self._pages(rows, most=1)},
            lambda found: all(row["status"] == "BOOKED" for row in found["rows"]),
        )
        now = datetime.now(UTC)
        # What the bank showed before the period was over proves nothing of its end.
        self._fetch()
        period = {"periodFrom": (now - timedelta(days=1)).isoformat(), "periodTo": now.isoformat()}
        asked = stage.call(
            "POST", "/v1/reconciliations", {"kind": "BANK", **period}, expect=202, role="bank"
        )
        path = f"/v1/reconciliations/{asked['reconciliationId']}"
        done = stage.wait(
            lambda: stage.call("GET", path, expect=200, role="reader", quiet=True),
            lambda found: found["status"] in ("DONE", "FAILED"),
        )
        stage.console.print(stage.text(f"{path}/report", role="reader"), soft_wrap=True)
        stage.require(done["agrees"] is True, done)

    def _payout(self, path: str, status: str) -> Json:
        stage = self._stage
        return stage.wait(
            lambda: stage.call("GET", path, expect=200, role="reader", quiet=True),
            lambda payout: bool(payout["status"] == status),
        )

    def _credit(self, cents: int, description: str, **more: Any) -> None:
        """Money moves at the bank, and the bank process is asked to look."""
        account = {"accountId": self._account["accountId"]}
        row = {**account, "amountCents": cents, "description": description, **more}
        self._play("rows", row)
        self._fetch()

    def _fetch(self) -> None:
        body = {"accountId": self._account["accountId"]}
        asked = self._stage.call("POST", "/v1/bank/fetches", body, expect=202, role="bank")
        path = f"/v1/bank/fetches/{asked['fetchId']}"
        self._stage.wait(
            lambda: self._stage.call("GET", path, expect=200, role="reader", quiet=True),
            lambda fetch: fetch["finished"] is not None,
        )

    def _pages(self, path: str, most: int = 100) -> list[Json]:
        """Items of up to so many pages."""
        items: list[Json] = []
        cursor: str | None = ""
        while cursor is not None and most:
            joint = "&" if "?" in path else "?"
            asked = f"{path}{joint}cursor={cursor}" if cursor else path
            page = self._stage.call("GET", asked, expect=200, role="reader", quiet=True)
            items += page["items"]
            cursor, most = page["nextCursor"], most - 1
        return items

    def _play(self, what: str, body: Json) -> None:
        answer = self._bank.post(f"/simulator/{what}", json=body)
        self._stage.say(f"[dim]the bank: {what} {body}[/]")
        self._stage.require(answer.status_code == httpx.codes.OK, {"bank": answer.text})


def _paid_before() -> Json:
    return {
        "name": _PAYEE["name"],
        "accountNumber": _PAYEE["accountNumber"],
        "code": _PAYEE["branchCode"],
        "lastPaid": "2026-01-02",
    }
