"""Files on their way down: by ranges only where the server has shown that it knows them.

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

#: Bytes per piece of a file that is fetched by ranges.
DEFAULT_RANGE_SIZE = 16 << 20
#: Less is not worth a request of its own.
MIN_RANGE_SIZE = 1 << 20
MAX_RANGES = 10_000
#: How often an address that has expired is replaced in the course of one download without a pause.
_MAX_URL_REFRESHES = 16


def require_complete(file: File) -> None:
    """Raise where the repository would give other bytes than the file's, or none.

    :raises Conflict: the upload of it has not ended, or failed.
    :raises UsageError: no request can name it.

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
            hint="files.wait_fetch() waits for one that the repository fetches; others have to be uploaded",
            status=409,
        )


def get_modified_times(file: File) -> Optional[Tuple[float, float]]:
    """When a file changed in the repository; None where it does not say."""
    try:
        moment = dt.datetime.fromisoformat((file.updated or "").replace("Z", "+00:00"))
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=dt.timezone.utc)
    return moment.timestamp(), moment.timestamp()


def apply_exists_policy(spec: DownloadSpec, exists: Exists, api: RepositoryApi, file: File) -> DownloadSpec:
    """Return the download of a single file, with what decides about an existing one."""
    origin = get_renamed_origin(spec.sink, (get_repository_label(api), file.key))
    return apply_existing_file_policy(spec, exists, mtime_range=get_modified_times(file), origin=origin)


def compute_range_size(
    size: Optional[int], parts: Optional[int] = None, part_size: Optional[int] = None
) -> int:
    """Bytes per piece.

    :param part_size: as the caller wants it, at least 1 MiB; goes before ``parts``.
    """
    for name, value in (("parts", parts), ("part_size", part_size)):
        if value is not None and (type(value) is not int or value < 1):
            raise UsageError(
                f"{name} is a number of at least 1, not {value!r}", hint=f"pass {name}=1 or more"
            )
    if part_size is None:
        part_size = DEFAULT_RANGE_SIZE if parts is None else -(-(size or 0) // parts)
    return max(MIN_RANGE_SIZE, part_size, -(-(size or 0) // MAX_RANGES))


def build_download_spec(
    files_api: FilesApi, file: File, sink: Sink, runner: TransferRunner, range_size: int
) -> DownloadSpec:
    """The download of a file, as the engine wants it.

    Nothing is asked of the server before the download begins.

    :param range_size: bytes per piece, where the server knows ranges.
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
    """The bytes of a file on the server; all answers have to be about one state of it.

    Where the repository gave the MD5 of the file, that decides, not the ETags.
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
        """One try at bytes [start, stop); what the address redirects to is asked for anew each time."""
        size, call = self._file.known_size, self.request
        strong = self._get_if_range_etag()
        if strong and (start, stop) not in ((0, size), (0, None)):
            call = attrs.evolve(call, headers={**call.headers, "If-Range": strong})
        with open_range(self._api.http, call, start, stop, size, self._check_same_object) as incoming:
            yield incoming

    def _get_if_range_etag(self) -> Optional[str]:
        """Return the ETag for If-Range; None where it may differ between the storage's machines.

        Such a machine would send the whole file in place of the range.
        """
        tag, known = self.state.first, self._file.md5
        if not isinstance(tag, str) or not tag.startswith('"'):
            return None
        return tag if not known or tag == f'"md5:{known}"' else None

    def check_expired_url(self, context: RetryContext) -> RetryDecision:
        """Have the repository asked for another address, where the storage's one may have expired."""
        refusal = context.http_error
        if (
            refusal is None
            or refusal.status not in (400, 401, 403)
            or self._url_refreshes >= _MAX_URL_REFRESHES
        ):
            return RetryDecision.NO_DECISION
        if self._api.http.origin.allows_credentials_for(Origin.parse(refusal.url)):
            return RetryDecision.NO_DECISION
        self._url_refreshes += 1
        return RetryDecision.RETRY_IMMEDIATELY

    def supports_ranges(self) -> bool:
        """Whether a request for the first byte gives the first byte, and not the file."""
        with self.open(0, 1) as incoming:
            return not incoming.is_full_object

    def _check_same_object(self, response: requests.Response) -> None:
        """Compare one answer with those before, and with what the repository said of the file."""
        self._api.apply_rate_limit(self.request.url, response.headers)
        etag = response.headers.get("ETag")
        known = self._file.md5
        if known and (etag or "").startswith('"md5:') and etag != f'"md5:{known}"':
            raise self.state.build_changed_error()
        self.state.check_version(etag or response.headers.get("Last-Modified"))
