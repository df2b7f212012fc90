"""Objects as the API shows them: keys, order and value types of a 3.8 or a 2.67.

Source: FileSender protocol, sections 5 and 13.
"""

import json
import time
from typing import Any, Dict, List, Optional

import attrs

from smartxfer.local.database import Row

__all__ = ["Views", "author_view", "file_facts", "file_view", "recipient_author_view"]

View = Dict[str, Any]


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
        "fileaead": file["aead"],
        "transferid": transfer["id"],
    }
    # Both spellings are there, as on real servers.
    both = [name for name in facts if "_" in name]
    last = {name: facts.pop(name) for name in ("fileiv", "fileaead", "transferid")}
    spelt = {name.replace("_", "-"): facts.pop(name) for name in both}
    facts.update(spelt)
    facts.update({name: spelt[name.replace("_", "-")] for name in both})
    return {**facts, **last}


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


@attrs.frozen
class Views:
    """How a site shows what depends on its address or its release.

    :param url: address of the site, without a slash at its end.
    :param is_2x: show what an older server shows.
    """

    url: str
    is_2x: bool = False

    def date(self, raw: int, *, text: bool = False, clock: bool = False) -> View:
        """A moment, in the words of the site's language.

        :param raw: seconds since 1970.
        :param text: show ``raw`` as a string, as right after create and extend.
        :param clock: show the time of day, too, as the audit log does.
        """
        shown = time.gmtime(raw)
        month, clock_24 = time.strftime("%b", shown), time.strftime("%H:%M:%S", shown)
        if self.is_2x:
            formatted = f"{shown.tm_mday:02d} {month} {shown.tm_year}" + (f" {clock_24}" if clock else "")
        else:
            formatted = f"{month} {shown.tm_mday}, {shown.tm_year}"
            if clock:
                half = "AM" if shown.tm_hour < 12 else "PM"
                formatted += f", {shown.tm_hour % 12 or 12}{clock_24[2:]}\u202f{half}"
        return {"raw": str(raw) if text else raw, "formatted": formatted}

    def recipient(self, row: Row) -> View:
        """A recipient."""
        seen: Optional[int] = row["last_activity"]
        return {
            "id": row["id"],
            "transfer_id": row["transfer_id"],
            "token": row["token"],
            "email": row["email"],
            "created": self.date(row["created"]),
            "last_activity": None if seen is None else self.date(seen),
            "options": None,
            "download_url": "{}/?s=download&token={}".format(self.url, row["token"]),
            "errors": [],
        }

    def transfer(
        self, row: Row, files: List[View], recipients: List[View], *, token: str = "", text: bool = False
    ) -> View:
        """A transfer.

        :param token: its round-trip token, shown in the create response only.
        :param text: show ``expires.raw`` as a string.
        """
        return {
            "id": row["id"],
            "userid": row["userid"],
            "user_email": row["user_email"],
            "subject": row["subject"],
            "message": row["message"],
            "created": self.date(row["created"]),
            "expires": self.date(row["expires"], text=text),
            "expiry_date_extension": row["extensions"],
            "options": json.loads(row["options"]),
            "salt": row["salt"],
            "roundtriptoken": token,
            "files": files,
            "recipients": recipients,
        }

    def guest(self, row: Row, extensions: int, *, text: bool = False) -> View:
        """A voucher.

        :param extensions: how often it may still be extended.
        :param text: show ``expires.raw`` as a string.
        """
        options = json.loads(row["options"])
        asked = json.loads(row["transfer_options"])
        shown: View = {"transfer_options": asked, "options": {**options, "guest": options, "transfer": asked}}
        if self.is_2x:
            shown = {"options": options, "transfer_options": asked}
        expires: View = {"raw": None, "formatted": ""}
        if not options.get("does_not_expire"):
            expires = self.date(row["expires"], text=text)
        return {
            "id": row["id"],
            "userid": row["userid"],
            "user_email": row["user_email"],
            "email": row["email"],
            "token": row["token"],
            "transfer_count": row["transfer_count"],
            "subject": row["subject"],
            "message": row["message"],
            **shown,
            "created": self.date(row["created"]),
            "expires": expires,
            "upload_url": "{}/?s=upload&vid={}".format(self.url, row["token"]),
            "expiry_date_extension": extensions,
            "errors": [],
        }

    def user(self, row: Row) -> View:
        """A user, as ``/user/@me`` shows them. What the preferences mean is the server's own affair."""
        preferences = {
            "email_download_complete": True,
            "email_me_on_expire": -1,
            "email_report_on_closing": -1,
        }
        if self.is_2x:
            preferences = {
                "email_me_on_expire": -3,
                "email_report_on_closing": -3,
                "email_download_complete": -2,
                "get_a_link": -3,
            }
        return {
            "id": row["id"],
            "saml_id": row["username"],
            "additional_attributes": None,
            "aup_ticked": False,
            "transfer_preferences": preferences,
            "guest_preferences": [],
            "created": self.date(row["created"]),
            "last_activity": self.date(row["last_activity"]),
            "lang": "en",
            "frequent_recipients": [],
            "eventcount": 0,
            "eventip": 0,
        }

    def audit(self, row: Row) -> View:
        """An entry of the audit log."""
        taken: Optional[int] = row["time_taken"]
        return {
            "date": self.date(row["date"], clock=True),
            "event": row["event"],
            "author": json.loads(row["author"]),
            "target": json.loads(row["target"]),
            "time_taken": {"raw": taken, "formatted": f"{taken or 0}s"},
        }
