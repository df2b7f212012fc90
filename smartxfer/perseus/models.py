"""What the file service answers.

Source: Perseus protocol, sections A.3 and A.4.
"""

import datetime as dt
from typing import Any, Dict, Optional

import attrs

from smartxfer.models import Model, OpenEnum, parse_datetime, wire_field
from smartxfer.perseus.errors import ERRORS
from smartxfer.transfer.result import FileResult

__all__ = ["File", "FileStatus"]


class FileStatus(OpenEnum):
    """How far a file is; a word that is not known here is not final."""

    PENDING: "FileStatus"
    UPLOADED: "FileStatus"
    FAILED: "FileStatus"

    @property
    def final(self) -> bool:
        """Whether it will not change any more."""
        return self in (FileStatus.UPLOADED, FileStatus.FAILED)


FileStatus.PENDING = FileStatus("pending")
FileStatus.UPLOADED = FileStatus("uploaded")
FileStatus.FAILED = FileStatus("failed")


class PerseusModel(Model):
    """What Perseus answers."""

    _error_family = ERRORS


@attrs.frozen(slots=False, eq=False, repr=False)
class File(PerseusModel):
    """The record of a file; ``name`` is its base name.

    ``reused`` says that the content was known and nothing was sent; ``result`` is what became of an upload.
    """

    id: str
    name: str = ""
    status: FileStatus = FileStatus.PENDING
    created: Optional[str] = wire_field("createdAt", default=None)
    source_hash: Optional[str] = wire_field("sourceHash", default=None)
    reused: bool = attrs.field(default=False, init=False)
    result: Optional[FileResult] = attrs.field(default=None, init=False)

    def model_dump(self, mode: str = "python") -> Dict[str, Any]:
        """Return the four fields that perseus-client's File has; :meth:`to_dict` has what was on the wire.

        :param mode: ``"json"`` leaves the time as text, fit for ``json.dumps``.
        """
        made = self.created if mode == "json" else self.created_at
        status = self.status.value if mode == "json" else self.status
        return {"id": self.id, "name": self.name, "status": status, "created_at": made}

    @property
    def created_at(self) -> Optional[dt.datetime]:
        """When the record was made, in UTC; None where that is not told in a way that a calendar knows."""
        return parse_datetime(self.created)
