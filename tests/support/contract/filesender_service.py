"""FileSender, as the contract suite sees it."""

from pathlib import Path
from typing import Any, Dict, List, Mapping

from smartxfer import FileSenderClient, UserAuth
from smartxfer.transfer import FileResult
from tests.support.contract.service import Service
from tests.support.filesender_harness import publish, stored


class FileSender(Service):
    """FileSender: a transfer of one or more files behind a link."""

    name = "filesender"
    secret_name = "api_key"
    chunk = 256 * 1024
    cannot: Dict[str, str] = {
        "server digest": "protocols/filesender 5: no checksum is published",
        "any file name": "protocols/filesender 6.1: the site's rule for names",
    }
    site_options = {"upload_chunk_size": chunk}
    part_request = "PUT /rest.php/file/*/chunk/*"
    bytes_request = "GET /download.php*"
    create_request = "POST /rest.php/transfer*"
    one_by_one = {"concurrent_files": 1, "concurrent_chunks": 1}

    def parts(self, size: int) -> int:
        """Requests that carry a file of this size up."""
        return -(-size // self.chunk)

    def client(self, **options: Any) -> FileSenderClient:
        """A client of its own, as a new process would make it."""
        auth = UserAuth(self.site.username, self.site.api_key)
        return FileSenderClient(self.site.url, auth=auth, **options)

    def upload(self, client: FileSenderClient, things: List[Any], **options: Any) -> Any:
        """Send; what comes back is enough to fetch it again."""
        return client.upload_workflow(things, {"from": "me@example.org"}, **options)

    def results(self, handle: Any) -> List[FileResult]:
        """Return the result of each file of an upload."""
        return list(handle.results)

    def download(self, client: FileSenderClient, handle: Any, into: Path, **options: Any) -> List[FileResult]:
        """Fetch all of it into a directory."""
        return client.download_files(handle, into, **options)

    def download_to(self, client: FileSenderClient, handle: Any, sink: Any) -> FileResult:
        """Fetch the only file into a sink."""
        return client.download_file(handle, handle.files[0], sink)

    def stranger(self, secret: str) -> FileSenderClient:
        """A client whose secret is wrong."""
        return FileSenderClient(self.site.url, auth=UserAuth(self.site.username, secret))

    def plant(self, files: Mapping[str, bytes]) -> Any:
        """Have the server hold files, of names too that our own client would not send; the handle to them."""
        self.site.configure(any_name=True)
        with self.client() as client:
            return publish(client, files)

    def stored(self) -> Dict[str, bytes]:
        """Return the content of complete uploads on the server, by name."""
        return stored(self.site)
