"""Parsing of the targets of the methods that all clients share.

Source: NRP / Invenio protocol, sections 4 and 5.
"""

from typing import Any, Optional, Protocol, Tuple, Union

from smartxfer.errors import UsageError
from smartxfer.nrp.file_transfers import FileTransfers
from smartxfer.nrp.files import FilesClient
from smartxfer.nrp.models import File
from smartxfer.nrp.record_models import Record
from smartxfer.nrp.references import is_url, redact_reference
from smartxfer.secret_text import as_secret_url

__all__ = [
    "FileTarget",
    "RecordTarget",
    "RepositoryClientProtocol",
    "parse_file_target",
    "parse_record_target",
    "parse_target",
]

RecordTarget = Union[str, Record]
"""A Record, its id, or its URL (of the API, or of its web page)."""
FileTarget = Union[str, Record, File]
"""A record, or a file: ``"RECORD/KEY"``, a File, or its URL."""


class RepositoryClientProtocol(Protocol):
    """The attributes of the client that the methods use."""

    _file_transfers: FileTransfers

    @property
    def files(self) -> FilesClient:
        """The files of records."""


def parse_target(target: Any) -> Tuple[Any, Optional[str]]:
    """Return the record of a target as the caller wrote it, and the key or None.

    >>> parse_target("abcde-fghij/run1/a.csv")
    ('abcde-fghij', 'run1/a.csv')
    """
    if isinstance(target, File):
        return target, target.key
    if isinstance(target, str) and is_url(target):
        return as_secret_url(target), None
    if isinstance(target, str):
        record, slash, key = target.partition("/")
        return record, key if slash and key else None
    return target, None


def parse_record_target(target: Any) -> Any:
    """Return the record of a target.

    :raises UsageError: the target is a file.
    """
    record, key = parse_target(target)
    if key is not None:
        raise UsageError(
            f"expected a record, but {redact_reference(target)!r} is a file",
            hint="pass the record without a key",
        )
    return record


def parse_file_target(source: Any) -> Tuple[Any, Optional[str]]:
    """Return record and key of a file, as arguments of ``client.files``.

    :raises UsageError: the source is not a file.
    """
    if isinstance(source, File):
        return source, None
    record, key = parse_target(source)
    if key is None and not is_url(str(record)):
        raise UsageError(
            f"expected a file, but {redact_reference(source)!r} is a record",
            hint='pass "RECORD/KEY", or a File from client.list(record)',
        )
    return record, key
