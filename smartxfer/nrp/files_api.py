"""The requests about the files of one draft or record, without workflows.

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
    """The requests about the files of one draft or record.

    :param api: the API of the repository.
    :param files_url: URL of the files.
    """

    api: RepositoryApi
    files_url: str

    def build_url(self, key: str, *segments: str) -> str:
        """Return the URL of a file, or a URL below it."""
        return "/".join([self.files_url, quote_key(key), *segments])

    def list(self) -> List[File]:
        """Return all files, including pending ones."""
        return _parse_file_list(self.api.get(self.files_url))

    def read(self, key: str) -> File:
        """Return one file."""
        return _parse_file(self.api.get(self.build_url(key)), key)

    def initiate(self, payload: Sequence[Mapping[str, Any]]) -> List[File]:
        """Initiate uploads; return all files of the draft."""
        return _parse_file_list(self.api.send("POST", self.files_url, json=list(payload), success=CREATED))

    def update(self, key: str, changes: Mapping[str, Any]) -> File:
        """Change the properties of a file."""
        return _parse_file(self.api.send("PUT", self.build_url(key), json=changes), key)

    def delete(self, key: str) -> None:
        """Delete a file; a 404 after a retry counts as success."""
        self._delete(self.build_url(key))

    def delete_all(self) -> None:
        """Delete all files."""
        self._delete(self.files_url)

    def _delete(self, url: str) -> None:
        delete_once(self.api.send_request, self.api.build_request("DELETE", url, success=NO_CONTENT))


def _parse_file_list(response: BufferedResponse) -> List[File]:
    """Return the files in a response; for a record without files, the list is missing."""
    entries = response.json(dict).get("entries") or []
    if not isinstance(entries, list):
        raise RepositoryDecodeError(f"{response.description}: 'entries' in the response is not a list")
    return [File.from_wire(entry, response.description) for entry in entries]


def _parse_file(response: BufferedResponse, key: str) -> File:
    """Return the file in a response.

    :raises DecodeError: the response is about another file.
    """
    file = response.parse_model(File)
    if file.key != key:
        raise RepositoryDecodeError(
            f"{response.description}: the response is about {file.key!r}, not {key!r}"
        )
    return file
