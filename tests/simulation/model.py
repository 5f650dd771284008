"""What the contract says about commands, written a second time: slowly, in plain dictionaries.

Nothing here comes from the ledger's rules. Wallets, transfers and reservations go by their keys;
the ids that the ledger made up are learned from its answers. A command is judged at the time at
which the ledger says it decided, and the whole answer is foretold but for those ids.
"""

from __future__ import annotations

import copy
from datetime import datetime
from typing import Any

from ledger.commands import (
    ChangeWallet,
    Command,
    CreateWallet,
    PlaceReservation,
    PostTransfer,
    PostTransferGroup,
    ReleaseReservation,
    ReleaseSession,
    ReverseTransfer,
    Submission,
)
from tests.simulation.model_books import DIGITS, LIMIT, Answer, Books, Refused, live, minor, shown


class Model(Books):
    """The books as they should be."""

    def judge(self, submission: Submission, at: datetime, *, bound: bool) -> Answer:
        """What becomes of the command at that time; done if it succeeds, else nothing is.

        A command that an earlier refusal binds is not done either (``History.binding``).
        """
        before = copy.deepcopy((self.wallets, self.transfers, self.reservations, self.groups))
        try:
            if at >= submission.deadline:
                raise Refused("deadline-exceeded")
            answer = self._do(submission.command, at)
            if bound:
                raise Refused("as before")
            return answer
        except Refused as refused:
            self.wallets, self.transfers, self.reservations, self.groups = before
            return refused.answer

    def _do(self, command: Command, at: datetime) -> Answer:
        match command:
            case CreateWallet():
                return self._create(command)
            case ChangeWallet():
                return self._change(command, at)
            case PostTransfer():
                return self._transfer(command, at)
            case PostTransferGroup():
                return self._group(command, at)
            case ReverseTransfer():
                return self._reverse(command, at)
            case PlaceReservation():
                return self._reserve(command, at)
            case ReleaseReservation():
                return self._release(command, at)
            case ReleaseSession():
                wallet = self.named(command.wallet_id)
                return self._released(wallet, self.held(command.session_id, at, wallet))
            case _:
                raise NotImplementedError(f"{type(command).__name__}: no intent sends one")

    def _create(self, command: CreateWallet) -> Answer:
        if command.currency not in DIGITS:
            raise Refused("invalid-request")
        key, kind = command.external_unique_id, command.type.value
        minimum = None if kind == "SYSTEM" else minor(command.minimum_balance, command.currency)
        wallet = {
            "currency": command.currency,
            "type": kind,
            "status": "ACTIVE",
            "minimum": minimum,
            "balance": 0,
            "sequence": 0,
        }
        if key in self.wallets:
            original = self.wallets[key]
            same = all(original[part] == wallet[part] for part in ("currency", "type", "minimum"))
            raise Refused("duplicate-wallet", same=same, original=key, state=shown(original))
        if minimum is not None and abs(minimum) > LIMIT:
            raise Refused("limit-exceeded")
        self.wallets[key] = wallet
        return {"kind": "WalletCreated", "wallet": key, "state": shown(wallet), "reserved": 0}

    def _change(self, command: ChangeWallet, at: datetime) -> Answer:
        name = self.named(command.wallet_id)
        row, was = self.wallets[name], dict(self.wallets[name])
        if command.status is not None:
            row["status"] = command.status.value
        if command.minimum_balance is not None:
            if row["type"] == "SYSTEM":
                raise Refused("invalid-request")
            row["minimum"] = minor(command.minimum_balance, row["currency"])
        held = self.reserved(name, at)
        if was["status"] == "CLOSED":
            raise Refused("wallet-closed")
        if row["status"] == "CLOSED" and (row["balance"] or held):
            raise Refused("wallet-not-empty")
        if row["minimum"] is not None:
            if abs(row["minimum"]) > LIMIT:
                raise Refused("limit-exceeded")
            if row["minimum"] > was["minimum"] and self.available(name, at) < 0:
                raise Refused("insufficient-funds")
        return {"kind": "WalletChanged", "wallet": name, "state": shown(row), "reserved": held}

    def _transfer(self, command: PostTransfer, at: datetime) -> Answer:
        source, target = self.find(command.from_wallet), self.find(command.to_wallet)
        key, session = command.external_unique_id, command.session_id
        amount = None
        if source is not None:
            amount = minor(command.amount, self.wallets[source]["currency"])
        self._refuse_used(key, (source, target, amount, session, None))
        if source is None or target is None or amount is None:
            raise Refused("unknown-wallet")
        self._refuse_wallets(source, target, command.currency)
        return self._post(key, source, target, amount, at, session=session)

    def _reverse(self, command: ReverseTransfer, at: datetime) -> Answer:
        original = self.names.get(command.transfer_id)
        if original is None:
            raise Refused("transfer-not-found")
        row, key = self.transfers[original], command.external_unique_id
        asked = None if command.amount is None else minor(command.amount, row["currency"])
        if key in self.transfers:
            used = self.transfers[key]
            self._refuse_used(
                key, (row["to"], row["from"], asked or used["amount"], None, original)
            )
        self._refuse_wallets(row["to"], row["from"], None)
        given_back = sum(
            t["amount"] for t in self.transfers.values() if t["reversal_of"] == original
        )
        left = row["amount"] - given_back
        amount = left if asked is None else asked
        if row["reversal_of"] is not None or left <= 0 or amount > left:
            raise Refused("reversal-exceeds-original")
        return self._post(key, row["to"], row["from"], amount, at, reversal_of=original)

    def _group(self, command: PostTransferGroup, at: datetime) -> Answer:
        key, members = command.external_unique_id, command.transfers
        if key in self.groups:
            raise Refused("duplicate-group")
        keys = [member.external_unique_id for member in members]
        for index, each in enumerate(keys):
            if each in keys[:index]:
                raise Refused("invalid-request", index=index)
        posted = []
        for index, member in enumerate(members):
            try:
                posted.append(self._transfer(member, at))
            except Refused as refused:
                refused.answer["index"] = index
                raise
        if key is not None:
            self.groups.add(key)
        return {"kind": "TransferGroupPosted", "key": key, "transfers": posted}

    def _refuse_used(self, key: str, payload: tuple[Any, ...]) -> None:
        """What a key stands for: from, to, amount, session and original."""
        if key in self.transfers:
            used = self.transfers[key]
            stands_for = tuple(used[n] for n in ("from", "to", "amount", "session", "reversal_of"))
            raise Refused("duplicate-transfer", same=stands_for == payload, original=key)

    def _refuse_wallets(self, source: str, target: str, currency: str | None) -> None:
        rows = self.wallets[source], self.wallets[target]
        if source == target:
            raise Refused("same-wallet")
        if len({rows[0]["currency"], rows[1]["currency"], currency or rows[0]["currency"]}) > 1:
            raise Refused("currency-mismatch")
        if "CLOSED" in (rows[0]["status"], rows[1]["status"]):
            raise Refused("wallet-closed")
        if rows[0]["status"] == "FROZEN":
            raise Refused("wallet-frozen")

    def _post(
        self,
        key: str,
        source: str,
        target: str,
        amount: int,
        at: datetime,
        *,
        session: str | None = None,
        reversal_of: str | None = None,
    ) -> Answer:
        debited, credited = self.wallets[source], self.wallets[target]
        spent = [] if session is None else self.held(session, at)
        for each in spent:
            self.reservations[each]["released"] = True
        if amount > LIMIT or credited["balance"] + amount > LIMIT:
            raise Refused("limit-exceeded")
        self.refuse_funds(source, amount, at)
        for row, signed in ((debited, -amount), (credited, amount)):
            row["balance"] += signed
            row["sequence"] += 1
        self.transfers[key] = {
            "from": source,
            "to": target,
            "amount": amount,
            "currency": debited["currency"],
            "session": session,
            "reversal_of": reversal_of,
        }
        return {
            "kind": "TransferPosted",
            "key": key,
            **self.transfers[key],
            "created": at,
            "from_entry": (debited["sequence"], debited["balance"]),
            "to_entry": (credited["sequence"], credited["balance"]),
            "released": self.amounts(spent),
        }

    def _reserve(self, command: PlaceReservation, at: datetime) -> Answer:
        if command.expires <= at:
            raise Refused("invalid-request")
        wallet, key = self.names.get(command.wallet_id), command.external_unique_id
        amount = None
        if wallet is not None:
            amount = minor(command.amount, self.wallets[wallet]["currency"])
        placed = {
            "wallet": wallet,
            "amount": amount,
            "session": command.session_id,
            "expires": command.expires,
            "released": False,
        }
        if key in self.reservations:
            used = {**self.reservations[key], "released": False}
            raise Refused("duplicate-reservation", same=used == placed, original=key)
        if wallet is None or amount is None:
            raise Refused("wallet-not-found")
        row = self.wallets[wallet]
        if command.currency not in (None, row["currency"]):
            raise Refused("currency-mismatch")
        if row["status"] != "ACTIVE":
            raise Refused(f"wallet-{row['status'].lower()}")
        if amount > LIMIT:
            raise Refused("limit-exceeded")
        self.refuse_funds(wallet, amount, at)
        self.reservations[key] = placed
        return {"kind": "ReservationPlaced", "key": key, **placed, "created": at}

    def _release(self, command: ReleaseReservation, at: datetime) -> Answer:
        wallet = self.named(command.wallet_id)
        key = self.names.get(command.reservation_id)
        row = self.reservations.get(key or "")
        if key is None or row is None or row["wallet"] != wallet or not live(row, at):
            raise Refused("reservation-not-found")
        return self._released(wallet, [key])

    def _released(self, wallet: str, keys: list[str]) -> Answer:
        for key in keys:
            self.reservations[key]["released"] = True
        return {"kind": "ReservationsReleased", "wallet": wallet, "released": self.amounts(keys)}
