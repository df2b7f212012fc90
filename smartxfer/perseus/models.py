"""Models of the file service's responses.

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
    """Status of a file; an unknown status counts as not final."""

    PENDING: "FileStatus"
    UPLOADED: "FileStatus"
    FAILED: "FileStatus"

    @property
    def final(self) -> bool:
        """True if the status does not change any more."""
        return self in (FileStatus.UPLOADED, FileStatus.FAILED)


FileStatus.PENDING = FileStatus("pending")
FileStatus.UPLOADED = FileStatus("uploaded")
FileStatus.FAILED = FileStatus("failed")


class PerseusModel(Model):
    """Base class of the models of Perseus."""

    _error_family = ERRORS


@attrs.frozen(slots=False, eq=False, repr=False)
class File(PerseusModel):
    """The record of a file; ``name`` is its base name.

    ``reused`` is True if the service had the content and nothing was sent; ``result`` is the result of an
    upload, None for a record that was read.
    """

    id: str
    name: str = ""
    status: FileStatus = FileStatus.PENDING
    created: Optional[str] = wire_field("createdAt", default=None)
    source_hash: Optional[str] = wire_field("sourceHash", default=None)
    reused: bool = attrs.field(default=False, init=False)
    result: Optional[FileResult] = attrs.field(default=None, init=False)

    def model_dump(self, mode: str = "python") -> Dict[str, Any]:
        """Return the four fields of perseus-client's File; :meth:`to_dict` returns all fields received.

        :param mode: ``"json"`` returns the time as a string, for ``json.dumps``.
        """
        created_at = self.created if mode == "json" else self.created_at
        status = self.status.value if mode == "json" else self.status
        return {"id": self.id, "name": self.name, "status": status, "created_at": created_at}

    @property
    def created_at(self) -> Optional[dt.datetime]:
        """Creation time of the record, in UTC; None if it is missing or cannot be parsed."""
        return parse_datetime(self.created)
