"""The ATM race of README, played over real HTTP, queue and database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from cli.stage import Json, Stage

_HOLD_S: Final = 3


class AtmRace:
    """The steps, each checked against what has to happen."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    def play(self) -> None:
        """From an empty wallet to the final books. Raises ``Unexpected``."""
        self._open_wallets()
        self._fund()
        atm = self._reserve_at_the_atm()
        self._lose_the_race()
        spent = self._spend_the_reservation(atm)
        self._retransmit(spent)
        self._let_one_expire()
        self._stage.show_books()

    def _open_wallets(self) -> None:
        self._stage.title(
            "Four wallets in ZAR; the bank's and the ATM's are the other side of money"
        )
        for name, kind in (
            ("bank", "SYSTEM"),
            ("atm", "SYSTEM"),
            ("customer", "STANDARD"),
            ("friend", "STANDARD"),
        ):
            self._stage.wallet(name, kind)

    def _fund(self) -> None:
        self._stage.title("The customer holds R1000")
        self._transfer("bank", "customer", "1000.00", "deposit", expect=201)
        self._stage.balance("customer", "1000.00", "1000.00")

    def _reserve_at_the_atm(self) -> str:
        self._stage.title("An ATM withdrawal reserves R1000 under a session")
        session = f"atm-{self._stage.run}"
        self._reserve(session, datetime.now(UTC) + timedelta(days=2), "withdrawal")
        self._stage.balance("customer", "1000.00", "0.00")
        return session

    def _lose_the_race(self) -> None:
        self._stage.title("At the same moment a transfer of R1000 to a friend arrives: refused")
        answer = self._transfer("customer", "friend", "1000.00", "to-friend", expect=422)
        self._stage.require(answer["code"] == "insufficient-funds", answer)

    def _spend_the_reservation(self, session: str) -> Json:
        self._stage.title(
            "The ATM's transfer names the session: it spends the reservation, atomically"
        )
        posted = self._transfer("customer", "atm", "1000.00", "cash", expect=201, sessionId=session)
        self._stage.require(len(posted["releasedReservations"]) == 1, posted)
        self._stage.balance("customer", "0.00", "0.00")
        return posted

    def _retransmit(self, posted: Json) -> None:
        self._stage.title("A retransmission of it moves nothing")
        again = self._transfer(
            "customer", "atm", "1000.00", "cash", expect=409, sessionId=posted["sessionId"]
        )
        is_it = again["code"] == "duplicate-transfer" and again["samePayload"]
        self._stage.require(is_it, again)
        self._stage.require(again["transfer"]["transferId"] == posted["transferId"], again)
        self._stage.balance("customer", "0.00", "0.00")

    def _let_one_expire(self) -> None:
        self._stage.title(
            f"Another reservation is never spent: after {_HOLD_S} s it is gone by itself"
        )
        self._transfer("bank", "customer", "1000.00", "deposit-2", expect=201)
        expires = datetime.now(UTC) + timedelta(seconds=_HOLD_S)
        self._reserve(f"never-{self._stage.run}", expires, "forgotten")
        self._stage.balance("customer", "1000.00", "0.00")
        self._stage.wait(
            lambda: self._stage.read("customer"),
            lambda balance: bool(balance["availableBalance"] == "1000.00"),
        )
        self._stage.balance("customer", "1000.00", "1000.00")

    def _transfer(
        self, source: str, target: str, amount: str, key: str, *, expect: int, **more: str
    ) -> Json:
        body = {
            "fromWalletId": self._stage.wallets[source]["walletId"],
            "toWalletId": self._stage.wallets[target]["walletId"],
            "amount": amount,
            "externalUniqueId": f"demo-{self._stage.run}-{key}",
            **more,
        }
        return self._stage.call("POST", "/v1/transfers", body, expect=expect)

    def _reserve(self, session: str, expires: datetime, key: str) -> Json:
        path = f"/v1/wallets/{self._stage.wallets['customer']['walletId']}/reservations"
        body = {
            "amount": "1000.00",
            "sessionId": session,
            "expires": expires.isoformat(),
            "externalUniqueId": f"demo-{self._stage.run}-{key}",
        }
        return self._stage.call("POST", path, body, expect=201)
