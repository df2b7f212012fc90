"""SmartFile, as the contract suite sees it: everything goes into the root directory."""

from pathlib import Path
from typing import Any, Dict, List, Mapping, Union

import attrs

from smartxfer.smartfile import BasicClient
from smartxfer.transfer import FileResult
from tests.support.contract.service import Service


@attrs.frozen
class Sent:
    """An upload, with enough data to download it again.

    :param path: of the file, or of the directory that holds the files.
    """

    path: str
    results: List[FileResult]
    directory: bool = False


class SmartFile(Service):
    """SmartFile: a tree of files and directories."""

    name = "smartfile"
    secret_name = "password"
    cannot: Dict[str, str] = {
        "upload resumes after a restart": "protocols/smartfile 5: a file is one request, which goes again whole",
        "parallel parts up": "protocols/smartfile 5: a file is one request",
        "any list of files": "protocols/smartfile 5: a file is one request; many go as a directory",
        "any file name": "protocols/smartfile 1: no slash, and neither . nor ..",
        "nothing of a changed source stays": "protocols/smartfile 5: the bytes are at their path once they came",
        "accents composed": "protocols/smartfile 1: a path is the name of a file, byte for byte",
    }
    part_request = "POST /api/2/path/data/*"
    bytes_request = "GET /api/2/path/data/*"
    #: Nothing is announced: whatever is changed is changed by such a request.
    create_request = "POST *"
    verified = {"checksum": "sha256"}

    def shown(self, name: str) -> str:
        """Return the name of an uploaded file in results and events."""
        return f"/{name}"

    def client(self, **options: Any) -> BasicClient:
        """A client of its own, as a new process would make it."""
        return BasicClient(self.site.key, self.site.password, url=self.site.url, **options)

    def upload(self, client: BasicClient, things: List[Any], **options: Any) -> Sent:
        """Send a file or a directory; what comes back is enough to fetch it again."""
        [thing] = things
        if isinstance(thing, Path) and thing.is_dir():
            return Sent("/", client.upload_tree(thing, f"/{thing.name}", **options), directory=True)
        result = client.upload(thing, "/", **options)
        return Sent(result.name, [result])

    def upload_folder(self, client: BasicClient, folder: Path, **options: Any) -> Sent:
        """Send the files that stand in a directory, several at once, each under its own name."""
        return Sent("/", client.upload_tree(folder, "/", **options), directory=True)

    def results(self, handle: Sent) -> List[FileResult]:
        """Return the result of each file of an upload."""
        return handle.results

    def download(
        self, client: BasicClient, handle: Union[Sent, str], into: Path, **options: Any
    ) -> List[FileResult]:
        """Fetch all of it into a directory."""
        if isinstance(handle, Sent) and handle.directory:
            return client.download_tree(handle.path, into, **options)
        path = handle.path if isinstance(handle, Sent) else handle
        return [client.download(path, f"{into}/", **options)]

    def download_to(self, client: BasicClient, handle: Sent, sink: Any) -> FileResult:
        """Fetch the only file into a sink."""
        return client.download(handle.path, sink)

    def stranger(self, secret: str) -> BasicClient:
        """A client whose secret is wrong."""
        return BasicClient(self.site.key, secret, url=self.site.url)

    def plant(self, files: Mapping[str, bytes]) -> Sent:
        """Have the server hold files, of names too that our own client would not send; the handle to them."""
        for name, data in files.items():
            self.site.write(f"/{name}", data)
        one = len(files) == 1 and not set("/\\") & set("".join(files))
        return Sent(f"/{next(iter(files))}", []) if one else Sent("/", [], directory=True)

    def stored(self) -> Dict[str, bytes]:
        """Return the content of complete uploads on the server, by name."""
        return {path[1:]: self.site.read(path) for path in self.site.files()}
