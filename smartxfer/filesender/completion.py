"""Completion of a transfer, and the check that its mails were sent.

The site first makes a transfer available and then mails its recipients.  If a mail fails, the first request
returns an error, and every later request succeeds without sending another mail.

Source: FileSender protocol, sections 5, 6.4 and 7.
"""

import logging
from typing import List, Mapping, Optional, Tuple

import attrs
import requests

from smartxfer.error_hints import PROTOCOL_HINT
from smartxfer.error_values import evolve_error
from smartxfer.errors import HTTPError, SmartxferError
from smartxfer.filesender.auth import UserAuth
from smartxfer.filesender.error_codes import UNKNOWN_CODE_HINT
from smartxfer.filesender.errors import FileSenderUnexpectedResponse
from smartxfer.filesender.models import AuditEntry, Transfer
from smartxfer.filesender.rest_api import FileSenderApi
from smartxfer.transport import RequestSpec

__all__ = ["complete_transfer"]

log = logging.getLogger("smartxfer.filesender")

_RERUN_HINT = "run the same call again: it reminds the recipients if they were not mailed"


def complete_transfer(
    api: FileSenderApi,
    transfer_id: int,
    *,
    requested_before: Optional[bool] = False,
) -> Transfer:
    """Make a transfer available, and check that its recipients were mailed.

    If the completion was requested more than once, the transfer's audit log is read.  If it does not record
    the mails, the recipients are reminded.

    :param requested_before: True if an earlier run has requested the completion; None if that is not known.
    :raises OutcomeUnknown: the response to the reminder was lost.
    """
    request, attempts = _build_counted_request(api, transfer_id)
    try:
        transfer = Transfer.from_wire(api.send_request(request).json(dict))
    except HTTPError as error:
        if error.status < 500 or error.own_hint not in ("", UNKNOWN_CODE_HINT):
            raise
        raise evolve_error(error, hint=_RERUN_HINT) from None
    if transfer.id != transfer_id:
        raise FileSenderUnexpectedResponse(
            f"{request.description}: the response describes transfer {transfer.id}, not {transfer_id}",
            hint=PROTOCOL_HINT,
        )
    requested_twice = requested_before is True or len(attempts) > 1
    if (requested_twice or requested_before is None) and _has_recipients_to_mail(transfer):
        _remind_if_not_mailed(api, transfer, requested_twice)
    return transfer


def _build_counted_request(api: FileSenderApi, transfer_id: int) -> Tuple[RequestSpec, List[str]]:
    """Return the request, and a list that gets one element for each attempt to send it."""
    spec = api.build_request("PUT", f"transfer/{transfer_id}", body={"complete": True})
    attempts: List[str] = []

    def sign(request: requests.PreparedRequest) -> requests.PreparedRequest:
        attempts.append(request.method or "")
        return spec.auth(request) if spec.auth is not None else request

    return attrs.evolve(spec, auth=sign), attempts


def _has_recipients_to_mail(transfer: Transfer) -> bool:
    options = transfer.options if isinstance(transfer.options, Mapping) else {}
    return not options.get("get_a_link") and any(recipient.email for recipient in transfer.recipients)


def _remind_if_not_mailed(api: FileSenderApi, transfer: Transfer, requested_twice: bool) -> None:
    """Remind the recipients of a transfer unless its audit log records that they were mailed.

    :param requested_twice: if False, no reminder is sent when the site keeps no log of the transfer.
    """
    if not isinstance(api.signer.auth, UserAuth):
        if requested_twice:
            log.warning(
                "transfer %s was completed in more than one request, and only its owner can check whether "
                "its recipients were mailed",
                transfer.id,
            )
        return
    try:
        entries = api.send_signed("GET", f"transfer/{transfer.id}/auditlog").json(list)
    except HTTPError as error:
        if not requested_twice and not error.retryable:
            log.info("the audit log of transfer %s cannot be read: %s", transfer.id, error)
            return
        raise evolve_error(error, hint=_reminder_hint(transfer.id)) from None
    events = {AuditEntry.from_wire(entry).event for entry in entries}
    if "transfer_sent" in events or not (requested_twice or "transfer_available" in events):
        return
    log.warning("transfer %s was completed without mails; reminding its recipients", transfer.id)
    try:
        api.update_transfer(transfer.id, {"remind": True})
    except SmartxferError as error:
        raise evolve_error(error, hint=_reminder_hint(transfer.id)) from error.__cause__


def _reminder_hint(transfer_id: int) -> str:
    """Return the hint for a complete transfer whose recipients may not have been mailed."""
    return (
        f"transfer {transfer_id} is complete, but its recipients may not have been mailed: "
        f"run the same call again, or call transfers.remind({transfer_id})"
    )
