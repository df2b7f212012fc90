"""The completion of a transfer, and the check that its mails were sent.

The site makes a transfer available first and mails its recipients then.  Where a mail fails, the first
request ends in an error, and every later one succeeds without another mail.

Source: FileSender protocol, sections 5, 6.4 and 7.
"""

import logging
from typing import List, Mapping, Optional, Tuple

import attrs
import requests

from smartxfer.error_values import evolve
from smartxfer.errors import HTTPError, SmartxferError
from smartxfer.filesender.auth import UserAuth
from smartxfer.filesender.calls import Calls
from smartxfer.filesender.errors import FileSenderUnexpectedAnswer
from smartxfer.filesender.models import AuditEntry, Transfer
from smartxfer.transport import Call

__all__ = ["complete"]

log = logging.getLogger("smartxfer.filesender")

_HINT = "run the same call again: it reminds the recipients where they were not mailed"


def complete(
    calls: Calls,
    transfer_id: int,
    *,
    asked_before: Optional[bool] = False,
) -> Transfer:
    """Make a transfer available, and see that its recipients were mailed.

    After a failed request the transfer's audit log says whether the mails were sent.  Where they were not,
    the recipients are reminded.

    :param asked_before: whether an earlier run has asked for the completion; None when that is not known.
    :raises OutcomeUnknown: the response to the reminder was lost.
    """
    call, tries = _counted(calls, transfer_id)
    try:
        done = Transfer.from_wire(calls.make(call).json(dict))
    except HTTPError as error:
        if error.status < 500 or error.hint:
            raise
        raise evolve(error, hint=_HINT) from None
    if done.id != transfer_id:
        raise FileSenderUnexpectedAnswer(
            f"{call.what}: the answer is about transfer {done.id}, not {transfer_id}"
        )
    certain = asked_before is True or len(tries) > 1
    if (certain or asked_before is None) and _has_mails(done):
        _check_mails(calls, done, certain)
    return done


def _counted(calls: Calls, transfer_id: int) -> Tuple[Call, List[str]]:
    """Return the call, and a list that grows with each of its tries."""
    call = calls.describe("PUT", f"transfer/{transfer_id}", body={"complete": True})
    tries: List[str] = []

    def sign(request: requests.PreparedRequest) -> requests.PreparedRequest:
        tries.append(request.method or "")
        return call.sign(request) if call.sign is not None else request

    return attrs.evolve(call, sign=sign), tries


def _has_mails(transfer: Transfer) -> bool:
    options = transfer.options if isinstance(transfer.options, Mapping) else {}
    return not options.get("get_a_link") and any(recipient.email for recipient in transfer.recipients)


def _check_mails(calls: Calls, transfer: Transfer, certain: bool) -> None:
    """Remind the recipients of a transfer whose audit log does not say that they were mailed.

    :param certain: False leaves a transfer alone of which the site keeps no log.
    """
    if not isinstance(calls.access.auth, UserAuth):
        if certain:
            log.warning(
                "transfer %s was completed in more than one request, and only its owner can see whether its "
                "recipients were mailed",
                transfer.id,
            )
        return
    try:
        found = calls.ask("GET", f"transfer/{transfer.id}/auditlog").json(list)
    except HTTPError as error:
        if not certain and not error.retryable:
            log.info("the audit log of transfer %s cannot be read: %s", transfer.id, error)
            return
        raise evolve(error, hint=_unknown(transfer.id)) from None
    events = {AuditEntry.from_wire(one).event for one in found}
    if "transfer_sent" in events or not (certain or "transfer_available" in events):
        return
    log.warning("transfer %s was completed without mails: its recipients are reminded now", transfer.id)
    try:
        calls.update_transfer(transfer.id, {"remind": True})
    except SmartxferError as error:
        raise evolve(error, hint=_unknown(transfer.id)) from error.__cause__


def _unknown(transfer_id: int) -> str:
    """Return the hint for a complete transfer whose recipients may have no mail."""
    return (
        f"transfer {transfer_id} is complete, but its recipients may have no mail: run the same call again, "
        f"or call transfers.remind({transfer_id})"
    )
