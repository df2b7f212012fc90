"""Models of the repository's responses about files.

Source: NRP / Invenio protocol, sections 5 and 6.
"""

from typing import Any, Dict, List, Mapping, Optional

import attrs

from smartxfer.models import Model, OpenEnum, count_field, secret_field
from smartxfer.nrp.errors import ERRORS, RepositoryUploadNotStored, format_field_errors
from smartxfer.transfer.result import FileResult

__all__ = ["File", "FileLinks", "FileStatus", "PartLink", "Transfer", "copy_dict", "raise_if_rejected"]


def copy_dict(value: Any) -> Dict[str, Any]:
    """Return a copy as a plain dict; for null, an empty one."""
    return dict(value) if isinstance(value, Mapping) else {}


class FileStatus(OpenEnum):
    """Status of the upload of a file."""

    PENDING: "FileStatus"
    COMPLETED: "FileStatus"
    FAILED: "FileStatus"


FileStatus.PENDING = FileStatus("pending")
FileStatus.COMPLETED = FileStatus("completed")
FileStatus.FAILED = FileStatus("failed")


class RepositoryModel(Model):
    """Base class of the models of a repository."""

    _error_family = ERRORS


@attrs.frozen(slots=False, eq=False, repr=False)
class PartLink(RepositoryModel):
    """Upload URL of a part of a multipart upload; ``part`` counts from 1."""

    part: int
    url: str = secret_field()
    expiration: Optional[str] = None


@attrs.frozen(slots=False, eq=False, repr=False)
class FileLinks(RepositoryModel):
    """URLs of a file: metadata, content, commit, and parts while the upload is pending."""

    self_: str = ""
    content: Optional[str] = None
    commit: Optional[str] = None
    parts: List[PartLink] = attrs.field(factory=list)


@attrs.frozen(slots=False, eq=False, repr=False)
class Transfer(RepositoryModel):
    """Transfer of a file to the repository: ``type`` is L, F, M or R; ``part_size`` in bytes."""

    type: str = "L"
    parts: Optional[int] = count_field(default=None)
    part_size: Optional[int] = count_field(default=None)
    error: Any = None


@attrs.frozen(slots=False, eq=False, repr=False)
class File(RepositoryModel):
    """A file of a record; ``size`` in bytes, ``checksum`` such as ``"md5:..."``.

    ``metadata`` can be changed, and sent by ``files.update(file)``; ``result`` is the result of an upload.
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
        """Size in bytes, or None if the repository does not publish it.

        Files that the repository refers to (transfer ``R``) have size 0 and no checksum, unless the request
        that initiated them contained both.

        Source: NRP / Invenio protocol, section 9.
        """
        return None if self.size == 0 and not self.checksum else self.size

    @property
    def md5(self) -> Optional[str]:
        """Hex MD5 of the file, if the repository publishes it.

        A multipart upload to S3 has another checksum, ``multipart:...``, until the repository has computed
        the MD5.
        """
        algorithm, _, value = (self.checksum or "").partition(":")
        return value.lower() if algorithm == "md5" and value else None


def raise_if_rejected(entry: File) -> File:
    """Return a file entry of a response.

    :raises UploadNotStored: ``errors`` of the entry reports that the content was not stored.
    """
    if entry.errors:
        raise RepositoryUploadNotStored(
            f"{entry.key}: the repository did not store the file: {format_field_errors(entry.errors)}",
            hint="upload it again with replace=True",
            errors=entry.errors,
            file=entry,
        )
    return entry
