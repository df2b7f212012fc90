"""A client of a sixth service, to show what the engine and the base of the clients give to a new one.

The service "Store" has three calls; ``store_server.py`` is written from these lines alone:

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
from smartxfer.credentials import CredentialSpec
from smartxfer.error_families import ErrorFamily
from smartxfer.models import Model
from smartxfer.secret_text import hide_method_arguments
from smartxfer.transfer.digest import compute_source_digest
from smartxfer.transfer.download import DownloadJob, DownloadSpec
from smartxfer.transfer.file_parts import MissingParts, Part
from smartxfer.transfer.local_files import FileLike, collect_files
from smartxfer.transfer.progress import Progress
from smartxfer.transfer.protocols import Cancel
from smartxfer.transfer.ranges import open_range
from smartxfer.transfer.result import FileResult, raise_for_errors
from smartxfer.transfer.runner import TransferRunner
from smartxfer.transfer.safe_paths import safe_path
from smartxfer.transfer.sink import SinkLike, get_target_directory, open_sink
from smartxfer.transfer.upload import Body, UploadJob, UploadSpec
from smartxfer.transport import Body as AnswerBody
from smartxfer.transport import BufferedResponse, RequestSpec, RetryPolicy, Success
from smartxfer.transport.auth import build_bearer_auth
from smartxfer.transport.http_errors import build_http_error
from smartxfer.transport.json_codec import encode_json
from smartxfer.transport.origin import quote_path

PART = 1024 * 1024


class StoreError(errors.SmartxferError):
    """Root of the errors of Store, and of no other service's."""


ERRORS = ErrorFamily(__name__, StoreError, "Store")


@attrs.frozen(slots=False, eq=False, repr=False)
class StoreFile(Model):
    """A file in the store."""

    _error_family = ERRORS

    name: str
    size: int
    sha256: str


@hide_method_arguments("api_key")
class StoreClient(HTTPClient):
    """Client that sends files to Store and fetches them.

    :param url: address of the service; by default STORE_URL.
    :param api_key: by default STORE_API_KEY, a profile, or the password of a netrc entry.
    """

    _error_family = ERRORS
    credential_spec = CredentialSpec(
        service="store",
        fields={"base_url": "STORE_URL", "api_key": ("STORE_API_KEY",)},
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

    def list(self) -> List[StoreFile]:
        """Return the files in the store."""
        answer = self._http.request(self._build_request("GET", "files", {})).json(dict)
        return [StoreFile.from_wire(file) for file in answer["files"]]

    def upload(
        self,
        source: FileLike,
        *,
        progress: Progress = None,
        cancel: Optional[Cancel] = None,
        deadline: Optional[float] = None,
    ) -> FileResult:
        """Send a file in parts, several at a time; parts that an earlier run sent are skipped."""
        [item] = collect_files([source])
        with self._new_runner(progress, cancel, deadline) as operation:
            sending = _Sending(self, operation, item.name)
            operation.reporter.queue(item.name, item.size)
            upload = UploadSpec(
                name=item.name,
                open_source=lambda: sending.digest_source(item.open_unchanged()),
                make_parts=sending.missing,
                send_part=sending.send_part,
                complete=sending.complete,
            )
            job = UploadJob(upload, operation, self._max_workers)
            operation.run_jobs([job], 1)
            return raise_for_errors([attrs.evolve(job.result, item=sending.stored)], operation)[0]

    def download(
        self,
        source: StoreFile,
        target: SinkLike = ".",
        *,
        progress: Progress = None,
        cancel: Optional[Cancel] = None,
        deadline: Optional[float] = None,
    ) -> FileResult:
        """Fetch a file in ranges; its SHA-256 is compared before it gets its name."""
        sink = open_sink(target, safe_path(source.name, get_target_directory(target)).name)
        call = self._build_request("GET", f"files/{quote_path(source.name)}", {})
        with self._new_runner(progress, cancel, deadline) as operation:
            operation.reporter.queue(source.name, source.size)
            download = DownloadSpec(
                name=source.name,
                sink=sink,
                identity={"service": "store", "url": self.base_url, **source},
                open_range=lambda start, stop: open_range(self._http, call, start, stop, source.size),
                size=source.size,
                range_size=PART,
                digest=("sha256", source.sha256),
            )
            job = DownloadJob(download, operation, self._max_workers)
            operation.run_jobs([job], 1)
            return raise_for_errors([job.result], operation)[0]

    # -- requests ---------------------------------------------------------------------------------------

    def _credential_args(self) -> Mapping[str, Optional[str]]:
        return {"base_url": self._base_url_arg, "api_key": self._api_key}

    def _build_request(self, method: str, path: str, params: Mapping[str, Any]) -> RequestSpec:
        query = [(name, str(value)) for name, value in params.items()] if method == "GET" else ()
        return self._described(method, path, None if method == "GET" else encode_json(params), params=query)

    def _described(self, method: str, path: str, body: Any = None, **options: Any) -> RequestSpec:
        key = self._credentials.require("api_key")["api_key"]
        return RequestSpec(method, f"{self.base_url}/{path}", body=body, auth=build_bearer_auth(key), **options)

    def _build_error(self, response: BufferedResponse, method: str, url: str) -> errors.HTTPError:
        return build_http_error(response, method, url, policy=self._retry, clock=self._clock, message=response.text[:200])


class _Sending:
    """One file on its way up."""

    def __init__(self, client: StoreClient, operation: TransferRunner, name: str) -> None:
        self._client, self._operation, self._name = client, operation, name
        self._size, self._digest = 0, ""
        self.stored: Optional[StoreFile] = None

    def digest_source(self, source: Any) -> Any:
        """Compute the SHA-256 of a source before it is sent."""
        self._size, self._digest = source.size, compute_source_digest(source, "sha256", self._operation.raise_if_aborted)
        return source

    def missing(self, size: int) -> MissingParts:
        """Return the parts that the service does not have."""
        call = self._client._described("GET", f"parts/{self._digest}")
        parts = self._asked(call).json(dict)["parts"]
        return MissingParts(size, [(start, start + length) for start, length in parts], PART)

    def send_part(self, part: Part, body: Body) -> None:
        """Try once to send a part."""
        success = Success({204}, AnswerBody.EMPTY)
        path = f"parts/{self._digest}/{part.start}"
        self._client._http.request_once(self._client._described("PUT", path, body, success=success))

    def complete(self) -> Tuple[str, Optional[str]]:
        """Have the parts put together; return what was verified."""
        body = encode_json({"size": self._size, "sha256": self._digest})
        path, success = f"files/{quote_path(self._name)}", Success({201})
        call = self._client._described("POST", path, body, idempotent=True, success=success)
        self.stored = StoreFile.from_wire(self._asked(call).json(dict), call.description)
        if (self.stored.size, self.stored.sha256) != (self._size, self._digest):
            raise ERRORS.class_for(errors.ChecksumMismatch)("the service has stored other bytes")
        return "sha256", f"sha256:{self._digest}"

    def _asked(self, call: RequestSpec) -> BufferedResponse:
        return self._operation.retry(call.description, functools.partial(self._client._http.request_once, call))
