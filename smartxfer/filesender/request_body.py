"""Bodies of the writing calls, made of what the caller gives.

Source: FileSender protocol, sections 6.1, 6.3, 6.4, 7, 9 and 10.
"""

import datetime as dt
import mimetypes
from typing import Any, Dict, Iterable, List, Mapping, Optional, Sequence

from smartxfer.errors import UsageError
from smartxfer.filesender import request_types as types
from smartxfer.options import DELIBERATE, check_keys, with_extra
from smartxfer.transfer.tree import Item

__all__ = ["Extra", "check_update", "guest_body", "raw_transfer_body", "transfer_body"]

Extra = Optional[Mapping[str, Any]]
"""Fields of a body that this version does not know."""

_SYNONYMS = {
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


def _keys(*kinds: Any) -> List[str]:
    return [name for kind in kinds for name in kind.__annotations__]


_OPTIONS = _keys(types.TransferOptions)
_GUEST_SYNONYMS = {
    word: "recipient" if key == "recipients" else key for word, key in _SYNONYMS.items()
}


def transfer_body(
    items: Sequence[Item],
    transfer_args: Mapping[str, Any],
    sender: Optional[str],
    link: bool,
    extra: Extra = None,
) -> Dict[str, Any]:
    """Return the body of ``POST /transfer`` for files that are to be sent.

    ``get_a_link`` is always sent: a server left to itself turns it on and discards the recipients.

    :param sender: the default of ``from``; None for a guest.
    :param link: whether a transfer without recipients is wanted.
    :raises UsageError: an unknown key or option, or a key that is present but empty.

    Source: FileSender protocol, section 6.1.
    """
    _check_body(transfer_args, "upload_workflow(files, {'recipients': [...]})", "transfer_args")
    check_keys(
        transfer_args, _keys(types.PartialTransfer), "transfer_args", synonyms=_SYNONYMS, hint=DELIBERATE
    )
    body = {name: value for name, value in transfer_args.items() if value is not None}
    recipients = _recipients(transfer_args["recipients"]) if "recipients" in transfer_args else []
    if "recipients" in transfer_args and not recipients and sender is not None:
        raise _empty_recipients()  # what a guest's files become is for the voucher to say
    options = _options(body.get("options", {}), "options")
    wants_link = bool(options.get("get_a_link", link or not recipients))
    if wants_link and recipients:
        raise UsageError(
            "a transfer with a link has no recipients: the server would send them nothing",
            hint="leave out the recipients, or the link",
        )
    if not wants_link and not recipients and sender is not None and not options.get("add_me_to_recipients"):
        raise UsageError(
            "a transfer without a link needs recipients", hint="name them, or leave out get_a_link"
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
        for number, item in enumerate(items)
    ]
    return with_extra(_dated(body), extra)


def raw_transfer_body(given: Mapping[str, Any], guest: bool, extra: Extra = None) -> Dict[str, Any]:
    """Return the body of ``POST /transfer`` that a caller has written, with ``get_a_link`` made explicit.

    :param guest: whether a guest asks, whose transfer may be without recipients.
    :raises UsageError: an unknown key or option, no files, or an empty list of recipients without a link.
    """
    _check_body(given, "create_transfer({'files': [{'name': 'a.txt', 'size': 3}], ...})")
    check_keys(given, _keys(types.Transfer), "body", synonyms=_SYNONYMS, hint=DELIBERATE)
    files = given.get("files")
    if not isinstance(files, (list, tuple)) or not files:
        raise UsageError("files is a list of at least one {'name': ..., 'size': ...}")
    for file in files:
        check_keys(file, _keys(types.File), "a file", hint=DELIBERATE)
        size = file.get("size")
        if not isinstance(file.get("name"), str) or isinstance(size, bool) or not isinstance(size, int):
            raise UsageError(f"a file has a name and a size in bytes, not {file.get('name')!r} and {size!r}")
    recipients = _recipients(given["recipients"]) if "recipients" in given else []
    options = _options(given.get("options") or {}, "options")
    link = options.setdefault("get_a_link", not recipients and not options.get("add_me_to_recipients"))
    if "recipients" in given and not recipients and link and not guest:
        asked = _options(given.get("options") or {}, "options").get("get_a_link")
        if not asked:
            raise _empty_recipients()
    body = {**given, "recipients": recipients, "options": options, "files": list(files)}
    return with_extra(_dated(body), extra)


def guest_body(given: Mapping[str, Any], extra: Extra = None) -> Dict[str, Any]:
    """Return the body of ``POST /guest``, with ``get_a_link`` made explicit as in transfers.

    It is what a site takes by itself: the guest's files become links, which have no recipients.  Where the
    guest can send to the inviter only, the site turns it off.

    :raises UsageError: an unknown key or option.

    Source: FileSender protocol, section 10.
    """
    _check_body(given, "create_guest({'recipient': 'ann@example.org'})")
    check_keys(given, _keys(types.Guest), "body", synonyms=_GUEST_SYNONYMS, hint=DELIBERATE)
    options = given.get("options")
    check_keys(options, _keys(types.GuestAllOptions), "options", hint=DELIBERATE)
    for name, known in (("guest", _keys(types.GuestOptions)), ("transfer", _OPTIONS)):
        check_keys((options or {}).get(name), known, f"options[{name!r}]", hint=DELIBERATE)
    body = _dated(dict(given))
    asked = dict(options or {})
    of_guest, of_transfers = asked.get("guest") or {}, asked.get("transfer") or {}
    if isinstance(of_transfers, Mapping) and not (
        isinstance(of_guest, Mapping) and of_guest.get("can_only_send_to_me")
    ):
        body["options"] = {**asked, "guest": of_guest, "transfer": {"get_a_link": True, **of_transfers}}
    return with_extra(body, extra)


def _check_body(given: Any, hint: str, what: str = "body") -> None:
    if not isinstance(given, Mapping):
        raise UsageError(f"{what} is a dict, not a {type(given).__name__}", hint=hint)


def _dated(body: Dict[str, Any]) -> Dict[str, Any]:
    """Return a body whose ``expires`` is a number where it was text.

    Sites ignore a date as text, without an error: the transfer then lives as long as their default.

    Source: FileSender protocol, section 15.
    """
    given = body.get("expires")
    if not isinstance(given, str):
        return body
    if given.isascii() and given.isdigit():
        return {**body, "expires": int(given)}
    try:
        day = dt.datetime.strptime(given, "%Y-%m-%d").replace(tzinfo=dt.timezone.utc)
    except ValueError:
        raise UsageError(f"expires {given!r} is neither seconds since the epoch nor YYYY-MM-DD") from None
    return {**body, "expires": int(day.timestamp())}


def check_update(given: Mapping[str, Any], kind: Any, extra: Extra = None) -> Dict[str, Any]:
    """Return the body of a change.

    :param kind: the TypedDict whose keys it may have.
    :raises UsageError: an unknown key, or no change at all.
    """
    _check_body(given, f"give a dict with one of {', '.join(_keys(kind))}")
    check_keys(given, _keys(kind), "body", hint=DELIBERATE)
    body = with_extra(dict(given), extra)
    if not body:
        raise UsageError("body holds no change", hint=f"give one of {', '.join(_keys(kind))}")
    return body


def _recipients(given: Any) -> List[str]:
    """Return the addresses; one may be given as text."""
    if isinstance(given, str):
        return [given] if given else []
    if given is None:
        return []
    if isinstance(given, (bytes, Mapping)) or not isinstance(given, Iterable):
        raise UsageError(f"recipients is a list of addresses, not a {type(given).__name__}")
    return list(given)


def _empty_recipients() -> UsageError:
    return UsageError(
        "recipients is empty: the site would mail no recipient",
        hint="name recipients, or leave out the key to make a link",
    )


def _options(given: Any, what: str) -> Dict[str, Any]:
    """Return options by name; a list of names switches them on."""
    check_keys(given, _OPTIONS, what, hint="extra={'options': {...}} sends an option that is not known here")
    return dict(given) if isinstance(given, Mapping) else dict.fromkeys(given, True)
