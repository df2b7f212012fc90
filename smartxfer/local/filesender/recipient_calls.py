"""Recipients: POST /transfer/ID/recipient and /recipient/ID.

Source: FileSender protocol, section 7.
"""

from typing import Any, Tuple

from smartxfer.local.database import Row
from smartxfer.local.filesender.call import Call
from smartxfer.local.filesender.names import valid_address
from smartxfer.local.filesender.refusals import ApiError
from smartxfer.local.filesender.transfer_calls import close_transfer
from smartxfer.local.http_messages import Response
from smartxfer.local.php import json_response

__all__ = ["add", "delete", "get", "put"]


def add(call: Call) -> Response:
    """Add a recipient, who gets a mail if the transfer is available. Duplicates are not merged."""
    backend, records = call.backend, call.backend.records
    transfer = records.transfer(call.number())
    call.may_change(transfer)
    if call.word(1) != "recipient":
        raise ApiError("rest_method_not_implemented")
    if transfer["status"] == "closed":
        raise ApiError("cannot_alter_closed_transfer")
    address: Any = call.fields().get("recipient")
    if not valid_address(address):
        raise ApiError("bad_email")
    number = records.add_recipient(transfer["id"], address, int(backend.now()))
    row = records.recipient(number)
    if transfer["status"] == "available":
        backend.mail(row["email"], "transfer_available", transfer, row["token"])
    location = f"{backend.url}/rest.php/recipient/{number}"
    return json_response(backend.views.recipient(row), 201, location)


def _own(call: Call) -> Tuple[Row, Row]:
    row = call.backend.records.recipient(call.number())
    transfer = call.backend.records.transfer(row["transfer_id"])
    call.may_change(transfer)
    return row, transfer


def get(call: Call) -> Response:
    """Show a recipient."""
    return json_response(call.backend.views.recipient(_own(call)[0]))


def put(call: Call) -> Response:
    """Remind a recipient; once the transfer is closed, nothing is mailed."""
    row, transfer = _own(call)
    closed = transfer["status"] == "closed"
    if call.fields().get("remind") and row["email"] and not closed:
        call.backend.remind([row], transfer)
    return json_response(call.backend.views.recipient(row))


def delete(call: Call) -> Response:
    """Remove a recipient; the last one closes the transfer."""
    row, transfer = _own(call)
    if transfer["status"] == "closed":
        raise ApiError("cannot_alter_closed_transfer")
    call.backend.records.db.run("DELETE FROM recipients WHERE id=?", row["id"])
    if not call.backend.records.recipients(transfer["id"]):
        close_transfer(call, transfer)
    return json_response(None)
