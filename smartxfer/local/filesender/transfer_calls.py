"""GET, PUT and DELETE /transfer.

Source: FileSender protocol, sections 6.4 to 6.7, 7 and 8.1.
"""

import json
from typing import Any, Callable, Dict, Optional

from smartxfer.local.exchange import Answer
from smartxfer.local.php import json_answer

from .call import TOKEN, Call
from .create import expiry
from .identify import key_call
from .records import OPEN, Row
from .refusals import Refusal

__all__ = ["close_transfer", "delete", "file_facts", "get", "put"]


def get(call: Call) -> Answer:
    """List or show transfers."""
    word = call.word(0)
    if word in ("fileids", "fileidsextended"):
        return _file_ids(call, extended=word == "fileidsextended")
    if word in ("", "@me"):
        return json_answer(_listed(call, call.user()["id"]))
    if word == "@all":
        user = call.user()
        if not call.is_admin():
            raise Refusal("rest_admin_required")
        return json_answer(_listed(call, user["id"], everybody=True))
    transfer = _readable(call)
    part = call.word(1)
    if part == "options":
        return json_answer(json.loads(transfer["options"]))
    if part == "salt":
        return json_answer(transfer["salt"])
    if part == "auditlog":
        return _audit(call, transfer)
    # `file` and `recipient` are not implemented and show the whole, as on real servers.
    return json_answer(call.service.records.show(transfer["id"], call.service.url))


def _listed(call: Call, owner: int, *, everybody: bool = False) -> Any:
    """Available transfers, newest first; ``count`` and ``startIndex`` do nothing (section 2)."""
    records = call.service.records
    rows = records.db.rows(
        "SELECT id FROM transfers WHERE status='available' AND (userid=? OR ?)"
        " ORDER BY created DESC, id DESC",
        owner,
        everybody,
    )
    return [records.show(row["id"], call.service.url) for row in rows]


def _readable(call: Call) -> Row:
    """A transfer for its owner, or for who knows a ``puid`` while it is open (section 6.6)."""
    number = call.number()
    if call.identity.user is None:
        puid = call.arguments.get("puid").lower()
        file = call.service.records.db.row(
            "SELECT status FROM transfers t JOIN files f ON f.transfer_id=t.id"
            " WHERE t.id=? AND f.puid=? AND f.folder=0",
            number if number < 1 << 62 else 0,
            puid,
        )
        if file is None or file["status"] not in OPEN:
            raise Refusal("rest_authentication_required")
        return call.service.records.transfer(number)
    transfer = call.service.records.transfer(number)
    call.may_change(transfer)
    return transfer


def _audit(call: Call, transfer: Row) -> Answer:
    if call.word(2) == "mail":
        call.service.mail(transfer["user_email"], "report", transfer)
        return json_answer(True)
    return json_answer(call.service.records.audit(transfer["id"]))


def _file_ids(call: Call, *, extended: bool) -> Answer:
    if extended:
        call.user()
    token = call.arguments.get("token")
    if not TOKEN.fullmatch(token):
        raise Refusal("token_has_bad_format")
    transfer = call.service.open_transfer(token)
    if transfer is None:
        raise Refusal("recipient_not_found")
    files = call.service.records.files(transfer["id"])
    if not extended:
        return json_answer([file["id"] for file in files])
    return json_answer([file_facts(transfer, file) for file in files])


def file_facts(transfer: Row, file: Row) -> Dict[str, Any]:
    """What a downloader is told about a file (section 8.1)."""
    encryption = json.loads(transfer["encryption"])
    facts: Dict[str, Any] = {
        "id": file["id"],
        "encrypted": encryption["encryption"],
        "mime": file["mime"],
        "name": file["name"],
        "size": file["size"],
        "encrypted_size": file["encrypted_size"],
        "key_version": encryption["key_version"],
        "key_salt": transfer["salt"],
        "password_version": encryption["password_version"],
        "password_encoding": encryption["password_encoding"],
        "password_hash_iterations": encryption["password_hash_iterations"],
        "client_entropy": encryption["client_entropy"],
        "fileiv": file["iv"] or "",
        "fileaead": file["aead"] or "",
        "transferid": transfer["id"],
    }
    # Both spellings are there, as on real servers.
    facts.update({key.replace("_", "-"): value for key, value in list(facts.items()) if "_" in key})
    return facts


def put(call: Call) -> Answer:
    """Complete, close, remind or extend a transfer."""
    transfer = call.service.records.transfer(call.number())
    if call.identity.user is not None:
        call.may_change(transfer)
    else:
        _check_key(call, transfer)
    given = call.fields()
    text = False
    for name, act in _CHANGES.items():
        if given.get(name):
            text = act(call, transfer, given[name]) is True
            break
    return json_answer(
        call.service.records.show(transfer["id"], call.service.url, text=text)
    )


def _check_key(call: Call, transfer: Row) -> None:
    """Completing needs no signature where ``key`` and ``puid`` are both a file's (section 6.2)."""
    key, puid = call.arguments.get("key").lower(), call.arguments.get("puid").lower()
    known = [file["puid"] for file in call.service.records.files(transfer["id"])]
    completes = call.fields().get("complete") is True
    if not (key_call(call) and completes and key in known and puid in known):
        raise Refusal("rest_authentication_required")


def _complete(call: Call, transfer: Row, value: Any) -> None:
    service, records = call.service, call.service.records
    if transfer["status"] == "closed":
        raise Refusal("cannot_alter_closed_transfer")
    if transfer["status"] == "available":
        return
    if not all(file["complete"] for file in records.files(transfer["id"])):
        raise Refusal("transfer_files_incomplete")
    with records.db.transaction():
        moved = records.db.change(
            "UPDATE transfers SET status='available' WHERE id=? AND status!='available'",
            transfer["id"],
        )
        if not moved:
            return
        author, now = service.author_of(transfer["id"]), service.now()
        taken = int(now - transfer["created"])
        records.log(transfer["id"], "upload_ended", now, author, None, taken)
        records.log(transfer["id"], "transfer_available", now, author, None, taken)
        if transfer["guest_id"] is not None:
            service.guest_used(transfer["guest_id"])
        mailed = [row for row in records.recipients(transfer["id"]) if row["email"]]
        if mailed:
            records.log(transfer["id"], "transfer_sent", now, author)
    for row in mailed:
        service.mail(row["email"], "transfer_available", transfer, row["token"])
    options = json.loads(transfer["options"])
    if options.get("email_upload_complete"):
        service.mail(transfer["user_email"], "upload_complete", transfer)


def _close(call: Call, transfer: Row, value: Any) -> None:
    if transfer["status"] == "closed":
        raise Refusal("cannot_alter_closed_transfer")
    close_transfer(call, transfer)


def close_transfer(call: Call, transfer: Row) -> None:
    """Close a transfer and tell its recipients; before it was available it is removed instead."""
    records = call.service.records
    if transfer["status"] in OPEN:
        records.delete_transfer(transfer["id"])
        return
    records.set_status(transfer["id"], "closed")
    records.log(transfer["id"], "transfer_closed", call.service.now(), call.identity.author)
    for row in records.recipients(transfer["id"]):
        if row["email"]:
            call.service.mail(row["email"], "transfer_closed", transfer, row["token"])


def _remind(call: Call, transfer: Row, value: Any) -> None:
    if transfer["status"] == "closed":
        raise Refusal("cannot_alter_closed_transfer")
    for row in call.service.records.recipients(transfer["id"]):
        if row["email"]:
            call.service.mail(row["email"], "transfer_reminder", transfer, row["token"])


def _extend(call: Call, transfer: Row, value: Any) -> bool:
    site, records = call.service.site, call.service.records
    if transfer["status"] == "closed":
        raise Refusal("cannot_alter_closed_transfer")
    if value is not True:
        # An absolute time works even where extensions are off (3.x).
        moment = expiry(call, value, 0)
    elif not transfer["extensions"]:
        raise Refusal("transfer_expiry_extension_not_allowed")
    else:
        moment = transfer["expires"] + site.expiry_extension_days * 86400
        records.db.run("UPDATE transfers SET extensions=extensions-1 WHERE id=?", transfer["id"])
    records.db.run("UPDATE transfers SET expires=? WHERE id=?", moment, transfer["id"])
    return True


def _ignore(call: Call, transfer: Row, value: Any) -> None:
    """A failed decryption is noted by real servers and changes nothing."""


_CHANGES: Dict[str, Callable[[Call, Row, Any], Optional[bool]]] = {
    "complete": _complete,
    "closed": _close,
    "remind": _remind,
    "extend_expiry_date": _extend,
    "decryptfailed": _ignore,
}


def delete(call: Call) -> Answer:
    """Remove a transfer with its data."""
    transfer = call.service.records.transfer(call.number())
    call.may_change(transfer)
    call.service.records.delete_transfer(transfer["id"])
    return json_answer(None)
