"""A client of a sixth service, to show what the engine and the base of the clients give to a new one.

The service "Shelf" has three calls; ``shelf_server.py`` is written from these lines alone:

* ``GET /files`` answers 200 and ``{"files": [{"name", "size", "sha256"}]}``.
* ``PUT /parts/SHA256/START`` with bytes of a file answers 204; ``GET /parts/SHA256`` answers 200 and
  ``{"parts": [[START, SIZE]]}``.  ``POST /files/NAME`` with ``{"size", "sha256"}`` puts the parts together: 201 and the
  file, or 409 for wrong bytes.
* ``GET /files/NAME`` answers 200 and the bytes, or 206 and a range of them.

Each needs ``Authorization: Bearer KEY``; an error is ``{"error": TEXT}``.
"""

from __future__ import annotations

import functools
from typing import Any, List, Mapping, Optional, Tuple

import attrs

from smartxfer import errors
from smartxfer.client import HTTPClient
from smartxfer.client_options import ClientOptions
from smartxfer.credentials import ServiceNames
from smartxfer.error_families import ErrorFamily
from smartxfer.secret_text import hides
from smartxfer.structures import Structure
from smartxfer.transfer.digest import digest_of_source
from smartxfer.transfer.download import Download, DownloadJob
from smartxfer.transfer.names import safe_path
from smartxfer.transfer.operation import Operation
from smartxfer.transfer.plan import Missing, Part
from smartxfer.transfer.progress import Progress
from smartxfer.transfer.protocols import Cancel
from smartxfer.transfer.ranges import open_range
from smartxfer.transfer.result import FileResult, settle
from smartxfer.transfer.sink import SinkLike, directory_of, open_sink
from smartxfer.transfer.tree import FileLike, collect
from smartxfer.transfer.upload import Body, Upload, UploadJob
from smartxfer.transport import Answer, Call, RetryPolicy, Success
from smartxfer.transport import Body as AnswerBody
from smartxfer.transport.bearer import bearer
from smartxfer.transport.json import json_body
from smartxfer.transport.origin import quoted
from smartxfer.transport.status import http_error

PART = 1024 * 1024


class ShelfError(errors.SmartxferError):
    """Root of the errors of Shelf, and of no other service's."""


ERRORS = ErrorFamily(__name__, ShelfError, "Shelf")


@attrs.frozen(slots=False, eq=False, repr=False)
class ShelfFile(Structure):
    """A file on the shelf."""

    _errors = ERRORS

    name: str
    size: int
    sha256: str


@hides("api_key")
class ShelfClient(HTTPClient):
    """Sends files to Shelf and fetches them.

    :param url: address of the service; by default SHELF_URL.
    :param api_key: by default SHELF_API_KEY, a profile, or the password of a netrc entry.
    """

    _errors = ERRORS
    names = ServiceNames(
        service="shelf",
        fields={"base_url": "SHELF_URL", "api_key": ("SHELF_API_KEY",)},
        netrc={"api_key": "password"},
        secrets=frozenset({"api_key"}),
    )

    def __init__(
        self,
        url: Optional[str] = None,
        *,
        api_key: Optional[str] = None,
        retry: RetryPolicy = RetryPolicy(),
        max_workers: int = 4,
        **others: Any,
    ) -> None:
        super().__init__(url, ClientOptions(retry=retry, max_workers=max_workers, **others))
        self._api_key = api_key

    # -- files ------------------------------------------------------------------------------------------

    def list(self) -> List[ShelfFile]:
        """Return the files on the shelf."""
        answer = self._wire.fetch(self._call("GET", "files", {})).json(dict)
        return [ShelfFile.from_wire(file) for file in answer["files"]]

    def upload(
        self,
        source: FileLike,
        *,
        progress: Progress = None,
        cancel: Optional[Cancel] = None,
        deadline: Optional[float] = None,
    ) -> FileResult:
        """Send a file in parts, some of them at a time; the parts that an earlier run has sent are left out."""
        [item] = collect([source])
        with self._operation(progress, cancel, deadline) as operation:
            sending = _Sending(self, operation, item.name)
            operation.reporter.queue(item.name, item.size)
            upload = Upload(
                name=item.name,
                open_source=lambda: sending.opened(item.open_unchanged()),
                plan=sending.missing,
                send_part=sending.send_part,
                finish=sending.complete,
            )
            job = UploadJob(upload, operation, self._max_workers)
            operation.run([job], 1)
            return settle([attrs.evolve(job.result, item=sending.stored)], operation)[0]

    def download(
        self,
        source: ShelfFile,
        target: SinkLike = ".",
        *,
        progress: Progress = None,
        cancel: Optional[Cancel] = None,
        deadline: Optional[float] = None,
    ) -> FileResult:
        """Fetch a file in ranges; its SHA-256 is compared before it gets its name."""
        sink = open_sink(target, safe_path(source.name, directory_of(target)).name)
        call = self._call("GET", f"files/{quoted(source.name)}", {})
        with self._operation(progress, cancel, deadline) as operation:
            operation.reporter.queue(source.name, source.size)
            download = Download(
                name=source.name,
                sink=sink,
                identity={"service": "shelf", "url": self.base_url, **source},
                open_range=lambda start, stop: open_range(self._wire, call, start, stop, source.size),
                size=source.size,
                step=PART,
                digest=("sha256", source.sha256),
            )
            job = DownloadJob(download, operation, self._max_workers)
            operation.run([job], 1)
            return settle([job.result], operation)[0]

    # -- requests ---------------------------------------------------------------------------------------

    def _given_credentials(self) -> Mapping[str, Optional[str]]:
        return {"base_url": self._given_url, "api_key": self._api_key}

    def _call(self, method: str, path: str, params: Mapping[str, Any]) -> Call:
        query = [(name, str(value)) for name, value in params.items()] if method == "GET" else ()
        return self._described(method, path, None if method == "GET" else json_body(params), params=query)

    def _described(self, method: str, path: str, body: Any = None, **options: Any) -> Call:
        key = self._credentials.require("api_key")["api_key"]
        return Call(method, f"{self.base_url}/{path}", body=body, sign=bearer(key), **options)

    def _error_of(self, answer: Answer, method: str, url: str) -> errors.HTTPError:
        return http_error(answer, method, url, policy=self._retry, clock=self._clock, message=answer.text[:200])


class _Sending:
    """One file on its way up."""

    def __init__(self, client: ShelfClient, operation: Operation, name: str) -> None:
        self._client, self._operation, self._name = client, operation, name
        self._size, self._digest = 0, ""
        self.stored: Optional[ShelfFile] = None

    def opened(self, source: Any) -> Any:
        """Take the SHA-256 of a source before it is sent."""
        self._size, self._digest = source.size, digest_of_source(source, "sha256", self._operation.check)
        return source

    def missing(self, size: int) -> Missing:
        """Return the parts that the service does not have."""
        call = self._client._described("GET", f"parts/{self._digest}")
        parts = self._asked(call).json(dict)["parts"]
        return Missing(size, [(start, start + length) for start, length in parts], PART)

    def send_part(self, part: Part, body: Body) -> None:
        """Try once to send a part."""
        success = Success({204}, AnswerBody.EMPTY)
        path = f"parts/{self._digest}/{part.start}"
        self._client._wire.once(self._client._described("PUT", path, body, success=success))

    def complete(self) -> Tuple[str, Optional[str]]:
        """Have the parts put together; return what was verified."""
        body = json_body({"size": self._size, "sha256": self._digest})
        path, success = f"files/{quoted(self._name)}", Success({201})
        call = self._client._described("POST", path, body, idempotent=True, success=success)
        self.stored = ShelfFile.from_wire(self._asked(call).json(dict), call.what)
        if (self.stored.size, self.stored.sha256) != (self._size, self._digest):
            raise ERRORS.kind(errors.ChecksumMismatch)("the service has stored other bytes")
        return "sha256", f"sha256:{self._digest}"

    def _asked(self, call: Call) -> Answer:
        return self._operation.retry(call.what, functools.partial(self._client._wire.once, call))
