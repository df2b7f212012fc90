"""``client.transfers``: methods for the user's transfers and their recipients.

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
    """Methods for a user's transfers: list, find, change, extend, close, delete.

    Methods that take a transfer or a recipient accept the object or its id.

    :param get_api: returns the API of a user with credentials.
    :param extract_token: returns the token of a download link.
    """

    def __init__(self, get_api: Callable[[], FileSenderApi], extract_token: Callable[[Any], str]) -> None:
        self._get_api = get_api
        self._extract_token = extract_token

    def list(self, all_users: bool = False) -> List[Transfer]:
        """Return the available transfers of the user and of the user's guests, newest first.

        :param all_users: True for the transfers of all users; for administrators.
        """
        entries = self._get_api().send_signed("GET", "transfer/@all" if all_users else "transfer").json(list)
        return [Transfer.from_wire(entry) for entry in entries]

    def find(
        self,
        subject: Optional[str] = None,
        *,
        recipient: Optional[str] = None,
        file: Optional[str] = None,
        link: Optional[str] = None,
    ) -> List[Transfer]:
        """Return the available transfers that match, newest first; the client compares them.

        :param subject: text in the subject, case-insensitive.
        :param recipient: address of a recipient.
        :param file: name of a file, including its directories.
        :param link: a download link, or its token.
        :raises UsageError: a search criterion is missing.
        """
        if subject is recipient is file is link is None:
            raise UsageError("missing search criterion", hint="pass subject, recipient=, file= or link=")
        token = self._extract_token(link) if link is not None else None

        def matches(transfer: Transfer) -> bool:
            addresses = [(person.email or "").lower() for person in transfer.recipients]
            return (
                (subject is None or subject.lower() in (transfer.subject or "").lower())
                and (recipient is None or recipient.lower() in addresses)
                and (file is None or any(entry.name == file for entry in transfer.files))
                and (token is None or any(person.token == token for person in transfer.recipients))
            )

        return [transfer for transfer in self.list() if matches(transfer)]

    def get(self, transfer_id: TransferId) -> Transfer:
        """Return a transfer of the user, which may be closed."""
        return self._get_api().get_transfer(get_id(transfer_id))

    def update(self, transfer_id: TransferId, body: TransferUpdate, *, extra: Extra = None) -> Transfer:
        """Change a transfer, for example with ``{"complete": True}`` (sections 6.4 and 7).

        A completion also checks the audit log and reminds the recipients if they were not mailed.

        :param extra: request fields that this version does not support.
        :raises UsageError: ``body`` is empty or has an unknown key.
        :raises OutcomeUnknown: the response was lost, and the change must not be repeated.
        """
        change = build_update_body(body, TransferUpdate, extra)
        if change == {"complete": True}:
            return complete_transfer(self._get_api(), get_id(transfer_id), requested_before=None)
        return self._get_api().update_transfer(get_id(transfer_id), change)

    def options(self, transfer_id: TransferId) -> Mapping[str, Any]:
        """Return a transfer's options by name."""
        return dict(self._get_api().send_signed("GET", f"transfer/{get_id(transfer_id)}/options").json(dict))

    def extend(self, transfer_id: TransferId, expires: ExpiryTime = None) -> Transfer:
        """Extend the validity of a transfer.

        :param expires: new expiry time as seconds since the epoch or a datetime (servers 3.x only); None
            extends by the number of days that the site is configured for.
        :raises LimitExceeded: the site does not allow it, or not until this time.
        :raises OutcomeUnknown: the response was lost: the transfer may have been extended.
        """
        value = True if expires is None else _to_epoch_seconds(expires)
        return self.update(transfer_id, {"extend_expiry_date": value})

    def remind(self, transfer_id: TransferId) -> Transfer:
        """Send a reminder to all recipients.

        :raises OutcomeUnknown: the response was lost: the reminder may have been sent.
        """
        return self.update(transfer_id, {"remind": True})

    def close(self, transfer_id: TransferId) -> Transfer:
        """Close a transfer: its files can no longer be downloaded, and the site mails the recipients.

        Closing a closed transfer has no effect (section 15).

        :raises OutcomeUnknown: the response was lost: the transfer may be closed.
        """
        return self.update(transfer_id, {"closed": True})

    def delete(self, transfer_id: TransferId) -> None:
        """Delete a transfer and its data; succeed if it does not exist (section 6.5)."""
        self._get_api().delete_transfer(get_id(transfer_id))

    def audit_log(self, transfer_id: TransferId) -> List[AuditEntry]:
        """Return the audit log of a transfer, oldest entry first."""
        entries = self._get_api().send_signed("GET", f"transfer/{get_id(transfer_id)}/auditlog").json(list)
        return [AuditEntry.from_wire(entry) for entry in entries]

    def mail_audit_log(self, transfer_id: TransferId) -> None:
        """Ask the site to mail the audit log to the user."""
        self._get_api().send_command("GET", f"transfer/{get_id(transfer_id)}/auditlog/mail", idempotent=False)

    # -- recipients -------------------------------------------------------------------------------------

    def add_recipient(self, transfer_id: TransferId, address: str) -> Recipient:
        """Add a recipient, to whom the site mails the link.

        :raises OutcomeUnknown: the response was lost: the recipient may have been added and mailed; a second
            call would add the address again.
        """
        validate_email_address(address, "recipient")
        path = f"transfer/{get_id(transfer_id)}/recipient"
        return self._get_api().send_signed("POST", path, {"recipient": address}).parse_model(Recipient)

    def get_recipient(self, recipient_id: RecipientId) -> Recipient:
        """Return a recipient; ``errors`` lists the mails that could not be delivered."""
        return parse_object(
            self._get_api().send_signed("GET", f"recipient/{get_id(recipient_id)}"),
            Recipient,
            get_id(recipient_id),
        )

    def remind_recipient(self, recipient_id: RecipientId) -> Recipient:
        """Send a reminder to one recipient.

        :raises OutcomeUnknown: the response was lost: the reminder may have been sent.
        """
        path = f"recipient/{get_id(recipient_id)}"
        response = self._get_api().send_signed("PUT", path, {"remind": True}, idempotent=False)
        return response.parse_model(Recipient)

    def remove_recipient(self, recipient_id: RecipientId) -> None:
        """Remove a recipient and their link; removing the last recipient closes the transfer."""
        self._get_api().delete(f"recipient/{get_id(recipient_id)}")


def _to_epoch_seconds(expires: Union[int, dt.datetime]) -> int:
    if isinstance(expires, dt.datetime):
        if expires.tzinfo is None:
            raise UsageError(
                f"expires has no time zone: {expires!r}",
                hint="use datetime.now(timezone.utc) + timedelta(...)",
            )
        return int(expires.timestamp())
    if isinstance(expires, bool) or not isinstance(expires, int):
        raise UsageError(
            f"invalid expires: {expires!r}",
            hint="pass seconds since the epoch, or a datetime with a time zone",
        )
    return expires
