"""Models of the objects in the site's responses.

Source: FileSender protocol, sections 4, 5 and 8.1.
"""

import datetime as dt
from typing import Any, Dict, List, Mapping, Optional, Sequence, Type

import attrs

from smartxfer.filesender.errors import ERRORS, FileSenderDecodeError
from smartxfer.models import Model, count_field, secret_field

__all__ = [
    "AuditEntry",
    "Date",
    "DownloadFile",
    "File",
    "Guest",
    "Quota",
    "Recipient",
    "ServerInfo",
    "TrackingError",
    "Transfer",
]

#: Values that a download page prints as an empty string.  Sites reject empty names, so an empty name on the
#: page is the name ``0``.
_EMPTY_VALUES: Mapping[str, Any] = {
    "name": "0",
    "mime": "",
    "size": 0,
    "encrypted_size": 0,
    "key_version": 0,
    "password_version": 0,
    "password_hash_iterations": 0,
}
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.timezone.utc)


class FileSenderModel(Model):
    """Base class of the models, which raises errors of FileSender."""

    _error_family = ERRORS


@attrs.frozen(slots=False, eq=False, repr=False)
class Date(FileSenderModel):
    """A time: ``raw`` in seconds since the epoch, ``formatted`` in the site's language."""

    raw: Optional[int] = None
    formatted: str = ""

    @property
    def datetime(self) -> Optional[dt.datetime]:
        """The time in UTC; None if it is missing or out of range."""
        if self.raw is None:
            return None
        try:
            return _EPOCH + dt.timedelta(seconds=self.raw)
        except OverflowError:
            return None


@attrs.frozen(slots=False, eq=False, repr=False)
class TrackingError(FileSenderModel):
    """A mail that could not be delivered."""

    type: Optional[str] = None
    date: Optional[Date] = None
    details: Any = None


@attrs.frozen(slots=False, eq=False, repr=False)
class Recipient(FileSenderModel):
    """A recipient of a transfer; ``email`` is empty for a link."""

    id: int
    transfer_id: Optional[int] = None
    token: str = secret_field(default="")
    email: Optional[str] = None
    created: Optional[Date] = None
    last_activity: Optional[Date] = None
    options: Any = None
    download_url: str = secret_field(default="")
    errors: List[TrackingError] = attrs.field(factory=list)


@attrs.frozen(slots=False, eq=False, repr=False)
class File(FileSenderModel):
    """A file of a transfer; ``size`` in bytes, ``puid`` authorises its upload (``uid`` on older sites)."""

    id: int
    name: str
    size: int = count_field()
    transfer_id: Optional[int] = None
    puid: str = secret_field(default="")
    uid: str = secret_field(default="")
    sha1: Optional[str] = None
    cid: Any = None

    @property
    def key(self) -> str:
        """Key that authorises requests for its chunks."""
        return self.puid or self.uid


@attrs.frozen(slots=False, eq=False, repr=False)
class Transfer(FileSenderModel):
    """A transfer; ``roundtriptoken`` is only in the response to its creation.

    ``results`` is set by an upload: one result per file.  It is not part of the response.
    """

    id: int
    userid: Optional[int] = None
    user_email: Optional[str] = None
    subject: Optional[str] = None
    message: Optional[str] = None
    created: Optional[Date] = None
    expires: Optional[Date] = None
    expiry_date_extension: Optional[int] = None
    options: Any = attrs.field(factory=dict)
    salt: Optional[str] = secret_field(default=None)
    roundtriptoken: str = secret_field(default="")
    files: List[File] = attrs.field(factory=list)
    recipients: List[Recipient] = attrs.field(factory=list)
    results: Sequence[Any] = attrs.field(init=False, default=())

    @property
    def download_url(self) -> str:
        """Download link of the first recipient, or of a link transfer; empty without recipients."""
        return self.recipients[0].download_url if self.recipients else ""

    @property
    def token(self) -> str:
        """Download token of the first recipient; empty without recipients."""
        return self.recipients[0].token if self.recipients else ""


@attrs.frozen(slots=False, eq=False, repr=False)
class Guest(FileSenderModel):
    """A voucher; ``token`` is the value of ``vid=`` in its link."""

    id: int
    userid: Optional[int] = None
    user_email: Optional[str] = None
    email: Optional[str] = None
    token: str = secret_field(default="")
    transfer_count: Optional[int] = None
    subject: Optional[str] = None
    message: Optional[str] = None
    transfer_options: Any = attrs.field(factory=dict)
    options: Any = attrs.field(factory=dict)
    created: Optional[Date] = None
    expires: Optional[Date] = None
    upload_url: str = secret_field(default="")
    expiry_date_extension: Optional[int] = None
    errors: List[TrackingError] = attrs.field(factory=list)


@attrs.frozen(slots=False, eq=False, repr=False)
class AuditEntry(FileSenderModel):
    """An entry of the audit log: ``event`` at ``date``, by ``author``, concerning ``target``."""

    event: str
    date: Optional[Date] = None
    author: Any = None
    target: Any = None
    time_taken: Optional[Date] = None


@attrs.frozen(slots=False, eq=False, repr=False)
class Quota(FileSenderModel):
    """Storage quota of a user in bytes: ``total``, ``used`` and ``available``."""

    total: Optional[int] = None
    used: Optional[int] = None
    available: Optional[int] = None


@attrs.frozen(slots=False, eq=False, repr=False)
class ServerInfo(FileSenderModel):
    """Name, URLs and upload settings of a site; ``upload_chunk_size`` in bytes."""

    url: Optional[str] = None
    name: Optional[str] = None
    logon_url: Optional[str] = None
    upload_chunk_size: Optional[int] = None
    forward_capabilities: Any = None


@attrs.frozen(slots=False, eq=False, repr=False)
class DownloadFile(FileSenderModel):
    """A file of a download link; sizes in bytes, ``chunk_size`` is that of its upload."""

    id: int
    name: str
    size: int
    mime: Optional[str] = None
    transferid: Optional[int] = None
    encrypted: bool = False
    encrypted_size: Optional[int] = None
    chunk_size: Optional[int] = None
    crypted_chunk_size: Optional[int] = None
    key_version: Optional[int] = None
    key_salt: Optional[str] = secret_field(default=None)
    password_version: Optional[int] = None
    password_encoding: Optional[str] = None
    password_hash_iterations: Optional[int] = None
    client_entropy: Optional[str] = secret_field(default=None)
    fileiv: Optional[str] = None
    fileaead: Optional[str] = None

    @classmethod
    def from_attributes(cls: Type["DownloadFile"], attributes: Mapping[str, Any]) -> "DownloadFile":
        """Parse the attributes of an HTML element, or a JSON object.

        Keys have hyphens or underscores, and numbers may be text.  The page prints every falsy value as an
        empty string: a size of 0, key version 0, the name ``0``.

        :raises DecodeError: an id, a name or a size is missing or invalid.

        Source: FileSender protocol, sections 8.1 and 15.
        """
        wire: Dict[str, Any] = {}
        for name, value in attributes.items():
            key = name.replace("-", "_")
            if key == "encrypted":
                wire[key] = value not in (None, False, "", "0", "false")
            elif value == "":
                wire[key] = _EMPTY_VALUES.get(key)
            else:
                wire[key] = value
        if wire.get("size") not in (0, "0") and wire.get("encrypted_size") == 0:
            wire["encrypted_size"] = None  # the size after encryption is unknown, not 0
        file = cls.from_wire(wire)
        if file.size < 0:
            raise FileSenderDecodeError(f"invalid size of {file.name!r}: {file.size} bytes")
        return file

    def with_chunk_size(self, chunk_size: Optional[int]) -> "DownloadFile":
        """Return a copy with this chunk size, unless the file has one."""
        return self.evolve(chunk_size=self.chunk_size or chunk_size)

    def with_name(self, name: str) -> "DownloadFile":
        """Return a copy with another name."""
        return self.evolve(name=name)
