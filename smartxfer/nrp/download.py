"""Downloads of files; ranges are only requested after the server has been found to support them.

Source: NRP / Invenio protocol, section 5, Download.
"""

import contextlib
import datetime as dt
from typing import Iterator, Optional, Tuple

import attrs
import requests

from smartxfer.errors import UsageError
from smartxfer.nrp.api import RepositoryApi
from smartxfer.nrp.errors import RepositoryConflict
from smartxfer.nrp.files_api import FilesApi
from smartxfer.nrp.keys import has_followable_links
from smartxfer.nrp.limits import acquire_connection
from smartxfer.nrp.models import File, FileStatus
from smartxfer.nrp.statuses import FILE_CONTENT
from smartxfer.nrp.sync import get_repository_label
from smartxfer.transfer.directory_download import apply_existing_file_policy, get_renamed_origin
from smartxfer.transfer.download import DownloadSpec
from smartxfer.transfer.existing_files import Exists
from smartxfer.transfer.object_version import ObjectVersionCheck
from smartxfer.transfer.protocols import Sink
from smartxfer.transfer.ranges import RangeResponse, open_range
from smartxfer.transfer.runner import TransferRunner
from smartxfer.transport import Origin
from smartxfer.transport.retry_checks import RetryContext, RetryDecision

__all__ = [
    "apply_exists_policy",
    "build_download_spec",
    "compute_range_size",
    "get_modified_times",
    "require_complete",
]

#: Size of the ranges of a large file, in bytes.
DEFAULT_RANGE_SIZE = 16 << 20
#: Smaller ranges are not worth a request.
MIN_RANGE_SIZE = 1 << 20
MAX_RANGES = 10_000
#: How often an expired URL is replaced during one download without a delay.
_MAX_URL_REFRESHES = 16


def require_complete(file: File) -> None:
    """Raise an error if the repository would return other bytes than the file's, or none.

    :raises Conflict: the upload of the file is not complete, or has failed.
    :raises UsageError: the URL of the file leads to another file.

    Source: NRP / Invenio protocol, section 9.
    """
    other = file.key.lstrip("/")
    if other and other != file.key:
        # The server redirects to the same key without the slash, which is another file.
        raise UsageError(
            f"{file.key!r} cannot be downloaded: its URL leads to the file {other!r}",
            hint="upload it again under a key that does not begin with a slash",
        )
    if file.status != FileStatus.COMPLETED:
        raise RepositoryConflict(
            f"{file.key} is {file.status}, not completed",
            hint="call files.wait_fetch() if the repository fetches the file; otherwise upload it",
            status=409,
        )


def get_modified_times(file: File) -> Optional[Tuple[float, float]]:
    """Return the modification time in the repository twice, as a range; None if it is unknown."""
    try:
        updated = dt.datetime.fromisoformat((file.updated or "").replace("Z", "+00:00"))
    except ValueError:
        return None
    if updated.tzinfo is None:
        updated = updated.replace(tzinfo=dt.timezone.utc)
    return updated.timestamp(), updated.timestamp()


def apply_exists_policy(spec: DownloadSpec, exists: Exists, api: RepositoryApi, file: File) -> DownloadSpec:
    """Return the download of a single file with the policy for an existing one."""
    origin = get_renamed_origin(spec.sink, (get_repository_label(api), file.key))
    return apply_existing_file_policy(spec, exists, mtime_range=get_modified_times(file), origin=origin)


def compute_range_size(
    size: Optional[int], parts: Optional[int] = None, part_size: Optional[int] = None
) -> int:
    """Return the size of a range in bytes, at least 1 MiB.

    :param parts: requested number of ranges.
    :param part_size: requested size of a range in bytes; takes precedence over ``parts``.
    :raises UsageError: a number is invalid.
    """
    for name, value in (("parts", parts), ("part_size", part_size)):
        if value is not None and (type(value) is not int or value < 1):
            raise UsageError(
                f"{name} must be a number of at least 1, not {value!r}", hint=f"pass {name}=1 or more"
            )
    if part_size is None:
        part_size = DEFAULT_RANGE_SIZE if parts is None else -(-(size or 0) // parts)
    return max(MIN_RANGE_SIZE, part_size, -(-(size or 0) // MAX_RANGES))


def build_download_spec(
    files_api: FilesApi, file: File, sink: Sink, runner: TransferRunner, range_size: int
) -> DownloadSpec:
    """Return the specification of a download for the engine; no request is sent yet.

    :param range_size: size of a range in bytes, if the server supports ranges.
    """
    require_complete(file)
    link = file.links.content if has_followable_links(file.key) else None
    content = _RemoteContent(files_api, file, link or files_api.build_url(file.key, "content"))
    return DownloadSpec(
        name=file.key,
        sink=sink,
        identity={
            "service": "nrp",
            "file": content.request.url,
            "size": file.size,
            "checksum": file.checksum,
            "version": file.version_id or file.updated,
        },
        open_range=content.open,
        size=file.known_size,
        range_size=range_size,
        supports_ranges=lambda: runner.retry(
            content.request.description,
            content.supports_ranges,
            retry_checks=[content.check_expired_url],
            attempt_context=acquire_connection,
        ),
        digest=("md5", file.md5) if file.md5 else None,
        build_mismatch_error=content.state.build_mismatch_error,
        retry_check=content.check_expired_url,
        attempt_context=acquire_connection,
    )


class _RemoteContent:
    """The content of a file on the server; all responses must be about the same version of the file.

    If the repository returned the MD5 of the file, the MD5 is compared instead of the ETags.
    """

    def __init__(self, files_api: FilesApi, file: File, url: str) -> None:
        self._api = files_api.api
        self._file = file
        self.request = files_api.api.build_request(
            "GET", url, headers={"Accept": "*/*"}, success=FILE_CONTENT
        )
        hint = "read it again, then download"
        self.state = ObjectVersionCheck(file.key, digest_known=bool(file.md5), hint=hint)
        self._url_refreshes = 0

    @contextlib.contextmanager
    def open(self, start: int, stop: Optional[int]) -> Iterator[RangeResponse]:
        """Request bytes [start, stop) once; redirects of the content URL are followed again each time."""
        size, request = self._file.known_size, self.request
        etag = self._get_if_range_etag()
        if etag and (start, stop) not in ((0, size), (0, None)):
            request = attrs.evolve(request, headers={**request.headers, "If-Range": etag})
        with open_range(self._api.http, request, start, stop, size, self._check_same_object) as response:
            yield response

    def _get_if_range_etag(self) -> Optional[str]:
        """Return the ETag for If-Range; None if it may differ between the hosts of the storage.

        A host with another ETag would send the complete file instead of the range.
        """
        etag, md5 = self.state.first, self._file.md5
        if not isinstance(etag, str) or not etag.startswith('"'):
            return None
        return etag if not md5 or etag == f'"md5:{md5}"' else None

    def check_expired_url(self, context: RetryContext) -> RetryDecision:
        """Retry at once if the storage's URL may have expired: the repository redirects to another one."""
        error = context.http_error
        if error is None or error.status not in (400, 401, 403) or self._url_refreshes >= _MAX_URL_REFRESHES:
            return RetryDecision.NO_DECISION
        if self._api.http.origin.allows_credentials_for(Origin.parse(error.url)):
            return RetryDecision.NO_DECISION
        self._url_refreshes += 1
        return RetryDecision.RETRY_IMMEDIATELY

    def supports_ranges(self) -> bool:
        """Return True if a request for the first byte returns that byte, not the complete file."""
        with self.open(0, 1) as response:
            return not response.is_full_object

    def _check_same_object(self, response: requests.Response) -> None:
        """Compare a response with the earlier ones and with the MD5 in the repository."""
        self._api.apply_rate_limit(self.request.url, response.headers)
        etag = response.headers.get("ETag")
        md5 = self._file.md5
        if md5 and (etag or "").startswith('"md5:') and etag != f'"md5:{md5}"':
            raise self.state.build_changed_error()
        self.state.check_version(etag or response.headers.get("Last-Modified"))
