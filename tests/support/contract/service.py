"""The common parts of the services of the contract suite."""

from pathlib import Path
from typing import Any, Dict, List, NoReturn

import pytest

from smartxfer.local import LocalServer
from smartxfer.transfer import FileResult


class Service:
    """A service as most are: a file is one request, whatever its size."""

    #: The service, as the local server calls it.
    name: str
    #: The attribute of the local service that has the client's secret.
    secret_name: str
    #: Bytes of a part, or what sizes are counted in.
    chunk = 256 * 1024
    #: capability -> the section that says why not.
    cannot: Dict[str, str]
    #: Options of the local server.
    site_options: Dict[str, Any] = {}
    part_request: str
    create_request: str
    #: Requests with which a resumed download first finds out whether the server knows ranges.
    probes = 0
    #: Options of a download that is compared with the server's digest.
    verified: Dict[str, str] = {}
    #: Options of a client that does one thing at a time.
    one_by_one: Dict[str, int] = {"max_workers": 1}

    def __init__(self, server: LocalServer) -> None:
        self.server = server
        self.site: Any = getattr(server, self.name)
        self.secret: str = getattr(self.site, self.secret_name)

    def upload(self, client: Any, things: List[Any], **options: Any) -> Any:
        """Send; what comes back is enough to fetch it again."""
        raise NotImplementedError

    def upload_folder(self, client: Any, folder: Path, **options: Any) -> Any:
        """Send the files that are in a directory, several at once, each under its own name."""
        return self.upload(client, sorted(folder.iterdir()), **options)

    def parts(self, size: int) -> int:
        """Requests that carry a file of this size up."""
        return 1

    def shown(self, name: str) -> str:
        """Return the name of an uploaded file in results and events."""
        return name

    def acknowledged(self) -> int:
        """Parts that the server took."""
        return int(self.site.count(self.part_request, status=200))


class UploadService(Service):
    """A service that gives no content back: a test that comes to it ends as skipped, with the reason."""

    def _skip(self) -> NoReturn:
        pytest.skip(self.cannot["download"])

    @property
    def bytes_request(self) -> str:
        """Skip the test: no request carries bytes to the client."""
        self._skip()

    def download(self, client: Any, handle: Any, into: Path, **options: Any) -> List[FileResult]:
        """Skip the test."""
        self._skip()

    def download_to(self, client: Any, handle: Any, sink: Any) -> FileResult:
        """Skip the test."""
        self._skip()

    def plant(self, files: Any) -> Any:
        """Skip the test: this client cannot download files."""
        self._skip()
