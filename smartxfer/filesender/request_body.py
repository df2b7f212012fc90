"""Builders for the bodies of creating and changing requests from the arguments of the caller.

Source: FileSender protocol, sections 6.1, 6.3, 6.4, 7, 9 and 10.
"""

import datetime as dt
import mimetypes
from typing import Any, Dict, Iterable, List, Mapping, Optional, Sequence

from smartxfer.errors import UsageError
from smartxfer.filesender import request_types as types
from smartxfer.transfer.local_files import LocalFile
from smartxfer.validation import EXTRA_HINT, merge_extra, validate_keys

__all__ = ["Extra", "build_guest_body", "build_raw_transfer_body", "build_transfer_body", "build_update_body"]

Extra = Optional[Mapping[str, Any]]
"""Body fields that this version does not support."""

_KEY_SYNONYMS = {
    "to": "recipients",
    "email": "recipients",
    "emails": "recipients",
    "mail": "recipients",
    "sender": "from",
    "from_": "from",
    "body": "message",
    "text": "message",
    "title": "subject",
    "days": "expires",
}


def _allowed_keys(*typed_dicts: Any) -> List[str]:
    return [name for kind in typed_dicts for name in kind.__annotations__]


_TRANSFER_OPTION_NAMES = _allowed_keys(types.TransferOptions)
_GUEST_KEY_SYNONYMS = {
    synonym: "recipient" if key == "recipients" else key for synonym, key in _KEY_SYNONYMS.items()
}


def build_transfer_body(
    local_files: Sequence[LocalFile],
    transfer_args: Mapping[str, Any],
    sender: Optional[str],
    link: bool,
    extra: Extra = None,
) -> Dict[str, Any]:
    """Return the body of ``POST /transfer`` for an upload.

    ``get_a_link`` is always sent, because the server otherwise sets it and discards the recipients.

    :param sender: default of ``from``; None for a guest.
    :param link: True to create a link, without recipients.
    :raises UsageError: an unknown key or option, or a key that is present but empty.

    Source: FileSender protocol, section 6.1.
    """
    _require_mapping(transfer_args, "upload_workflow(files, {'recipients': [...]})", "transfer_args")
    validate_keys(
        transfer_args,
        _allowed_keys(types.PartialTransfer),
        "transfer_args",
        synonyms=_KEY_SYNONYMS,
        hint=EXTRA_HINT,
    )
    body = {name: value for name, value in transfer_args.items() if value is not None}
    recipients = _parse_recipients(transfer_args["recipients"]) if "recipients" in transfer_args else []
    if "recipients" in transfer_args and not recipients and sender is not None:
        raise _build_empty_recipients_error()  # for a guest the voucher determines the recipients
    options = _parse_options(body.get("options", {}), "options")
    wants_link = bool(options.get("get_a_link", link or not recipients))
    if wants_link and recipients:
        raise UsageError(
            "a transfer with a link cannot have recipients: the site would not mail them",
            hint="leave out recipients, or link=True and get_a_link",
        )
    if not wants_link and not recipients and sender is not None and not options.get("add_me_to_recipients"):
        raise UsageError(
            "a transfer without a link needs recipients", hint="pass recipients, or leave out get_a_link"
        )
    if sender is not None:
        body.setdefault("from", sender)
    body["recipients"] = recipients
    body["options"] = {"email_download_complete": True, **options, "get_a_link": wants_link}
    body["files"] = [
        {
            "name": item.name,
            "size": item.size,
            "mime_type": mimetypes.guess_type(item.name)[0] or "application/octet-stream",
            "cid": f"file_{number}_{item.size}_0_0",
        }
        for number, item in enumerate(local_files)
    ]
    return merge_extra(_convert_expires(body), extra)


def build_raw_transfer_body(fields: Mapping[str, Any], guest: bool, extra: Extra = None) -> Dict[str, Any]:
    """Return the body of ``POST /transfer`` from a body of the caller, with an explicit ``get_a_link``.

    :param guest: True for a guest, whose transfer may have no recipients.
    :raises UsageError: an unknown key or option, no files, or an empty list of recipients without a link.
    """
    _require_mapping(fields, "create_transfer({'files': [{'name': 'a.txt', 'size': 3}], ...})")
    validate_keys(fields, _allowed_keys(types.Transfer), "body", synonyms=_KEY_SYNONYMS, hint=EXTRA_HINT)
    files = fields.get("files")
    if not isinstance(files, (list, tuple)) or not files:
        raise UsageError(
            "missing or empty list: body['files']", hint="pass {'files': [{'name': 'a.txt', 'size': 3}], ...}"
        )
    for file in files:
        validate_keys(file, _allowed_keys(types.File), "a file", hint=EXTRA_HINT)
        size = file.get("size")
        if not isinstance(file.get("name"), str) or isinstance(size, bool) or not isinstance(size, int):
            raise UsageError(
                f"invalid name or size of a file: {file.get('name')!r}, {size!r}",
                hint="pass the name as text and the size in bytes: {'name': 'a.txt', 'size': 3}",
            )
    recipients = _parse_recipients(fields["recipients"]) if "recipients" in fields else []
    options = _parse_options(fields.get("options") or {}, "options")
    link = options.setdefault("get_a_link", not recipients and not options.get("add_me_to_recipients"))
    if "recipients" in fields and not recipients and link and not guest:
        explicit_link = _parse_options(fields.get("options") or {}, "options").get("get_a_link")
        if not explicit_link:
            raise _build_empty_recipients_error()
    body = {**fields, "recipients": recipients, "options": options, "files": list(files)}
    return merge_extra(_convert_expires(body), extra)


def build_guest_body(fields: Mapping[str, Any], extra: Extra = None) -> Dict[str, Any]:
    """Return the body of ``POST /guest``, with an explicit ``get_a_link`` as in transfers.

    The value True is the site's default: the guest's transfers become links, which have no recipients.  It
    is not added if the guest can send to the inviter only, because the site then clears it.

    :raises UsageError: an unknown key or option.

    Source: FileSender protocol, section 10.
    """
    _require_mapping(fields, "create_guest({'recipient': 'ann@example.org'})")
    validate_keys(fields, _allowed_keys(types.Guest), "body", synonyms=_GUEST_KEY_SYNONYMS, hint=EXTRA_HINT)
    options = fields.get("options")
    validate_keys(options, _allowed_keys(types.GuestAllOptions), "options", hint=EXTRA_HINT)
    for name, known in (("guest", _allowed_keys(types.GuestOptions)), ("transfer", _TRANSFER_OPTION_NAMES)):
        validate_keys((options or {}).get(name), known, f"options[{name!r}]", hint=EXTRA_HINT)
    body = _convert_expires(dict(fields))
    all_options = dict(options or {})
    guest, transfer = all_options.get("guest") or {}, all_options.get("transfer") or {}
    if isinstance(transfer, Mapping) and not (
        isinstance(guest, Mapping) and guest.get("can_only_send_to_me")
    ):
        body["options"] = {**all_options, "guest": guest, "transfer": {"get_a_link": True, **transfer}}
    return merge_extra(body, extra)


def _require_mapping(value: Any, hint: str, name: str = "body") -> None:
    if not isinstance(value, Mapping):
        raise UsageError(f"{name} must be a dict, not a {type(value).__name__}", hint=hint)


def _convert_expires(body: Dict[str, Any]) -> Dict[str, Any]:
    """Return a copy of the body in which a textual ``expires`` is converted to seconds since the epoch.

    Sites ignore a textual date without an error and use their default instead.

    Source: FileSender protocol, section 15.
    """
    expires = body.get("expires")
    if not isinstance(expires, str):
        return body
    if expires.isascii() and expires.isdigit():
        return {**body, "expires": int(expires)}
    try:
        day = dt.datetime.strptime(expires, "%Y-%m-%d").replace(tzinfo=dt.timezone.utc)
    except ValueError:
        raise UsageError(
            f"invalid expires: {expires!r}", hint="pass seconds since the epoch, or a date as YYYY-MM-DD"
        ) from None
    return {**body, "expires": int(day.timestamp())}


def build_update_body(fields: Mapping[str, Any], typed_dict: Any, extra: Extra = None) -> Dict[str, Any]:
    """Return the body of an update.

    :param typed_dict: TypedDict with the allowed keys.
    :raises UsageError: the body is empty or has an unknown key.
    """
    _require_mapping(fields, f"pass a dict with one of {', '.join(_allowed_keys(typed_dict))}")
    validate_keys(fields, _allowed_keys(typed_dict), "body", hint=EXTRA_HINT)
    body = merge_extra(dict(fields), extra)
    if not body:
        raise UsageError("body is empty", hint=f"pass one of {', '.join(_allowed_keys(typed_dict))}")
    return body


def _parse_recipients(value: Any) -> List[str]:
    """Return the addresses as a list; a single address may be text."""
    if isinstance(value, str):
        return [value] if value else []
    if value is None:
        return []
    if isinstance(value, (bytes, Mapping)) or not isinstance(value, Iterable):
        raise UsageError(
            f"recipients must be a list of addresses, not a {type(value).__name__}",
            hint="pass recipients=['ann@example.org']",
        )
    return list(value)


def _build_empty_recipients_error() -> UsageError:
    return UsageError(
        "recipients is empty: the site would not mail the files to anyone",
        hint="pass recipients, or leave out the key to create a link",
    )


def _parse_options(value: Any, name: str) -> Dict[str, Any]:
    """Return options by name; a list of names sets each to True."""
    validate_keys(
        value,
        _TRANSFER_OPTION_NAMES,
        name,
        hint="to send an option that this version does not support, pass extra={'options': {...}}",
    )
    return dict(value) if isinstance(value, Mapping) else dict.fromkeys(value, True)
