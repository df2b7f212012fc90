"""The completion of a transfer, and the check that its mails were sent.

The site makes a transfer available first and mails its recipients then.  Where a mail fails, the first
request ends in an error, and every later one succeeds without another mail.

Source: FileSender protocol, sections 5, 6.4 and 7.
"""

import logging
from typing import List, Mapping, Optional, Tuple

import attrs
import requests

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

_RERUN_HINT = "run the same call again: it reminds the recipients where they were not mailed"


def complete_transfer(
    api: FileSenderApi,
    transfer_id: int,
    *,
    requested_before: Optional[bool] = False,
) -> Transfer:
    """Make a transfer available, and see that its recipients were mailed.

    After a failed request the transfer's audit log says whether the mails were sent.  Where they were not,
    the recipients are reminded.

    :param requested_before: whether an earlier run has asked for the completion; None when that is not known.
    :raises OutcomeUnknown: the response to the reminder was lost.
    """
    call, tries = _build_counted_request(api, transfer_id)
    try:
        done = Transfer.from_wire(api.send_request(call).json(dict))
    except HTTPError as error:
        if error.status < 500 or error.own_hint not in ("", UNKNOWN_CODE_HINT):
            raise
        raise evolve_error(error, hint=_RERUN_HINT) from None
    if done.id != transfer_id:
        raise FileSenderUnexpectedResponse(
            f"{call.description}: the answer is about transfer {done.id}, not {transfer_id}"
        )
    certain = requested_before is True or len(tries) > 1
    if (certain or requested_before is None) and _has_recipients_to_mail(done):
        _remind_if_not_mailed(api, done, certain)
    return done


def _build_counted_request(api: FileSenderApi, transfer_id: int) -> Tuple[RequestSpec, List[str]]:
    """Return the call, and a list that grows with each of its tries."""
    call = api.build_request("PUT", f"transfer/{transfer_id}", body={"complete": True})
    tries: List[str] = []

    def sign(request: requests.PreparedRequest) -> requests.PreparedRequest:
        tries.append(request.method or "")
        return call.auth(request) if call.auth is not None else request

    return attrs.evolve(call, auth=sign), tries


def _has_recipients_to_mail(transfer: Transfer) -> bool:
    options = transfer.options if isinstance(transfer.options, Mapping) else {}
    return not options.get("get_a_link") and any(recipient.email for recipient in transfer.recipients)


def _remind_if_not_mailed(api: FileSenderApi, transfer: Transfer, requested_twice: bool) -> None:
    """Remind the recipients of a transfer whose audit log does not say that they were mailed.

    :param requested_twice: False leaves a transfer alone of which the site keeps no log.
    """
    if not isinstance(api.signer.auth, UserAuth):
        if requested_twice:
            log.warning(
                "transfer %s was completed in more than one request, and only its owner can see whether its "
                "recipients were mailed",
                transfer.id,
            )
        return
    try:
        found = api.send_signed("GET", f"transfer/{transfer.id}/auditlog").json(list)
    except HTTPError as error:
        if not requested_twice and not error.retryable:
            log.info("the audit log of transfer %s cannot be read: %s", transfer.id, error)
            return
        raise evolve_error(error, hint=_reminder_hint(transfer.id)) from None
    events = {AuditEntry.from_wire(one).event for one in found}
    if "transfer_sent" in events or not (requested_twice or "transfer_available" in events):
        return
    log.warning("transfer %s was completed without mails: its recipients are reminded now", transfer.id)
    try:
        api.update_transfer(transfer.id, {"remind": True})
    except SmartxferError as error:
        raise evolve_error(error, hint=_reminder_hint(transfer.id)) from error.__cause__


def _reminder_hint(transfer_id: int) -> str:
    """Return the hint for a complete transfer whose recipients may have no mail."""
    return (
        f"transfer {transfer_id} is complete, but its recipients may have no mail: run the same call again, "
        f"or call transfers.remind({transfer_id})"
    )
