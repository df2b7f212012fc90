"""What a repository answers about files.

Source: NRP / Invenio protocol, sections 5 and 6.
"""

from typing import Any, Dict, List, Mapping, Optional

import attrs

from smartxfer.models import Model, OpenEnum, count_field, secret_field
from smartxfer.nrp.errors import ERRORS, RepositoryUploadNotStored, format_field_errors
from smartxfer.transfer.result import FileResult

__all__ = ["File", "FileLinks", "FileStatus", "PartLink", "Transfer", "copy_dict", "raise_if_rejected"]


def copy_dict(value: Any) -> Dict[str, Any]:
    """A plain dict of one's own; of null, an empty one."""
    return dict(value) if isinstance(value, Mapping) else {}


class FileStatus(OpenEnum):
    """How far a file is."""

    PENDING: "FileStatus"
    COMPLETED: "FileStatus"
    FAILED: "FileStatus"


FileStatus.PENDING = FileStatus("pending")
FileStatus.COMPLETED = FileStatus("completed")
FileStatus.FAILED = FileStatus("failed")


class RepositoryModel(Model):
    """What a repository answers."""

    _error_family = ERRORS


@attrs.frozen(slots=False, eq=False, repr=False)
class PartLink(RepositoryModel):
    """Where one part of a multipart upload goes; ``part`` counts from 1."""

    part: int
    url: str = secret_field()
    expiration: Optional[str] = None


@attrs.frozen(slots=False, eq=False, repr=False)
class FileLinks(RepositoryModel):
    """Addresses of a file: what is known of it, its bytes, its commit, its parts while they are awaited."""

    self_: str = ""
    content: Optional[str] = None
    commit: Optional[str] = None
    parts: List[PartLink] = attrs.field(factory=list)


@attrs.frozen(slots=False, eq=False, repr=False)
class Transfer(RepositoryModel):
    """How a file comes to the repository: ``type`` is L, F, M or R; ``part_size`` in bytes."""

    type: str = "L"
    parts: Optional[int] = count_field(default=None)
    part_size: Optional[int] = count_field(default=None)
    error: Any = None


@attrs.frozen(slots=False, eq=False, repr=False)
class File(RepositoryModel):
    """A file of a record; ``size`` in bytes, ``checksum`` such as ``"md5:..."``.

    ``metadata`` may be changed, and sent by ``files.update(file)``; ``result`` tells how an upload went.
    """

    key: str
    size: Optional[int] = count_field(default=None)
    status: FileStatus = FileStatus.COMPLETED
    checksum: Optional[str] = None
    mimetype: Optional[str] = None
    metadata: Any = attrs.field(factory=dict, converter=copy_dict)
    links: FileLinks = attrs.field(factory=FileLinks)
    transfer: Transfer = attrs.field(factory=Transfer)
    access: Any = attrs.field(factory=dict, converter=copy_dict)
    created: Optional[str] = None
    updated: Optional[str] = None
    file_id: Optional[str] = None
    version_id: Optional[str] = None
    bucket_id: Optional[str] = None
    storage_class: Optional[str] = None
    errors: Any = None
    result: Optional[FileResult] = attrs.field(default=None, init=False)

    @property
    def known_size(self) -> Optional[int]:
        """The size in bytes, or None where the repository does not know it.

        Files that the repository refers to (transfer ``R``) have a size of 0 and no checksum unless their
        start said more.

        Source: NRP / Invenio protocol, section 9.
        """
        return None if self.size == 0 and not self.checksum else self.size

    @property
    def md5(self) -> Optional[str]:
        """The hex MD5 of the whole file, where the repository knows it.

        A multipart upload to S3 has another checksum, ``multipart:...``, until the repository reckoned this.
        """
        algorithm, _, value = (self.checksum or "").partition(":")
        return value.lower() if algorithm == "md5" and value else None


def raise_if_rejected(entry: File) -> File:
    """An entry that the repository answered.

    :raises UploadNotStored: it says in its ``errors`` that it took nothing.
    """
    if entry.errors:
        raise RepositoryUploadNotStored(
            f"{entry.key}: the repository stored nothing: {format_field_errors(entry.errors)}",
            hint="send it again with replace=True",
            errors=entry.errors,
            file=entry,
        )
    return entry
