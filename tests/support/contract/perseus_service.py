"""Perseus, as the contract suite sees it: what goes up stays there, for the service gives no content back."""

from pathlib import Path
from typing import Any, Dict, List, NoReturn

import attrs
import pytest

from smartxfer.local import LocalServer
from smartxfer.perseus import File, PerseusClient
from smartxfer.transfer import FileResult


@attrs.frozen
class Sent:
    """An upload.

    :param files: the records, in order.
    """

    files: List[File]


class Perseus:
    """Perseus: records of files, each with one presigned PUT."""

    name = "perseus"
    #: What sizes are counted in; a file is one part, whatever its size.
    chunk = 256 * 1024
    #: capability -> the section that says why not.
    cannot: Dict[str, str] = {
        "download": "protocols/perseus A.4: no request gives content back",
        "server digest": "protocols/perseus A.4: no request gives content back",
        "upload resumes after a restart": "protocols/perseus A.5: a file is one PUT, which goes again whole",
        "directory upload resumes after a restart": "protocols/perseus A.4: directories are never sent",
        "download resumes after a restart": "protocols/perseus A.4: no request gives content back",
        "parallel parts up": "protocols/perseus A.5: a file is one PUT",
        "parallel ranges down": "protocols/perseus A.4: no request gives content back",
        "directories": "protocols/perseus A.4: the name is only the base name",
        "any list of files": "protocols/perseus A.4: files are distinguished by content, not by name",
        "any file name": "protocols/perseus A.4: the name is only the base name",
        "accents composed": "protocols/perseus A.3: a name stays what it is",
    }
    #: Options of the local server.
    site_options: Dict[str, Any] = {}
    part_request = "PUT /storage/*"
    create_request = "POST /api/v0/file"
    #: Options of a download that is compared with the server's digest.
    verified: Dict[str, str] = {}
    #: Options of a client that does one thing at a time.
    one_by_one = {"max_workers": 1}
    #: Names that the service cannot have, with the reason.
    impossible: Dict[str, str] = {}

    def __init__(self, server: LocalServer) -> None:
        self.server = server
        self.site = server.perseus
        self.secret = self.site.api_key

    def parts(self, size: int) -> int:
        """Requests that carry a file of this size up."""
        return 1

    def shown(self, name: str) -> str:
        """Return the name of an uploaded file in results and events."""
        return name

    def client(self, **options: Any) -> PerseusClient:
        """A client of its own, as a new process would make it."""
        return PerseusClient(self.site.url, api_key=self.site.api_key, **options)

    def upload(self, client: PerseusClient, things: List[Any], **options: Any) -> Sent:
        """Send; what comes back are the records."""
        return Sent(client.file.upload_many(things, **options))

    def upload_folder(self, client: PerseusClient, folder: Path, **options: Any) -> Sent:
        """Send the files that stand in a directory, several at once, each under its own name."""
        return self.upload(client, sorted(folder.iterdir()), **options)

    def results(self, handle: Sent) -> List[FileResult]:
        """Return the result of each file of an upload."""
        return [file.result for file in handle.files if file.result is not None]

    def stranger(self, secret: str) -> PerseusClient:
        """A client whose secret is wrong."""
        return PerseusClient(self.site.url, api_key=secret)

    def stored(self) -> Dict[str, bytes]:
        """Return the content of complete uploads on the server, by name."""
        return {
            record["name"]: self.site.content(record["id"])
            for record in self.site.records()
            if record["status"] == "uploaded"
        }

    def acknowledged(self) -> int:
        """Parts that the server took."""
        return self.site.count(self.part_request, status=200)

    # -- what it cannot do: a test that comes to it ends as skipped, with the reason ---------------------

    def _skip(self) -> NoReturn:
        pytest.skip(self.cannot["download"])

    @property
    def bytes_request(self) -> str:
        """Skip the test: no request carries bytes to the client."""
        self._skip()

    def download(self, client: PerseusClient, handle: Any, into: Path, **options: Any) -> List[FileResult]:
        """Skip the test."""
        self._skip()

    def download_to(self, client: PerseusClient, handle: Any, sink: Any) -> FileResult:
        """Skip the test."""
        self._skip()

    def plant(self, files: Any) -> Any:
        """Skip the test: this client cannot download files."""
        self._skip()
