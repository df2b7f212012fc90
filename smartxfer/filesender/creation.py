"""Creation of a transfer, and the check that it has the requested recipients.

Source: FileSender protocol, sections 6.1, 10 and 15.
"""

import logging
from typing import Any, Mapping

import attrs

from smartxfer.error_values import evolve_error
from smartxfer.errors import BadRequest, CommunicationError
from smartxfer.filesender.errors import FileSenderLimitExceeded, FileSenderUploadRejected
from smartxfer.filesender.models import Transfer
from smartxfer.filesender.rest_api import FileSenderApi

__all__ = ["create_transfer", "discard_transfer"]

log = logging.getLogger("smartxfer.filesender")


def create_transfer(api: FileSenderApi, body: Mapping[str, Any]) -> Transfer:
    """Create a transfer; delete it again if it would not reach the recipients.

    :param body: validated body of ``POST /transfer``.
    :raises LimitExceeded: the site discarded a recipient.
    :raises UploadRejected: the transfer has neither recipients nor a link, so that its completion would fail.
    """
    try:
        transfer = api.create_transfer(body)
    except BadRequest as error:
        if error.code != "rest_bad_parameter" or body.get("aup_checked"):
            raise
        hint = (
            "the site may require acceptance of its terms of use: read them on its upload page, "
            f"{api.base_url}/?s=upload, then pass accept_aup=True"
        )
        raise evolve_error(error, hint=hint) from None
    addresses = {recipient.email for recipient in transfer.recipients}
    missing = [address for address in body["recipients"] if address not in addresses]
    if missing:
        discard_transfer(api, transfer.id)
        raise FileSenderLimitExceeded(
            f"the site created the transfer without its recipient {missing[0]}; it was deleted",
            hint="the voucher turns every transfer into a link: leave out the recipients, or ask for a "
            "voucher with the options {'transfer': {'get_a_link': False}}",
        )
    options = transfer.options if isinstance(transfer.options, Mapping) else {}
    if not transfer.recipients and not options.get("get_a_link", True):
        discard_transfer(api, transfer.id)
        raise FileSenderUploadRejected(
            "the site created a transfer that has neither recipients nor a link; it was deleted",
            hint="pass recipients in transfer_args, or ask for a voucher with the option get_a_link",
        )
    return transfer


def discard_transfer(api: FileSenderApi, transfer_id: int) -> None:
    """Delete a transfer that is not needed any more; log a failure as a warning.

    The request is sent even if the runner was cancelled or its deadline has passed.
    """
    try:
        attrs.evolve(api, send_request=api.http.request).delete_transfer(transfer_id)
    except CommunicationError as error:
        log.warning("transfer %s could not be deleted: %s", transfer_id, error)
