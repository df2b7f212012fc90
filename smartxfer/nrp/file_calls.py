"""The requests about the files of one draft or record; nothing here knows a workflow.

Source: NRP / Invenio protocol, section 5.
"""

from typing import Any, List, Mapping, Sequence

import attrs

from smartxfer.nrp.calls import Calls
from smartxfer.nrp.errors import RepositoryDecodeError
from smartxfer.nrp.keys import encoded
from smartxfer.nrp.models import File
from smartxfer.nrp.statuses import CREATED, DELETED
from smartxfer.transport import Answer
from smartxfer.transport.deleting import delete

__all__ = ["FileCalls"]


@attrs.frozen
class FileCalls:
    """The calls about the files of one draft or record.

    :param base: address of its files.
    """

    calls: Calls
    base: str

    def url(self, key: str, *rest: str) -> str:
        """Address of a file, or of what lies below it."""
        return "/".join([self.base, encoded(key), *rest])

    def list(self) -> List[File]:
        """Every file, pending ones too."""
        return _entries(self.calls.get(self.base))

    def read(self, key: str) -> File:
        """One file."""
        return _about(self.calls.get(self.url(key)), key)

    def start(self, payload: Sequence[Mapping[str, Any]]) -> List[File]:
        """Announce files; every file of the draft."""
        return _entries(self.calls.send("POST", self.base, json=list(payload), success=CREATED))

    def update(self, key: str, changes: Mapping[str, Any]) -> File:
        """Change what is said of a file."""
        return _about(self.calls.send("PUT", self.url(key), json=changes), key)

    def delete(self, key: str) -> None:
        """Remove a file; on a repeat it may be gone."""
        self._delete(self.url(key))

    def delete_all(self) -> None:
        """Remove every file."""
        self._delete(self.base)

    def _delete(self, url: str) -> None:
        delete(self.calls.make, self.calls.describe("DELETE", url, success=DELETED))


def _entries(answer: Answer) -> List[File]:
    """The files of a list; a record without files has none."""
    found = answer.json(dict).get("entries") or []
    if not isinstance(found, list):
        raise RepositoryDecodeError(f"{answer.what}: the list of files has no entries")
    return [File.from_wire(entry, answer.what) for entry in found]


def _about(answer: Answer, key: str) -> File:
    """The file of a key.

    :raises DecodeError: the answer is about another one.
    """
    file = answer.made(File)
    if file.key != key:
        raise RepositoryDecodeError(f"{answer.what}: the answer is about {file.key!r}, not {key!r}")
    return file
