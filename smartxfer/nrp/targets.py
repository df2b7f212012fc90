"""Which record and which file the client's own verbs are about.

Source: NRP / Invenio protocol, sections 4 and 5.
"""

from typing import Any, Optional, Protocol, Tuple, Union

from smartxfer.errors import UsageError
from smartxfer.nrp.file_work import FileWork
from smartxfer.nrp.files import FilesClient
from smartxfer.nrp.models import File
from smartxfer.nrp.places import is_url, shown
from smartxfer.nrp.record_models import Record
from smartxfer.secret_text import as_url

__all__ = ["FileTarget", "RecordTarget", "Repository", "file_of", "record_of", "record_only"]

RecordTarget = Union[str, Record]
"""A record: a Record, its id, or its address (of the API, or of the page that shows it)."""
FileTarget = Union[str, Record, File]
"""A record, or a file of one: ``"RECORD/KEY"``, a File, or its address."""


class Repository(Protocol):
    """The client, as far as the verbs need it."""

    _work: FileWork

    @property
    def files(self) -> FilesClient:
        """The files of records."""


def record_of(target: Any) -> Tuple[Any, Optional[str]]:
    """Return the record of a target as a caller wrote it, and the key in it or None.

    >>> record_of("abcde-fghij/run1/a.csv")
    ('abcde-fghij', 'run1/a.csv')
    """
    if isinstance(target, File):
        return target, target.key
    if isinstance(target, str) and is_url(target):
        return as_url(target), None
    if isinstance(target, str):
        record, slash, key = target.partition("/")
        return record, key if slash and key else None
    return target, None


def record_only(target: Any) -> Any:
    """Return the record of a target.

    :raises UsageError: it names a file.
    """
    record, key = record_of(target)
    if key is not None:
        raise UsageError(f"{shown(target)!r} names a file, and a record is meant", hint="leave its key out")
    return record


def file_of(source: Any) -> Tuple[Any, Optional[str]]:
    """Return the record and the key of a file, as ``client.files`` takes them.

    :raises UsageError: no file is named.
    """
    if isinstance(source, File):
        return source, None
    record, key = record_of(source)
    if key is None and not is_url(str(record)):
        raise UsageError(f"{shown(source)!r} names no file", hint='"RECORD/KEY", or a File of client.list()')
    return record, key
