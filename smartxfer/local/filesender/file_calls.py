"""GET, PUT and DELETE /file/ID.

Source: FileSender protocol, sections 6.3 and 7.
"""

from smartxfer.local.database import Row
from smartxfer.local.filesender.call import Call
from smartxfer.local.filesender.chunk import check_roundtrip
from smartxfer.local.filesender.encryption import stored_size
from smartxfer.local.filesender.identify import key_call
from smartxfer.local.filesender.records import OPEN
from smartxfer.local.filesender.refusals import ApiError
from smartxfer.local.filesender.transfer_calls import close_transfer
from smartxfer.local.filesender.views import file_view
from smartxfer.local.http_messages import Response
from smartxfer.local.php import json_response

__all__ = ["delete", "get", "put"]


def _own(call: Call) -> Row:
    file = call.backend.records.file(call.number())
    call.may_change(call.backend.records.transfer(file["transfer_id"]))
    return file


def get(call: Call) -> Response:
    """Show a file."""
    return json_response(file_view(_own(call)))


def put(call: Call) -> Response:
    """Complete a file: its size on disk must be the declared one. Done twice, it changes nothing.

    A hole in its middle is not seen, as on real servers.
    """
    records = call.backend.records
    file = records.file(call.number())
    transfer = records.transfer(file["transfer_id"])
    if call.identity.user is not None:
        call.may_change(transfer)
    elif not key_call(call) or call.arguments.get("key") != file["puid"]:
        raise ApiError("rest_authentication_required")
    check_roundtrip(call, transfer["roundtriptoken"])
    if call.fields().get("complete") is not True:
        raise ApiError("rest_bad_parameter")
    if file["complete"]:
        return json_response(True)
    if transfer["status"] not in OPEN:
        raise ApiError("cannot_add_data_to_complete_transfer")
    if records.objects.size(file["id"]) != stored_size(transfer, file):
        raise ApiError("file_integrity_check_failed")
    now = call.backend.now()
    begun = call.backend.begun.pop(file["id"], now)
    taken = int(now - begun) if file["size"] else None
    with records.db.transaction():
        records.db.run("UPDATE files SET complete=1 WHERE id=?", file["id"])
        records.log(transfer["id"], "file_uploaded", now, call.identity.author, file, taken)
    return json_response(True)


def delete(call: Call) -> Response:
    """Remove a file; the last one takes its transfer along."""
    file = _own(call)
    records = call.backend.records
    transfer = records.transfer(file["transfer_id"])
    if transfer["status"] == "closed":
        raise ApiError("cannot_alter_closed_transfer")
    records.db.run("DELETE FROM files WHERE id=?", file["id"])
    records.objects.delete(file["id"])
    if not records.files(transfer["id"]):
        close_transfer(call, transfer)
    return json_response(None)
