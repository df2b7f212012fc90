"""The requests about the files of one draft or record; nothing here knows a workflow.

Source: NRP / Invenio protocol, section 5.
"""

from typing import Any, List, Mapping, Sequence

import attrs

from smartxfer.nrp.api import RepositoryApi
from smartxfer.nrp.errors import RepositoryDecodeError
from smartxfer.nrp.keys import quote_key
from smartxfer.nrp.models import File
from smartxfer.nrp.statuses import CREATED, NO_CONTENT
from smartxfer.transport import BufferedResponse
from smartxfer.transport.deletion import delete_once

__all__ = ["FilesApi"]


@attrs.frozen
class FilesApi:
    """The calls about the files of one draft or record.

    :param base: address of its files.
    """

    api: RepositoryApi
    files_url: str

    def build_url(self, key: str, *segments: str) -> str:
        """Address of a file, or of what lies below it."""
        return "/".join([self.files_url, quote_key(key), *segments])

    def list(self) -> List[File]:
        """Every file, pending ones too."""
        return _parse_file_list(self.api.get(self.files_url))

    def read(self, key: str) -> File:
        """One file."""
        return _parse_file(self.api.get(self.build_url(key)), key)

    def initiate(self, payload: Sequence[Mapping[str, Any]]) -> List[File]:
        """Announce files; every file of the draft."""
        return _parse_file_list(self.api.send("POST", self.files_url, json=list(payload), success=CREATED))

    def update(self, key: str, changes: Mapping[str, Any]) -> File:
        """Change what is said of a file."""
        return _parse_file(self.api.send("PUT", self.build_url(key), json=changes), key)

    def delete(self, key: str) -> None:
        """Remove a file; on a repeat it may be gone."""
        self._delete(self.build_url(key))

    def delete_all(self) -> None:
        """Remove every file."""
        self._delete(self.files_url)

    def _delete(self, url: str) -> None:
        delete_once(self.api.send_request, self.api.build_request("DELETE", url, success=NO_CONTENT))


def _parse_file_list(response: BufferedResponse) -> List[File]:
    """The files of a list; a record without files has none."""
    found = response.json(dict).get("entries") or []
    if not isinstance(found, list):
        raise RepositoryDecodeError(f"{response.description}: the list of files has no entries")
    return [File.from_wire(entry, response.description) for entry in found]


def _parse_file(response: BufferedResponse, key: str) -> File:
    """The file of a key.

    :raises DecodeError: the answer is about another one.
    """
    file = response.parse_model(File)
    if file.key != key:
        raise RepositoryDecodeError(f"{response.description}: the answer is about {file.key!r}, not {key!r}")
    return file
