"""POST /transfer.

Source: FileSender protocol, sections 6.1, 9 and 15.
"""

import base64
import json
import re
import secrets
import uuid
from typing import Any, Dict, List

from smartxfer.local.filesender.call import ApiError, Call, PhpFatal, Response, Row, json_response
from smartxfer.local.filesender.encryption import encrypted_size, parameters
from smartxfer.local.filesender.name_rules import check_names, valid_address
from smartxfer.local.filesender.php_values import parse_expiry, to_int, to_text, transfer_options
from smartxfer.local.filesender.serializers import serialize_file

Values = Dict[str, Any]
_CID = re.compile(r"file_\d+_\d+_\d+_\d+")


def post(call: Call) -> Response:
    """Create a transfer."""
    call.user()
    value, site = call.fields(), call.backend.site
    guest = call.identity.guest
    if site.aup_required and value.get("aup_checked") is not True:
        raise ApiError("rest_bad_parameter")
    files = _parse_files(call, value)
    encryption = parameters(value)
    if site.encryption_mandatory and not encryption["encryption"]:
        raise ApiError("transfer_must_be_encrypted")
    sender: Any = guest["email"] if guest is not None else value.get("from")
    if not valid_address(sender):
        raise ApiError("bad_email")
    options = transfer_options(value["options"]) if guest is None else json.loads(guest["transfer_options"])
    # Assumption: without a value in the voucher a guest's transfer has the site's default.
    options.setdefault("get_a_link", True)
    addresses = _parse_recipients(call, value.get("recipients"), options, sender)
    days = site.default_transfer_days_valid, site.max_transfer_days_valid
    expires = parse_expiry(value.get("expires"), call.backend.now(), *days)
    _check_sizes(call, files, encrypted=encryption["encryption"])
    options.pop("encryption", None)
    options["encryption"] = encryption["encryption"]
    if any("/" in file["name"] for file in files):
        options["collection"] = True
    number = _insert(call, sender, value, options, expires, encryption)
    # From here on an error leaves an orphan in state `created`.
    _check_entries(call, files, encryption)
    return _insert_contents(call, number, files, addresses)


def _insert(
    call: Call, sender: str, values: Values, options: Values, expires: int, encryption: Values
) -> int:
    guest, backend = call.identity.guest, call.backend
    return backend.database.insert(
        "transfers", userid=call.user()["id"], guest_id=guest["id"] if guest is not None else None,
        user_email=sender, subject=to_text(values.get("subject")), message=to_text(values.get("message")),
        status="created", created=int(backend.now()), expires=expires,
        extensions=1 if backend.site.expiry_extension_days else 0, options=json.dumps(options),
        salt=base64.b64encode(secrets.token_bytes(24)).decode("ascii"), roundtriptoken=secrets.token_hex(16),
        chunk_size=backend.site.upload_chunk_size, encryption=json.dumps(encryption),
    )


def _insert_contents(call: Call, number: int, files: List[Dict[str, Any]], addresses: List[str]) -> Response:
    records, now = call.backend.repository, int(call.backend.now())
    views: List[Dict[str, Any]] = []
    with records.db.transaction():
        folders: List[str] = []
        for file in files:
            for folder in _split_folders(file["name"]):
                if folder not in folders:
                    folders.append(folder)
                    row = _insert_file(call, number, {"name": folder, "size": 0}, folder=True)
                    views.append(serialize_file(row))
            row = _insert_file(call, number, file)
            view = {**serialize_file(row), "cid": _parse_cid(file.get("cid"))}
            if file["size_given"]:
                # A string here and an int in later responses, as on real servers.
                view["size"] = str(row["size"])
            views.append(view)
        for address in addresses:
            records.add_recipient(number, address, now)
        records.set_status(number, "started")
        records.log(number, "transfer_started", now, call.identity.author)
    transfer, show = records.transfer(number), call.backend.serializer
    users = [show.recipient(row) for row in records.recipients(number)]
    view = show.transfer(transfer, views, users, token=transfer["roundtriptoken"], text=True)
    location = f"{call.backend.url}/rest.php/transfer/{number}"
    return json_response(view, 201, location)


def _insert_file(call: Call, number: int, file: Dict[str, Any], *, folder: bool = False) -> Row:
    records = call.backend.repository
    encryption = json.loads(records.transfer(number)["encryption"])
    identity = records.db.insert(
        "files",
        transfer_id=number,
        puid=str(uuid.uuid4()),
        name=file["name"],
        size=file["size"],
        encrypted_size=encrypted_size(file["size"], call.backend.site.upload_chunk_size, encryption),
        mime=_parse_mime(file.get("mime_type")),
        iv=to_text(file.get("iv")),
        aead=to_text(file.get("aead")),
        folder=int(folder),
        complete=0,
    )
    row = records.db.find("files", id=identity)
    assert row is not None
    return row


def _parse_files(call: Call, values: Dict[str, Any]) -> List[Dict[str, Any]]:
    """Return the requested files; duplicates of (name, size) are merged.

    A line break at the end of a name is removed. A missing name is an empty one, a missing
    size is 0, a size that is not an integer is -1.

    :param values: the body of the request.
    """
    entries = values.get("files")
    if not isinstance(entries, list) or not isinstance(values.get("recipients", []), list):
        raise PhpFatal
    if "options" not in values:
        raise PhpFatal
    if not entries:
        raise ApiError("transfer_no_files")
    if len(entries) > call.backend.site.max_transfer_files:
        raise ApiError("transfer_too_many_files")
    files: Dict[Any, Dict[str, Any]] = {}
    for entry in entries:
        if not isinstance(entry, dict):
            raise PhpFatal
        name, size = to_text(entry.get("name")) or "", to_int(entry.get("size", 0), -1)
        if not call.backend.site.any_name and name.endswith("\n"):
            name = name[:-1]
        parsed = {**entry, "name": name, "size": size, "size_given": "size" in entry}
        files.setdefault((name, size), parsed)
    return list(files.values())


def _check_entries(call: Call, files: List[Dict[str, Any]], encryption: Dict[str, Any]) -> None:
    """Apply the checks that a real server does after the insertion of the transfer.

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
    # Plain and encrypted files have separate limits, both of the plain size.
    limit = site.max_transfer_encrypted_file_size if encrypted else site.max_transfer_file_size
    if limit and largest > limit:
        kind = "encrypted_file" if encrypted else "file"
        raise ApiError(f"transfer_maximum_{kind}_size_exceeded")


def _parse_recipients(call: Call, values: Any, options: Dict[str, Any], sender: str) -> List[str]:
    """Return the addresses of the recipients; an anonymous one for a link."""
    guest = call.identity.guest
    addresses = values if isinstance(values, list) else []
    if guest is not None and json.loads(guest["options"]).get("can_only_send_to_me"):
        if addresses:
            raise ApiError("transfer_too_many_recipients")
        return [guest["user_email"]]
    # One malformed address drops all of them.
    if not all(valid_address(address) for address in addresses):
        addresses = []
    addresses = list(dict.fromkeys(addresses))
    if options["get_a_link"]:
        return [""]
    if options.get("add_me_to_recipients"):
        addresses = [*addresses, sender]
    if not addresses and guest is None:
        # A guest's transfer without recipients accepts every byte, and fails at its completion.
        raise ApiError("transfer_no_recipients")
    if len(addresses) > call.backend.site.max_transfer_recipients:
        raise ApiError("transfer_too_many_recipients")
    return list(addresses)


def _split_folders(name: str) -> List[str]:
    """Return the folders above a file, outermost first, without empty path segments."""
    parts = name.split("/")[:-1]
    return ["/".join(parts[: place + 1]) for place in range(len(parts)) if parts[place]]


def _parse_cid(value: Any) -> Any:
    if value is None:
        return None
    return value if isinstance(value, str) and _CID.fullmatch(value) else False


def _parse_mime(value: Any) -> str:
    if isinstance(value, str) and re.fullmatch(r"[\w.+-]+/[\w.+-]+", value, re.ASCII):
        return value
    return "application/binary"
