"""``client.transfers``: list, find, change, extend, close and delete the user's transfers; their recipients.

Source: FileSender protocol, sections 7 and 10.
"""

import datetime as dt
from typing import Any, Callable, List, Mapping, Optional, Union

from smartxfer.errors import UsageError
from smartxfer.filesender.completion import complete_transfer
from smartxfer.filesender.email_addresses import validate_email_address
from smartxfer.filesender.ids import ExpiryTime, RecipientId, TransferId, get_id
from smartxfer.filesender.models import AuditEntry, Recipient, Transfer
from smartxfer.filesender.request_body import Extra, build_update_body
from smartxfer.filesender.request_types import TransferUpdate
from smartxfer.filesender.rest_api import FileSenderApi, parse_object
from smartxfer.reprs import Namespace
from smartxfer.secret_text import hide_method_arguments

__all__ = ["TransfersClient"]


@hide_method_arguments("link")
class TransfersClient(Namespace):
    """Lists, changes and removes a user's transfers.

    Wherever a transfer or a recipient is wanted, its structure or its id is accepted.

    :param get_api: returns the calls of a user whose credentials are known.
    :param extract_token: returns the token of a download link.
    """

    def __init__(self, get_api: Callable[[], FileSenderApi], extract_token: Callable[[Any], str]) -> None:
        self._get_api = get_api
        self._extract_token = extract_token

    def list(self, everybody: bool = False) -> List[Transfer]:
        """Return the user's available transfers, newest first, with those of the user's guests.

        :param everybody: those of all users; for administrators.
        """
        found = self._get_api().send_signed("GET", "transfer/@all" if everybody else "transfer").json(list)
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
            raise UsageError(
                "find() needs to know what to look for", hint="pass a subject, recipient=, file= or link="
            )
        token = self._extract_token(link) if link is not None else None

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
        return self._get_api().get_transfer(get_id(transfer_id))

    def update(self, transfer_id: TransferId, body: TransferUpdate, *, extra: Extra = None) -> Transfer:
        """Change a transfer, such as ``{"complete": True}`` (sections 6.4 and 7).

        A completion also checks the audit log: where the recipients were not mailed, they are reminded.

        :param extra: fields of the request that this version does not know.
        :raises UsageError: ``body`` has an unknown key, or none.
        :raises OutcomeUnknown: the answer was lost, of a change that must not be made twice.
        """
        change = build_update_body(body, TransferUpdate, extra)
        if change == {"complete": True}:
            return complete_transfer(self._get_api(), get_id(transfer_id), requested_before=None)
        return self._get_api().update_transfer(get_id(transfer_id), change)

    def options(self, transfer_id: TransferId) -> Mapping[str, Any]:
        """Return a transfer's options by name."""
        return dict(self._get_api().send_signed("GET", f"transfer/{get_id(transfer_id)}/options").json(dict))

    def extend(self, transfer_id: TransferId, expires: ExpiryTime = None) -> Transfer:
        """Let a transfer expire later.

        :param expires: seconds since the epoch or a datetime, which servers of 3.x take; None: by as many
            days as the site's setting says.
        :raises LimitExceeded: the site does not allow it, or not so late.
        :raises OutcomeUnknown: the answer was lost: it may have been extended.
        """
        until = True if expires is None else _to_epoch_seconds(expires)
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
        self._get_api().delete_transfer(get_id(transfer_id))

    def audit_log(self, transfer_id: TransferId) -> List[AuditEntry]:
        """Return what has happened to a transfer, oldest first."""
        found = self._get_api().send_signed("GET", f"transfer/{get_id(transfer_id)}/auditlog").json(list)
        return [AuditEntry.from_wire(one) for one in found]

    def mail_audit_log(self, transfer_id: TransferId) -> None:
        """Have the site mail the audit log to the user."""
        self._get_api().send_command("GET", f"transfer/{get_id(transfer_id)}/auditlog/mail", idempotent=False)

    # -- recipients -------------------------------------------------------------------------------------

    def add_recipient(self, transfer_id: TransferId, address: str) -> Recipient:
        """Add a recipient; the site mails the link.

        :raises OutcomeUnknown: the answer was lost: the mail may have gone; the site does not merge doubles.
        """
        validate_email_address(address, "recipient")
        path = f"transfer/{get_id(transfer_id)}/recipient"
        return self._get_api().send_signed("POST", path, {"recipient": address}).parse_model(Recipient)

    def get_recipient(self, recipient_id: RecipientId) -> Recipient:
        """Return a recipient, with the mails that could not be delivered in ``errors``."""
        return parse_object(
            self._get_api().send_signed("GET", f"recipient/{get_id(recipient_id)}"),
            Recipient,
            get_id(recipient_id),
        )

    def remind_recipient(self, recipient_id: RecipientId) -> Recipient:
        """Send one recipient a reminder.

        :raises OutcomeUnknown: the answer was lost: it may have been sent.
        """
        path = f"recipient/{get_id(recipient_id)}"
        answer = self._get_api().send_signed("PUT", path, {"remind": True}, idempotent=False)
        return answer.parse_model(Recipient)

    def remove_recipient(self, recipient_id: RecipientId) -> None:
        """Remove a recipient and the link; with the last one the transfer is closed."""
        self._get_api().delete(f"recipient/{get_id(recipient_id)}")


def _to_epoch_seconds(expires: Union[int, dt.datetime]) -> int:
    if isinstance(expires, dt.datetime):
        if expires.tzinfo is None:
            raise UsageError(f"{expires!r} has no time zone", hint="datetime.now(timezone.utc) has one")
        return int(expires.timestamp())
    if isinstance(expires, bool) or not isinstance(expires, int):
        raise UsageError(
            f"expires is seconds since the epoch or a datetime, not {expires!r}",
            hint="pass expires=datetime.now(timezone.utc) + timedelta(days=7)",
        )
    return expires
