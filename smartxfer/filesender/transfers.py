"""``client.transfers``: list, find, change, extend, close and delete the user's transfers; their recipients.

Source: FileSender protocol, sections 7 and 10.
"""

import datetime as dt
from typing import Any, Callable, List, Mapping, Optional, Union

from smartxfer.errors import UsageError
from smartxfer.filesender.addresses import check_address
from smartxfer.filesender.calls import Calls, about
from smartxfer.filesender.completion import complete
from smartxfer.filesender.ids import Moment, RecipientId, TransferId, id_of
from smartxfer.filesender.models import AuditEntry, Recipient, Transfer
from smartxfer.filesender.request_body import Extra, check_update
from smartxfer.filesender.request_types import TransferUpdate
from smartxfer.reprs import Namespace
from smartxfer.secret_text import hides

__all__ = ["TransfersClient"]


@hides("link")
class TransfersClient(Namespace):
    """Lists, changes and removes a user's transfers.

    Wherever a transfer or a recipient is wanted, its structure or its id is accepted.

    :param calls: returns the calls of a user whose credentials are known.
    :param token_of: returns the token of a download link.
    """

    def __init__(self, calls: Callable[[], Calls], token_of: Callable[[Any], str]) -> None:
        self._calls = calls
        self._token_of = token_of

    def list(self, everybody: bool = False) -> List[Transfer]:
        """Return the user's available transfers, newest first, with those of the user's guests.

        :param everybody: those of all users; for administrators.
        """
        found = self._calls().ask("GET", "transfer/@all" if everybody else "transfer").json(list)
        return [Transfer.from_wire(one) for one in found]

    def find(
        self,
        subject: Optional[str] = None,
        *,
        recipient: Optional[str] = None,
        file: Optional[str] = None,
        link: Optional[str] = None,
    ) -> List[Transfer]:
        """Return the available transfers that match, newest first; they are compared on this side.

        :param subject: text in the subject, in any case of letters.
        :param recipient: address of a recipient.
        :param file: name of a file, folders included.
        :param link: a download link, or its token.
        :raises UsageError: nothing to look for.
        """
        if subject is recipient is file is link is None:
            raise UsageError("say what to look for: subject, recipient=, file= or link=")
        token = self._token_of(link) if link is not None else None

        def matches(transfer: Transfer) -> bool:
            people = transfer.recipients
            return (
                (subject is None or subject.lower() in (transfer.subject or "").lower())
                and (recipient is None or any((p.email or "").lower() == recipient.lower() for p in people))
                and (file is None or any(one.name == file for one in transfer.files))
                and (token is None or any(one.token == token for one in people))
            )

        return [transfer for transfer in self.list() if matches(transfer)]

    def get(self, transfer_id: TransferId) -> Transfer:
        """Return one of the user's own transfers, also a closed one."""
        return self._calls().get_transfer(id_of(transfer_id))

    def update(
        self, transfer_id: TransferId, body: TransferUpdate, *, extra: Extra = None
    ) -> Transfer:
        """Change a transfer, such as ``{"complete": True}`` (sections 6.4 and 7).

        A completion also checks the audit log: where the recipients were not mailed, they are reminded.

        :param extra: fields of the request that this version does not know.
        :raises UsageError: ``body`` has an unknown key, or none.
        :raises OutcomeUnknown: the answer was lost, of a change that must not be made twice.
        """
        change = check_update(body, TransferUpdate, extra)
        if change == {"complete": True}:
            return complete(self._calls(), id_of(transfer_id), asked_before=None)
        return self._calls().update_transfer(id_of(transfer_id), change)

    def options(self, transfer_id: TransferId) -> Mapping[str, Any]:
        """Return a transfer's options by name."""
        return dict(self._calls().ask("GET", f"transfer/{id_of(transfer_id)}/options").json(dict))

    def extend(self, transfer_id: TransferId, expires: Moment = None) -> Transfer:
        """Let a transfer expire later.

        :param expires: seconds since the epoch or a datetime, which servers of 3.x take; None: by as many
            days as the site's setting says.
        :raises LimitExceeded: the site does not allow it, or not so late.
        :raises OutcomeUnknown: the answer was lost: it may have been extended.
        """
        until = True if expires is None else _seconds(expires)
        return self.update(transfer_id, {"extend_expiry_date": until})

    def remind(self, transfer_id: TransferId) -> Transfer:
        """Send all recipients a reminder.

        :raises OutcomeUnknown: the answer was lost: they may have been sent one.
        """
        return self.update(transfer_id, {"remind": True})

    def close(self, transfer_id: TransferId) -> Transfer:
        """End a transfer: its files can no longer be fetched, and the recipients get a mail.

        Closing a closed one changes nothing (section 15).

        :raises OutcomeUnknown: the answer was lost: it may be closed.
        """
        return self.update(transfer_id, {"closed": True})

    def delete(self, transfer_id: TransferId) -> None:
        """Remove a transfer and its data; one that is gone already is no error (section 6.5)."""
        self._calls().delete_transfer(id_of(transfer_id))

    def audit_log(self, transfer_id: TransferId) -> List[AuditEntry]:
        """Return what has happened to a transfer, oldest first."""
        found = self._calls().ask("GET", f"transfer/{id_of(transfer_id)}/auditlog").json(list)
        return [AuditEntry.from_wire(one) for one in found]

    def mail_audit_log(self, transfer_id: TransferId) -> None:
        """Have the site mail the audit log to the user."""
        self._calls().command("GET", f"transfer/{id_of(transfer_id)}/auditlog/mail", idempotent=False)

    # -- recipients -------------------------------------------------------------------------------------

    def add_recipient(self, transfer_id: TransferId, address: str) -> Recipient:
        """Add a recipient; the site mails the link.

        :raises OutcomeUnknown: the answer was lost: the mail may have gone; the site does not merge doubles.
        """
        check_address(address, "recipient")
        path = f"transfer/{id_of(transfer_id)}/recipient"
        return self._calls().ask("POST", path, {"recipient": address}).made(Recipient)

    def get_recipient(self, recipient_id: RecipientId) -> Recipient:
        """Return a recipient, with the mails that could not be delivered in ``errors``."""
        return about(
            self._calls().ask("GET", f"recipient/{id_of(recipient_id)}"), Recipient, id_of(recipient_id)
        )

    def remind_recipient(self, recipient_id: RecipientId) -> Recipient:
        """Send one recipient a reminder.

        :raises OutcomeUnknown: the answer was lost: it may have been sent.
        """
        path = f"recipient/{id_of(recipient_id)}"
        answer = self._calls().ask("PUT", path, {"remind": True}, idempotent=False)
        return answer.made(Recipient)

    def remove_recipient(self, recipient_id: RecipientId) -> None:
        """Remove a recipient and the link; with the last one the transfer is closed."""
        self._calls().delete(f"recipient/{id_of(recipient_id)}")


def _seconds(moment: Union[int, dt.datetime]) -> int:
    if isinstance(moment, dt.datetime):
        if moment.tzinfo is None:
            raise UsageError(f"{moment!r} has no time zone", hint="datetime.now(timezone.utc) has one")
        return int(moment.timestamp())
    if isinstance(moment, bool) or not isinstance(moment, int):
        raise UsageError(f"expires is seconds since the epoch or a datetime, not {moment!r}")
    return moment
