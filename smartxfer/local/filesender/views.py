"""Objects as the API shows them: keys, order and value types of a 3.8.

Source: FileSender protocol, section 5.
"""

import json
import time
from typing import Any, Dict, List, Optional

from smartxfer.local.database import Row

__all__ = [
    "author_view",
    "date",
    "file_facts",
    "file_view",
    "guest_view",
    "recipient_author_view",
    "recipient_view",
    "transfer_view",
    "user_view",
]

View = Dict[str, Any]


def date(raw: int, *, text: bool = False, clock: bool = False) -> View:
    """A moment.

    :param raw: seconds since 1970.
    :param text: show ``raw`` as a string, as right after create and extend.
    :param clock: show the time of day, too, as the audit log does.
    """
    shown = time.gmtime(raw)
    formatted = "{} {}, {}".format(time.strftime("%b", shown), shown.tm_mday, shown.tm_year)
    if clock:
        half = "AM" if shown.tm_hour < 12 else "PM"
        formatted += f", {shown.tm_hour % 12 or 12}:{shown.tm_min:02}:{shown.tm_sec:02}\u202f{half}"
    return {"raw": str(raw) if text else raw, "formatted": formatted}


def file_view(row: Row) -> View:
    """A file."""
    return {
        "id": row["id"],
        "transfer_id": row["transfer_id"],
        "puid": row["puid"],
        "name": row["name"],
        "size": row["size"],
        "sha1": None,
    }


def file_facts(transfer: Row, file: Row) -> View:
    """What a downloader is told about a file. Source: FileSender protocol, section 8.1."""
    encryption = json.loads(transfer["encryption"])
    facts: View = {
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


def recipient_view(row: Row, url: str) -> View:
    """A recipient.

    :param url: address of the site.
    """
    seen: Optional[int] = row["last_activity"]
    return {
        "id": row["id"],
        "transfer_id": row["transfer_id"],
        "token": row["token"],
        "email": row["email"],
        "created": date(row["created"]),
        "last_activity": None if seen is None else date(seen),
        "options": None,
        "download_url": "{}/?s=download&token={}".format(url, row["token"]),
        "errors": [],
    }


def transfer_view(
    row: Row, files: List[View], recipients: List[View], *, roundtriptoken: str = "", text: bool = False
) -> View:
    """A transfer.

    :param roundtriptoken: shown in the create response only.
    :param text: show ``expires.raw`` as a string.
    """
    return {
        "id": row["id"],
        "userid": row["userid"],
        "user_email": row["user_email"],
        "subject": row["subject"],
        "message": row["message"],
        "created": date(row["created"]),
        "expires": date(row["expires"], text=text),
        "expiry_date_extension": row["extensions"],
        "options": json.loads(row["options"]),
        "salt": row["salt"],
        "roundtriptoken": roundtriptoken,
        "files": files,
        "recipients": recipients,
    }


def guest_view(row: Row, url: str, *, text: bool = False) -> View:
    """A voucher.

    :param url: address of the site.
    :param text: show ``expires.raw`` as a string.
    """
    options = json.loads(row["options"])
    transfer_options = json.loads(row["transfer_options"])
    return {
        "id": row["id"],
        "userid": row["userid"],
        "user_email": row["user_email"],
        "email": row["email"],
        "token": row["token"],
        "transfer_count": row["transfer_count"],
        "subject": row["subject"],
        "message": row["message"],
        "transfer_options": transfer_options,
        "options": {**options, "guest": options, "transfer": transfer_options},
        "created": date(row["created"]),
        "expires": date(row["expires"], text=text),
        "upload_url": "{}/?s=upload&vid={}".format(url, row["token"]),
        "expiry_date_extension": 0,
        "errors": [],
    }


def user_view(row: Row) -> View:
    """A user, as ``/user/@me`` shows them."""
    return {
        "id": row["id"],
        "saml_id": row["username"],
        "additional_attributes": None,
        "aup_ticked": False,
        "transfer_preferences": {
            "email_download_complete": True,
            "email_me_on_expire": -1,
            "email_report_on_closing": -1,
        },
        "guest_preferences": [],
        "created": date(row["created"]),
        "last_activity": date(row["last_activity"]),
        "lang": "en",
        "frequent_recipients": [],
        "eventcount": 0,
        "eventip": 0,
    }


def author_view(user: Optional[Row] = None, guest: Optional[Row] = None) -> View:
    """Who did something, as the audit log names them: the guest, else the user, else nobody."""
    if guest is not None:
        return _author("Guest", guest["id"], guest["email"])
    if user is not None:
        return _author("User", user["id"], user["username"])
    return {"type": None, "id": None, "identity": None, "ip": ""}


def recipient_author_view(row: Row) -> View:
    """A recipient who did something, as the audit log names them."""
    return {**_author("Recipient", row["id"], row["email"]), "email": row["email"]}


def _author(kind: str, number: int, identity: str) -> View:
    return {"type": kind, "id": str(number), "identity": identity, "ip": ""}
