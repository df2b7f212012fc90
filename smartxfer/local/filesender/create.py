"""POST /transfer.

Source: FileSender protocol, sections 6.1, 9 and 15.
"""

import base64
import json
import re
import secrets
import uuid
from typing import Any, Dict, List

from smartxfer.local.filesender.call import ApiError, Call, Fatal, Response, Row, json_response
from smartxfer.local.filesender.encryption import encrypted_size, parameters
from smartxfer.local.filesender.fields import expiry, text, transfer_options, whole
from smartxfer.local.filesender.names import check_names, valid_address
from smartxfer.local.filesender.views import file_view

Values = Dict[str, Any]
_CID = re.compile(r"file_\d+_\d+_\d+_\d+")


def post(call: Call) -> Response:
    """Create a transfer."""
    call.user()
    given, site = call.fields(), call.backend.site
    guest = call.identity.guest
    if site.aup_required and given.get("aup_checked") is not True:
        raise ApiError("rest_bad_parameter")
    files = _files(call, given)
    encryption = parameters(given)
    if site.encryption_mandatory and not encryption["encryption"]:
        raise ApiError("transfer_must_be_encrypted")
    sender: Any = guest["email"] if guest is not None else given.get("from")
    if not valid_address(sender):
        raise ApiError("bad_email")
    options = transfer_options(given["options"]) if guest is None else json.loads(guest["transfer_options"])
    # Unknown: what a guest's transfer does where the voucher says nothing; the stock default here.
    options.setdefault("get_a_link", True)
    addresses = _recipients(call, given.get("recipients"), options, sender)
    days = site.default_transfer_days_valid, site.max_transfer_days_valid
    expires = expiry(given.get("expires"), call.backend.now(), *days)
    _check_sizes(call, files, encrypted=encryption["encryption"])
    options.pop("encryption", None)
    options["encryption"] = encryption["encryption"]
    if any("/" in file["name"] for file in files):
        options["collection"] = True
    number = _insert(call, sender, given, options, expires, encryption)
    # From here on a refusal leaves an orphan in state `created`.
    _check_entries(call, files, encryption)
    return _fill(call, number, files, addresses)


def _insert(
    call: Call, sender: str, given: Values, options: Values, expires: int, encryption: Values
) -> int:
    guest, backend = call.identity.guest, call.backend
    return backend.database.insert(
        "transfers",
        userid=call.user()["id"],
        guest_id=guest["id"] if guest is not None else None,
        user_email=sender,
        subject=text(given.get("subject")),
        message=text(given.get("message")),
        status="created",
        created=int(backend.now()),
        expires=expires,
        extensions=1 if backend.site.expiry_extension_days else 0,
        options=json.dumps(options),
        salt=base64.b64encode(secrets.token_bytes(24)).decode("ascii"),
        roundtriptoken=secrets.token_hex(16),
        chunk_size=backend.site.upload_chunk_size,
        encryption=json.dumps(encryption),
    )


def _fill(call: Call, number: int, files: List[Dict[str, Any]], addresses: List[str]) -> Response:
    records, now = call.backend.records, int(call.backend.now())
    views: List[Dict[str, Any]] = []
    with records.db.transaction():
        folders: List[str] = []
        for file in files:
            for folder in _folders(file["name"]):
                if folder not in folders:
                    folders.append(folder)
                    row = _insert_file(call, number, {"name": folder, "size": 0}, folder=True)
                    views.append(file_view(row))
            row = _insert_file(call, number, file)
            view = {**file_view(row), "cid": _cid(file.get("cid"))}
            if file["size_given"]:
                # A string here and an int later, as on real servers.
                view["size"] = str(row["size"])
            views.append(view)
        for address in addresses:
            records.add_recipient(number, address, now)
        records.set_status(number, "started")
        records.log(number, "transfer_started", now, call.identity.author)
    transfer, show = records.transfer(number), call.backend.views
    people = [show.recipient(row) for row in records.recipients(number)]
    view = show.transfer(transfer, views, people, token=transfer["roundtriptoken"], text=True)
    location = f"{call.backend.url}/rest.php/transfer/{number}"
    return json_response(view, 201, location)


def _insert_file(call: Call, number: int, file: Dict[str, Any], *, folder: bool = False) -> Row:
    records = call.backend.records
    encryption = json.loads(records.transfer(number)["encryption"])
    identity = records.db.insert(
        "files",
        transfer_id=number,
        puid=str(uuid.uuid4()),
        name=file["name"],
        size=file["size"],
        encrypted_size=encrypted_size(file["size"], call.backend.site.upload_chunk_size, encryption),
        mime=_mime(file.get("mime_type")),
        iv=text(file.get("iv")),
        aead=text(file.get("aead")),
        folder=int(folder),
        complete=0,
    )
    row = records.db.find("files", id=identity)
    assert row is not None
    return row


def _files(call: Call, given: Dict[str, Any]) -> List[Dict[str, Any]]:
    """Return the files asked for; the same (name, size) twice is one.

    A line break at the end of a name is lost. A name that is missing is an empty one, a size that is
    missing is 0, a size that is not a whole number is -1.

    :param given: the body of the request.
    """
    listed = given.get("files")
    if not isinstance(listed, list) or not isinstance(given.get("recipients", []), list):
        raise Fatal
    if "options" not in given:
        raise Fatal
    if not listed:
        raise ApiError("transfer_no_files")
    if len(listed) > call.backend.site.max_transfer_files:
        raise ApiError("transfer_too_many_files")
    files: Dict[Any, Dict[str, Any]] = {}
    for entry in listed:
        if not isinstance(entry, dict):
            raise Fatal
        name, size = text(entry.get("name")) or "", whole(entry.get("size", 0), -1)
        if not call.backend.site.any_name and name.endswith("\n"):
            name = name[:-1]
        made = {**entry, "name": name, "size": size, "size_given": "size" in entry}
        files.setdefault((name, size), made)
    return list(files.values())


def _check_entries(call: Call, files: List[Dict[str, Any]], encryption: Dict[str, Any]) -> None:
    """Check what a real server finds only when the transfer has its row.

    :raises ApiError: a name or an extension that is not allowed, a name or a size that does not fit its
        column, a key version that does not exist.
    """
    site = call.backend.site
    if encryption["encryption"] and not 0 <= encryption["key_version"] <= 3:
        raise ApiError("rest_bad_parameter")
    if not site.any_name:
        check_names(site, [file["name"] for file in files])
    for file in files:
        too_long = len(file["name"]) > 255 and not site.any_name
        if not 0 <= file["size"] < 1 << 62 or too_long:
            raise ApiError("database_access_failure")


def _check_sizes(call: Call, files: List[Dict[str, Any]], *, encrypted: bool) -> None:
    site = call.backend.site
    if sum(file["size"] for file in files) > site.max_transfer_size:
        raise ApiError("transfer_maximum_size_exceeded")
    largest = max(file["size"] for file in files)
    # Each kind has a limit of its own, and both look at the plain size.
    limit = site.max_transfer_encrypted_file_size if encrypted else site.max_transfer_file_size
    if limit and largest > limit:
        kind = "encrypted_file" if encrypted else "file"
        raise ApiError(f"transfer_maximum_{kind}_size_exceeded")


def _recipients(call: Call, given: Any, options: Dict[str, Any], sender: str) -> List[str]:
    """Addresses of the recipients; one anonymous one for a link."""
    guest = call.identity.guest
    addresses = given if isinstance(given, list) else []
    if guest is not None and json.loads(guest["options"]).get("can_only_send_to_me"):
        if addresses:
            raise ApiError("transfer_too_many_recipients")
        return [guest["user_email"]]
    # One that is malformed drops all of them.
    if not all(valid_address(address) for address in addresses):
        addresses = []
    addresses = list(dict.fromkeys(addresses))
    if options["get_a_link"]:
        return [""]
    if options.get("add_me_to_recipients"):
        addresses = [*addresses, sender]
    if not addresses and guest is None:
        # A guest's transfer without recipients takes every byte, and fails at its completion.
        raise ApiError("transfer_no_recipients")
    if len(addresses) > call.backend.site.max_transfer_recipients:
        raise ApiError("transfer_too_many_recipients")
    return list(addresses)


def _folders(name: str) -> List[str]:
    """Return the folders above a file, outermost first; an empty part of the path makes none."""
    parts = name.split("/")[:-1]
    return ["/".join(parts[: place + 1]) for place in range(len(parts)) if parts[place]]


def _cid(given: Any) -> Any:
    if given is None:
        return None
    return given if isinstance(given, str) and _CID.fullmatch(given) else False


def _mime(given: Any) -> str:
    if isinstance(given, str) and re.fullmatch(r"[\w.+-]+/[\w.+-]+", given, re.ASCII):
        return given
    return "application/binary"
