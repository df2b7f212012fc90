"""Which record and which file the client's own verbs are about.

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
"""A record: a Record, its id, or its address (of the API, or of the page that shows it)."""
FileTarget = Union[str, Record, File]
"""A record, or a file of one: ``"RECORD/KEY"``, a File, or its address."""


class RepositoryClientProtocol(Protocol):
    """The client, as far as the verbs need it."""

    _file_transfers: FileTransfers

    @property
    def files(self) -> FilesClient:
        """The files of records."""


def parse_target(target: Any) -> Tuple[Any, Optional[str]]:
    """Return the record of a target as a caller wrote it, and the key in it or None.

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

    :raises UsageError: it names a file.
    """
    record, key = parse_target(target)
    if key is not None:
        raise UsageError(
            f"{redact_reference(target)!r} names a file, and a record is meant", hint="leave its key out"
        )
    return record


def parse_file_target(source: Any) -> Tuple[Any, Optional[str]]:
    """Return the record and the key of a file, as ``client.files`` takes them.

    :raises UsageError: no file is named.
    """
    if isinstance(source, File):
        return source, None
    record, key = parse_target(source)
    if key is None and not is_url(str(record)):
        raise UsageError(
            f"{redact_reference(source)!r} names no file", hint='"RECORD/KEY", or a File of client.list()'
        )
    return record, key
