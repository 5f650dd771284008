"""What became of a command, as HTTP tells it: the same words now and whenever it is asked again."""

from __future__ import annotations

from typing import Final, assert_never
from uuid import UUID

from gateway import problems
from gateway.problems import Refusal
from gateway.response import Answer
from ledger.outcomes import (
    DeadLetterDiscarded,
    ReservationPlaced,
    ReservationsReleased,
    Result,
    TransferGroupPosted,
    TransferPosted,
    WalletChanged,
    WalletCreated,
)
from ledger.records import Transfer
from ledger.rejections import Rejection
from producers.commands import Pending
from topology import documents
from topology.command_ids import CommandIds
from topology.documents import Document, Documents

OK: Final = 200
CREATED: Final = 201
ACCEPTED: Final = 202
NO_CONTENT: Final = 204


class Answers:
    """Turns results into answers."""

    def __init__(self, command_ids: CommandIds) -> None:
        self._command_ids = command_ids
        self._documents = Documents(command_ids)

    def decided(self, command_id: UUID, result: Result, trace_id: str) -> Answer:
        """The answer to a write, or to whoever asks for its outcome later."""
        token = self._command_ids.token(command_id)
        match result:
            case Rejection():
                answer = self._refused(result, token, trace_id)
            case TransferPosted(transfer=transfer):
                location = f"/v1/transfers/{transfer.transfer_id}"
                answer = _created(self._documents.transfer(transfer), location)
            case TransferGroupPosted():
                answer = Answer(CREATED, self._group(result))
            case WalletCreated(state=state):
                location = f"/v1/wallets/{state.wallet.wallet_id}"
                answer = _created(documents.wallet(state), location)
            case WalletChanged(state=state):
                answer = Answer(OK, documents.wallet(state))
            case ReservationPlaced(reservation=r):
                location = f"/v1/wallets/{r.wallet_id}/reservations/{r.reservation_id}"
                answer = _created(documents.reservation(r), location)
            case ReservationsReleased():
                answer = Answer(NO_CONTENT)
            case DeadLetterDiscarded(dead_letter_id=letter_id, reason=reason):
                document = {"deadLetterId": str(letter_id), "status": "DISCARDED", "reason": reason}
                answer = Answer(OK, document)
            case _:
                assert_never(result)
        answer.headers += ((b"sov-command-id", token.encode()),)
        return answer

    def pending(self, pending: Pending) -> Answer:
        """202: it may have been accepted, and where to ask what became of it."""
        token = self._command_ids.token(pending.command_id)
        document = {
            "commandId": token,
            "status": "PENDING",
            "finalBy": documents.timestamp(pending.final_by),
        }
        headers = (
            (b"location", command_path(token).encode()),
            (b"sov-command-id", token.encode()),
        )
        return Answer(ACCEPTED, document, headers)

    def refusal(self, rejection: Rejection) -> Refusal:
        """A rejection that no command met: that of a check."""
        members: Document = {}
        if rejection.index is not None:
            members["index"] = rejection.index
        if rejection.same_payload is not None:
            members["samePayload"] = rejection.same_payload
        if rejection.transfer is not None:
            members["transfer"] = self._documents.transfer(rejection.transfer)
        if rejection.wallet is not None:
            members["wallet"] = documents.wallet(rejection.wallet)
        if rejection.reservation is not None:
            members["reservation"] = documents.reservation(rejection.reservation)
        if rejection.group_id is not None:
            members["groupId"] = str(rejection.group_id)
        if rejection.dead_letter_id is not None:
            members["deadLetterId"] = str(rejection.dead_letter_id)
        errors = []
        if rejection.pointer is not None:
            errors = [{"detail": rejection.detail, "pointer": _pointer(rejection)}]
        return Refusal(rejection.code, rejection.detail, errors=errors, members=members)

    def transfer(self, transfer: Transfer) -> Document:
        return self._documents.transfer(transfer)

    def _refused(self, rejection: Rejection, token: str, trace_id: str) -> Answer:
        # The command is what was refused; its own URI also says the same whenever it is asked.
        return problems.answer(
            self.refusal(rejection), instance=command_path(token), trace_id=trace_id
        )

    def _group(self, group: TransferGroupPosted) -> Document:
        return {
            "groupId": str(group.group_id),
            "externalUniqueId": group.external_unique_id,
            "transfers": [self._documents.transfer(t) for t in group.transfers],
        }


def command_path(token: str) -> str:
    return f"/v1/commands/{token}"


def _created(document: Document, location: str) -> Answer:
    return Answer(CREATED, document, ((b"location", location.encode()),))


def _pointer(rejection: Rejection) -> str:
    """The ledger points into the member of a group; the caller sent the whole group."""
    pointer = rejection.pointer or ""
    if rejection.index is None or pointer.startswith("/transfers/"):
        return pointer
    return f"/transfers/{rejection.index}{pointer}"
