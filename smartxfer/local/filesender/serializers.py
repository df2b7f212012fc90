"""Objects as the API shows them: keys, order and value types of a 3.8 or a 2.67.

Source: FileSender protocol, sections 5 and 13.
"""

import json
import time
from typing import Any, Dict, List, Optional

import attrs

from smartxfer.local.database import Row, select_columns

Json = Dict[str, Any]
_ENCRYPTION = ("password_version", "password_encoding", "password_hash_iterations", "client_entropy")


def serialize_file(row: Row) -> Json:
    """A file."""
    return {**select_columns(row, "id", "transfer_id", "puid", "name", "size"), "sha1": None}


def file_access(transfer: Row, file: Row) -> Json:
    """Return the fields of a file for a recipient. Source: FileSender protocol, section 8.1."""
    encryption = json.loads(transfer["encryption"])
    more = {name: encryption[name] for name in _ENCRYPTION}
    dashed = {"encrypted_size": file["encrypted_size"], "key_version": encryption["key_version"]}
    dashed.update(key_salt=transfer["salt"], **more)
    return {
        "id": file["id"],
        "encrypted": encryption["encryption"],
        **select_columns(file, "mime", "name", "size"),
        # Both spellings exist, as on real servers.
        **{name.replace("_", "-"): value for name, value in dashed.items()},
        **dashed,
        "fileiv": file["iv"] or "",
        "fileaead": file["aead"],
        "transferid": transfer["id"],
    }


def serialize_author(user: Optional[Row] = None, guest: Optional[Row] = None) -> Json:
    """Return the author in the audit log: the guest, else the user, else none."""
    if guest is not None:
        return _author("Guest", guest["id"], guest["email"])
    if user is not None:
        return _author("User", user["id"], user["username"])
    return {"type": None, "id": None, "identity": None, "ip": ""}


def serialize_recipient_author(row: Row) -> Json:
    """Return a recipient as author in the audit log."""
    return {**_author("Recipient", row["id"], row["email"]), "email": row["email"]}


def _author(kind: str, number: int, identity: str) -> Json:
    return {"type": kind, "id": str(number), "identity": identity, "ip": ""}


@attrs.frozen
class Serializer:
    """Serializer for values that depend on the site's URL or release.

    :param url: address of the site, without a slash at its end.
    :param is_2x: use the format of an older server.
    """

    url: str
    is_2x: bool = False

    def date(self, raw: int, *, text: bool = False, clock: bool = False) -> Json:
        """Return a time with its text in the site's language.

        :param raw: seconds since 1970.
        :param text: show ``raw`` as a string, as right after create and extend.
        :param clock: show the time of day, too, as the audit log does.
        """
        local_time = time.gmtime(raw)
        month, clock_24 = time.strftime("%b", local_time), time.strftime("%H:%M:%S", local_time)
        if self.is_2x:
            formatted = f"{local_time.tm_mday:02d} {month} {local_time.tm_year}" + (
                f" {clock_24}" if clock else ""
            )
        else:
            formatted = f"{month} {local_time.tm_mday}, {local_time.tm_year}"
            if clock:
                half = "AM" if local_time.tm_hour < 12 else "PM"
                formatted += f", {local_time.tm_hour % 12 or 12}{clock_24[2:]}\u202f{half}"
        return {"raw": str(raw) if text else raw, "formatted": formatted}

    def recipient(self, row: Row) -> Json:
        """A recipient."""
        last_activity: Optional[int] = row["last_activity"]
        return {
            **select_columns(row, "id", "transfer_id", "token", "email"),
            "created": self.date(row["created"]),
            "last_activity": None if last_activity is None else self.date(last_activity), "options": None,
            "download_url": "{}/?s=download&token={}".format(self.url, row["token"]), "errors": [],
        }

    def transfer(
        self, row: Row, files: List[Json], recipients: List[Json], *, token: str = "", text: bool = False
    ) -> Json:
        """A transfer.

        :param token: its round-trip token, shown in the create response only.
        :param text: show ``expires.raw`` as a string.
        """
        return {
            **select_columns(row, "id", "userid", "user_email", "subject", "message"),
            "created": self.date(row["created"]), "expires": self.date(row["expires"], text=text),
            "expiry_date_extension": row["extensions"], "options": json.loads(row["options"]),
            "salt": row["salt"], "roundtriptoken": token, "files": files, "recipients": recipients,
        }

    def guest(self, row: Row, extensions: int, *, text: bool = False) -> Json:
        """A voucher.

        :param extensions: how often it may still be extended.
        :param text: show ``expires.raw`` as a string.
        """
        options = json.loads(row["options"])
        asked = json.loads(row["transfer_options"])
        guest_options: Json = {
            "transfer_options": asked,
            "options": {**options, "guest": options, "transfer": asked},
        }
        if self.is_2x:
            guest_options = {"options": options, "transfer_options": asked}
        expires: Json = {"raw": None, "formatted": ""}
        if not options.get("does_not_expire"):
            expires = self.date(row["expires"], text=text)
        return {
            **select_columns(row, "id", "userid", "user_email", "email", "token", "transfer_count"),
            **select_columns(row, "subject", "message"), **guest_options,
            "created": self.date(row["created"]), "expires": expires,
            "upload_url": "{}/?s=upload&vid={}".format(self.url, row["token"]),
            "expiry_date_extension": extensions, "errors": [],
        }

    def user(self, row: Row) -> Json:
        """A user, as ``/user/@me`` shows them. The meaning of the preferences is internal to the server."""
        names = ("email_download_complete", "email_me_on_expire", "email_report_on_closing")
        preferences: Json = dict(zip(names, (True, -1, -1)))
        if self.is_2x:
            preferences = dict(zip((*names[1:], names[0], "get_a_link"), (-3, -3, -2, -3)))
        return {
            "id": row["id"], "saml_id": row["username"], "additional_attributes": None, "aup_ticked": False,
            "transfer_preferences": preferences, "guest_preferences": [],
            "created": self.date(row["created"]), "last_activity": self.date(row["last_activity"]),
            "lang": "en", "frequent_recipients": [], "eventcount": 0, "eventip": 0,
        }

    def audit(self, row: Row) -> Json:
        """An entry of the audit log."""
        seconds: Optional[int] = row["time_taken"]
        return {
            "date": self.date(row["date"], clock=True), "event": row["event"],
            "author": json.loads(row["author"]), "target": json.loads(row["target"]),
            "time_taken": {"raw": seconds, "formatted": f"{seconds or 0}s"},
        }
