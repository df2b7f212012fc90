"""Transfers, their files and their recipients: /transfer, /file and /recipient.

Source: FileSender protocol, sections 6.3 to 6.7, 7, 8.1, 9, 13 and 15.
"""

import json
from typing import Any, Callable, Dict, Optional, Tuple

from smartxfer.local.filesender.authentication import authenticate_file_key
from smartxfer.local.filesender.call import TOKEN, ApiError, Call, Response, Row, json_response
from smartxfer.local.filesender.chunk_calls import check_roundtrip
from smartxfer.local.filesender.encryption import stored_size
from smartxfer.local.filesender.name_rules import valid_address
from smartxfer.local.filesender.php_values import parse_expiry
from smartxfer.local.filesender.repository import OPEN_STATUSES
from smartxfer.local.filesender.serializers import file_access, serialize_file

_LISTED = """SELECT id FROM transfers WHERE status='available' AND (userid=? OR ?)
    ORDER BY created DESC, id DESC"""


def get(call: Call) -> Response:
    """List or show transfers."""
    word = call.segment(0)
    if word in ("fileids", "fileidsextended"):
        return _file_ids(call, extended=word == "fileidsextended")
    if word in ("", "@me", "0"):
        # `0` is false in PHP.
        return json_response(_list_transfers(call, call.user()["id"]))
    if word == "@all":
        user = call.user()
        if not call.is_admin():
            raise ApiError("rest_admin_required")
        return json_response(_list_transfers(call, user["id"], all_users=True))
    transfer = _readable_transfer(call)
    part = call.segment(1)
    if part == "options":
        return json_response(json.loads(transfer["options"]))
    if part == "salt":
        return json_response(transfer["salt"])
    if part == "auditlog":
        return _audit(call, transfer)
    # `file` and `recipient` are not implemented and return the whole transfer, as on real servers.
    return json_response(call.backend.repository.serialize_transfer(transfer["id"], call.backend.serializer))


def _list_transfers(call: Call, owner: int, *, all_users: bool = False) -> Any:
    """Return the available transfers, newest first; ``count`` and ``startIndex`` are ignored (section 2)."""
    records = call.backend.repository
    rows = records.db.fetchall(_LISTED, owner, all_users)
    return [records.serialize_transfer(row["id"], call.backend.serializer) for row in rows]


def _readable_transfer(call: Call) -> Row:
    """Return a transfer for its owner, or for a caller with a ``puid`` while it is open (section 6.6)."""
    number = call.number()
    if call.identity.user is None:
        puid = call.arguments.get("puid")
        file = call.backend.repository.db.fetchone(
            "SELECT status FROM transfers t JOIN files f ON f.transfer_id=t.id"
            " WHERE t.id=? AND f.puid=? AND f.folder=0",
            number if number < 1 << 62 else 0,
            puid,
        )
        if file is None or file["status"] not in OPEN_STATUSES:
            raise ApiError("rest_authentication_required")
        return call.backend.repository.transfer(number)
    transfer = call.backend.repository.transfer(number)
    call.may_change(transfer)
    return transfer


def _audit(call: Call, transfer: Row) -> Response:
    if call.segment(2) == "mail":
        call.backend.mail(transfer["user_email"], "report", transfer)
        return json_response(True)
    views = call.backend.serializer
    return json_response([views.audit(row) for row in call.backend.repository.audit(transfer["id"])])


def _file_ids(call: Call, *, extended: bool) -> Response:
    if extended or call.backend.site.is_2x:
        call.user()
    token = call.arguments.get("token")
    if not TOKEN.fullmatch(token):
        raise ApiError("rest_bad_parameter")
    transfer = call.backend.open_transfer(token)
    if transfer is None:
        raise ApiError("recipient_not_found")
    files = call.backend.repository.files(transfer["id"])
    if not extended:
        return json_response([file["id"] for file in files])
    return json_response([file_access(transfer, file) for file in files])


def put(call: Call) -> Response:
    """Complete, close, remind or extend a transfer."""
    transfer = call.backend.repository.transfer(call.number())
    if call.identity.user is not None:
        call.may_change(transfer)
    else:
        _check_key(call, transfer)
    value, records = call.fields(), call.backend.repository
    if value.get("decryptfailed"):
        # Stored without further effect.
        author = call.identity.author
        records.log(transfer["id"], "transfer_decrypt_failed", call.backend.now(), author)
        return json_response([])
    if value.get("closed") and transfer["status"] in OPEN_STATUSES:
        # Closing removes it; the response shows the previous state.
        serialized = records.serialize_transfer(transfer["id"], call.backend.serializer)
        close_transfer(call, transfer)
        return json_response(serialized)
    text = False
    for name, act in _CHANGES.items():
        if value.get(name):
            text = act(call, transfer, value[name]) is True
            break
    return json_response(records.serialize_transfer(transfer["id"], call.backend.serializer, text=text))


def _check_key(call: Call, transfer: Row) -> None:
    """Check the ``key`` and ``puid`` of a file that replace the signature of a completion (section 6.2)."""
    key, puid = call.arguments.get("key"), call.arguments.get("puid")
    known = [file["puid"] for file in call.backend.repository.files(transfer["id"])]
    completes = call.fields().get("complete") is True
    if not (authenticate_file_key(call) and completes and key in known and puid in known):
        raise ApiError("rest_authentication_required")


def _complete(call: Call, transfer: Row, value: Any) -> None:
    backend, records = call.backend, call.backend.repository
    if transfer["status"] == "closed":
        raise ApiError("cannot_alter_closed_transfer")
    if transfer["status"] == "available":
        return
    author, now = call.identity.author, backend.now()
    seconds = int(now - transfer["created"])
    # Even if the completion fails later.
    records.log(transfer["id"], "upload_ended", now, author, None, seconds)
    if not all(file["complete"] for file in records.files(transfer["id"])):
        raise ApiError("transfer_files_incomplete")
    recipients = records.recipients(transfer["id"])
    if not recipients:
        raise ApiError("transfer_no_recipients")
    mailed = [row for row in recipients if row["email"]]
    with records.db.transaction():
        updated = records.db.execute_count(
            "UPDATE transfers SET status='available' WHERE id=? AND status!='available'",
            transfer["id"],
        )
        if not updated:
            return
        records.log(transfer["id"], "transfer_available", now, author, None, seconds)
        if transfer["guest_id"] is not None:
            records.guest_was_used(transfer["guest_id"])
        if mailed and not backend.site.mail_fails:
            records.log(transfer["id"], "transfer_sent", now, author)
    if mailed and backend.site.mail_fails:
        # The message is a guess. The transfer is available nevertheless.
        raise ApiError("mail_sending_failed")
    for row in mailed:
        backend.mail(row["email"], "transfer_available", transfer, row["token"])
    options = json.loads(transfer["options"])
    if options.get("email_upload_complete"):
        backend.mail(transfer["user_email"], "upload_complete", transfer)


def _close(call: Call, transfer: Row, value: Any) -> None:
    # Closing a closed transfer has no effect and sends no mail.
    if transfer["status"] != "closed":
        close_transfer(call, transfer)


def close_transfer(call: Call, transfer: Row) -> None:
    """Close a transfer and mail its recipients; remove it if it was not available yet.

    Its data is deleted, and it expires now.
    """
    records = call.backend.repository
    if transfer["status"] in OPEN_STATUSES:
        records.delete_transfer(transfer["id"])
        return
    now = int(call.backend.now())
    records.db.update("transfers", transfer["id"], status="closed", expires=now)
    for file in records.files(transfer["id"]):
        records.objects.delete(file["id"])
    records.log(transfer["id"], "transfer_closed", call.backend.now(), call.identity.author)
    for row in records.recipients(transfer["id"]):
        if row["email"]:
            call.backend.mail(row["email"], "transfer_closed", transfer, row["token"])


def _remind(call: Call, transfer: Row, value: Any) -> None:
    if transfer["status"] != "closed":
        call.backend.remind(call.backend.repository.recipients(transfer["id"]), transfer)


def _extend(call: Call, transfer: Row, value: Any) -> bool:
    site, records = call.backend.site, call.backend.repository
    if transfer["status"] == "closed":
        raise ApiError("transfer_expiry_extension_not_allowed")
    if value is not True and not site.is_2x:
        # An absolute time works even if extensions are disabled. A 2.x only checks its presence.
        moment = parse_expiry(value, call.backend.now(), 0, site.max_transfer_days_valid)
    elif not transfer["extensions"]:
        raise ApiError("transfer_expiry_extension_not_allowed")
    else:
        moment = transfer["expires"] + site.expiry_extension_days * 86400
        records.db.update("transfers", transfer["id"], extensions=transfer["extensions"] - 1)
    records.db.update("transfers", transfer["id"], expires=moment)
    return True


_CHANGES: Dict[str, Callable[[Call, Row, Any], Optional[bool]]] = {
    "complete": _complete, "closed": _close, "remind": _remind, "extend_expiry_date": _extend,
}


def delete(call: Call) -> Response:
    """Remove a transfer with its data."""
    transfer = call.backend.repository.transfer(call.number())
    call.may_change(transfer)
    call.backend.repository.delete_transfer(transfer["id"])
    return json_response(None)


# Files.


def _own_file(call: Call) -> Row:
    file = call.backend.repository.file(call.number())
    call.may_change(call.backend.repository.transfer(file["transfer_id"]))
    return file


def get_file(call: Call) -> Response:
    """Show a file."""
    return json_response(serialize_file(_own_file(call)))


def put_file(call: Call) -> Response:
    """Complete a file: its size on disk must be the declared one. A second call has no effect.

    A gap in the middle is not detected, as on real servers.
    """
    records = call.backend.repository
    file = records.file(call.number())
    transfer = records.transfer(file["transfer_id"])
    if call.identity.user is not None:
        call.may_change(transfer)
    elif not authenticate_file_key(call) or call.arguments.get("key") != file["puid"]:
        raise ApiError("rest_authentication_required")
    check_roundtrip(call, transfer["roundtriptoken"])
    if call.fields().get("complete") is not True:
        raise ApiError("rest_bad_parameter")
    if file["complete"]:
        return json_response(True)
    if transfer["status"] not in OPEN_STATUSES:
        raise ApiError("cannot_add_data_to_complete_transfer")
    if records.objects.size(file["id"]) != stored_size(transfer, file):
        raise ApiError("file_integrity_check_failed")
    now = call.backend.now()
    begun = call.backend.signatures_begun.pop(file["id"], now)
    seconds = int(now - begun) if file["size"] else None
    with records.db.transaction():
        records.db.update("files", file["id"], complete=1)
        records.log(transfer["id"], "file_uploaded", now, call.identity.author, file, seconds)
    return json_response(True)


def delete_file(call: Call) -> Response:
    """Remove a file, and the transfer with its last file."""
    file = _own_file(call)
    records = call.backend.repository
    transfer = records.transfer(file["transfer_id"])
    if transfer["status"] == "closed":
        raise ApiError("cannot_alter_closed_transfer")
    records.db.delete("files", id=file["id"])
    records.objects.delete(file["id"])
    if not records.files(transfer["id"]):
        close_transfer(call, transfer)
    return json_response(None)


# Recipients.


def add_recipient(call: Call) -> Response:
    """Add a recipient, and mail them if the transfer is available. Duplicates are not merged."""
    backend, records = call.backend, call.backend.repository
    transfer = records.transfer(call.number())
    call.may_change(transfer)
    if call.segment(1) != "recipient":
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
    return json_response(backend.serializer.recipient(row), 201, location)


def _own_recipient(call: Call) -> Tuple[Row, Row]:
    row = call.backend.repository.recipient(call.number())
    transfer = call.backend.repository.transfer(row["transfer_id"])
    call.may_change(transfer)
    return row, transfer


def get_recipient(call: Call) -> Response:
    """Show a recipient."""
    return json_response(call.backend.serializer.recipient(_own_recipient(call)[0]))


def put_recipient(call: Call) -> Response:
    """Remind a recipient; has no effect once the transfer is closed."""
    row, transfer = _own_recipient(call)
    closed = transfer["status"] == "closed"
    if call.fields().get("remind") and row["email"] and not closed:
        call.backend.remind([row], transfer)
    return json_response(call.backend.serializer.recipient(row))


def delete_recipient(call: Call) -> Response:
    """Remove a recipient, and close the transfer with the last one."""
    row, transfer = _own_recipient(call)
    if transfer["status"] == "closed":
        raise ApiError("cannot_alter_closed_transfer")
    call.backend.database.delete("recipients", id=row["id"])
    if not call.backend.repository.recipients(transfer["id"]):
        close_transfer(call, transfer)
    return json_response(None)
