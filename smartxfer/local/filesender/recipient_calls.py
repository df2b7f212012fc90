"""Recipients: POST /transfer/ID/recipient and /recipient/ID.

Source: FileSender protocol, section 7.
"""

import uuid
from typing import Tuple

from smartxfer.local.exchange import Answer
from smartxfer.local.php import json_answer

from .call import Call
from .names import valid_address
from .records import Row
from .refusals import Refusal
from .transfer_calls import close_transfer
from .views import recipient_view

__all__ = ["add", "delete", "get", "put"]


def add(call: Call) -> Answer:
    """Add a recipient, who gets a mail if the transfer is available. Duplicates are not merged."""
    service, records = call.service, call.service.records
    transfer = records.transfer(call.number())
    call.may_change(transfer)
    if call.word(1) != "recipient":
        raise Refusal("rest_method_not_implemented")
    if transfer["status"] == "closed":
        raise Refusal("cannot_alter_closed_transfer")
    address = call.fields().get("recipient")
    if not valid_address(address):
        raise Refusal("bad_email")
    number = records.db.run(
        "INSERT INTO recipients (transfer_id, token, email, created) VALUES (?,?,?,?)",
        transfer["id"],
        str(uuid.uuid4()),
        address,
        int(service.now()),
    )
    row = records.recipient(number)
    if transfer["status"] == "available":
        service.mail(row["email"], "transfer_available", transfer, row["token"])
    location = f"{service.url}/rest.php/recipient/{number}"
    return json_answer(recipient_view(row, service.url), 201, location)


def _own(call: Call) -> Tuple[Row, Row]:
    row = call.service.records.recipient(call.number())
    transfer = call.service.records.transfer(row["transfer_id"])
    call.may_change(transfer)
    return row, transfer


def get(call: Call) -> Answer:
    """Show a recipient."""
    return json_answer(recipient_view(_own(call)[0], call.service.url))


def put(call: Call) -> Answer:
    """Remind a recipient."""
    row, transfer = _own(call)
    if call.fields().get("remind") and row["email"]:
        call.service.mail(row["email"], "transfer_reminder", transfer, row["token"])
    return json_answer(recipient_view(row, call.service.url))


def delete(call: Call) -> Answer:
    """Remove a recipient; the last one closes the transfer."""
    row, transfer = _own(call)
    if transfer["status"] == "closed":
        raise Refusal("cannot_alter_closed_transfer")
    call.service.records.db.run("DELETE FROM recipients WHERE id=?", row["id"])
    if not call.service.records.recipients(transfer["id"]):
        close_transfer(call, transfer)
    return json_answer(None)
