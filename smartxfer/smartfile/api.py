"""The requests of the API, one method each, without workflows.

Source: SmartFile protocol, sections 5 and 7.
"""

import re
import unicodedata
from typing import Any, Callable, Dict, Iterator, List, Mapping, Optional, Sequence, Set

import attrs

from smartxfer.errors import DecodeError, NotFound, OutcomeUnknown, UsageError
from smartxfer.service_api import ServiceApi
from smartxfer.smartfile.defaults import TASK_TIMEOUT
from smartxfer.smartfile.errors import SmartFileDecodeError, SmartFileTaskFailed, SmartFileWaitTimeout
from smartxfer.smartfile.models import Info, Link, Task
from smartxfer.smartfile.multipart_form import (
    FORM_CONTENT_TYPE,
    MultipartBody,
    MultipartFile,
    Segment,
    encode_form,
    flatten_params,
)
from smartxfer.smartfile.paths import build_api_path, normalize, quote_path, split
from smartxfer.transport import Body, BufferedResponse, RequestSpec, Success
from smartxfer.transport.polling import PollIntervals, poll
from smartxfer.transport.request_spec import AuthCallable
from smartxfer.validation import validate_seconds

__all__ = ["SUCCESS_BY_METHOD", "SmartFileApi"]

#: Success of each HTTP method (section 3): the body is JSON; a 204 has none.
SUCCESS_BY_METHOD = {
    "GET": Success({200}),
    "POST": Success({200, 201}),
    "PUT": Success({200}),
    "PATCH": Success({200}),
    "DELETE": Success({204}),
}
#: Success of a file download, which can have any media type.
_FILE_SUCCESS = Success({200}, Body.ANY)
#: Success of a signature or delta, whose media type the vendor does not document.
_SYNC_SUCCESS = Success({200, 201}, Body.NOT_HTML)

#: Intervals between two requests for the state of a task.
_POLL_INTERVALS = PollIntervals(initial=0.192, maximum=6.144)
#: Maximum number of pages of a list, and of consecutive pages without a new entry.
_MAX_PAGES, _MAX_REPEATED_PAGES = 100_000, 10
_HEX_DIGITS = re.compile(r"[0-9A-Fa-f]+\Z")


@attrs.frozen
class SmartFileApi(ServiceApi):
    """The requests of the SmartFile API.

    :param api_url: URL of the API, with its version and without a slash at its end.
    :param auth: adds the credentials to a request.
    """

    api_url: str
    auth: Optional[AuthCallable]

    def build_request(
        self, method: str, path: str, params: Mapping[str, Any] = {}, **options: Any
    ) -> RequestSpec:
        """Return an authenticated request.

        :param path: below the API, percent-encoded.
        :param params: sent in the query of a GET request, in the body of others.
        :param options: further fields of the RequestSpec.
        """
        options.setdefault("success", SUCCESS_BY_METHOD[method])
        if method == "GET":
            return RequestSpec(
                method, f"{self.api_url}/{path}", flatten_params(params), auth=self.auth, **options
            )
        return RequestSpec(
            method,
            f"{self.api_url}/{path}",
            headers={"Content-Type": FORM_CONTENT_TYPE},
            body=encode_form(params),
            auth=self.auth,
            **options,
        )

    def _post_operation(self, name: str, params: Mapping[str, Any], **options: Any) -> BufferedResponse:
        return self.send_request(self.build_request("POST", f"path/oper/{name}/", params, **options))

    # -- paths ------------------------------------------------------------------------------------------

    def stat(self, path: str) -> Info:
        """Return the Info of a file or directory."""
        response = self.send_request(self.build_request("GET", build_api_path("path/info", path)))
        return _require_path(response.parse_model(Info), path, response.description)

    def find(self, path: str) -> Optional[Info]:
        """Return the Info of a file or directory, or None."""
        try:
            return self.stat(path)
        except NotFound:
            return None

    def iter_directory(self, path: str) -> Iterator[Info]:
        """Yield the entries of all pages of a directory; one that moves to the next page is yielded once."""
        visited: Set[str] = set()
        repeated_pages = 0
        for page in range(1, _MAX_PAGES):
            request = self.build_request(
                "GET", build_api_path("path/info", path), {"children": True, "page": page}
            )
            body = self.send_request(request).json(dict)
            entries = body.get("children")
            if not isinstance(entries, list):
                raise SmartFileDecodeError(f"{request.description}: 'children' in the response is not a list")
            seen_before = len(visited)
            for entry in entries:
                child = _require_child(Info.from_wire(entry, request.description), path, request.description)
                if child.path not in visited:
                    visited.add(child.path)
                    yield child
            if not entries or page >= _page_count(body, request.description):
                return
            repeated_pages = repeated_pages + 1 if len(visited) == seen_before else 0
            if repeated_pages >= _MAX_REPEATED_PAGES:
                break
        raise _endless_list_error(f"the list of {path}")

    def mkdir(self, path: str) -> Info:
        """Create a directory; if the response is lost, check whether the directory exists."""
        try:
            response = self._post_operation("mkdir", {"path": path})
            return _require_path(response.parse_model(Info), path, response.description)
        except OutcomeUnknown:
            info = self.find(path)
            if info is None or not info.isdir:
                raise
            return info

    def rename(self, src: str, dst: str) -> Info:
        """Rename a file or directory; if the response is lost, check whether it was renamed."""
        try:
            self._post_operation("rename", {"src": src, "dst": dst})
        except OutcomeUnknown:
            if self.find(src) is not None or self.find(dst) is None:
                raise
        return self.stat(dst)

    def start_task(self, operation: str, **params: Any) -> Task:
        """Start a task on the server: ``move``, ``copy``, ``remove``, ``checksum``, ``compress``."""
        idempotent = True if operation == "checksum" else None
        response = self._post_operation(operation, params, idempotent=idempotent)
        task = response.parse_model(Task)
        if not task.uuid:
            raise SmartFileDecodeError(f"{response.description}: the task in the response has no uuid")
        return task

    # -- content ----------------------------------------------------------------------------------------

    def download_request(self, path: str) -> RequestSpec:
        """Return the request that downloads a file."""
        return self.build_request(
            "GET", build_api_path("path/data", path), decode_json=False, success=_FILE_SUCCESS
        )

    def upload_request(self, path: str, content: Segment) -> RequestSpec:
        """Return the request that uploads a file; an existing file is overwritten."""
        directory, name = split(path)
        form = MultipartBody([], [MultipartFile("file", name, content)])
        return self._multipart_request(
            build_api_path("path/data", directory), form, idempotent=True, success=SUCCESS_BY_METHOD["POST"]
        )

    def sync_request(self, step: str, path: str, field: str, content: Segment) -> RequestSpec:
        """Return the request of a step of the sync API that uploads a file: ``delta`` or ``patch``."""
        form = MultipartBody([], [MultipartFile(field, field, content)])
        success = _SYNC_SUCCESS if step == "delta" else SUCCESS_BY_METHOD["POST"]
        return self._multipart_request(
            f"path/sync/{step}/{quote_path(path)}/", form, idempotent=step == "delta", success=success
        )

    def signature_request(self, path: str, block_length: int) -> RequestSpec:
        """Return the request for the signature of a file."""
        return self.build_request(
            "GET",
            f"path/sync/signature/{quote_path(path)}/",
            {"block_size": block_length},
            decode_json=False,
            success=_SYNC_SUCCESS,
        )

    def _multipart_request(self, path: str, form: MultipartBody, **options: Any) -> RequestSpec:
        headers = {"Content-Type": form.content_type}
        return RequestSpec(
            "POST", f"{self.api_url}/{path}", headers=headers, body=form, auth=self.auth, **options
        )

    # -- tasks ------------------------------------------------------------------------------------------

    def get_task(self, uuid: str) -> Task:
        """Return the current state of a task."""
        response = self.send_request(self.build_request("GET", build_api_path("task", uuid)))
        task = response.parse_model(Task)
        if task.uuid != uuid:
            raise SmartFileDecodeError(f"{response.description}: the response is about another task")
        return task

    def wait_for_task(
        self, task: Any, timeout: float = TASK_TIMEOUT, on_poll: Callable[[Task], Any] = lambda task: None
    ) -> Task:
        """Poll a task, with growing intervals, until it is done.

        :param on_poll: called with each state.
        :raises TaskFailed: the task failed, completely or for some paths.
        :raises WaitTimeout: the task was not done after ``timeout`` seconds; the server continues it.
        """
        uuid = _get_task_uuid(task)

        def fetch() -> Task:
            state = self.get_task(uuid)
            on_poll(state)
            return state

        state = poll(
            fetch,
            lambda state: state.done,
            timeout=validate_seconds(timeout, "timeout"),
            intervals=_POLL_INTERVALS,
            clock=self.clock,
            sleep=self.sleep,
        )
        if state.done:
            return _require_success(state)
        raise SmartFileWaitTimeout(
            f"task {uuid} is {state.status} after {timeout:.0f} s",
            hint="the server continues the task; call wait(error.last) again",
            last=state,
        )

    def get_checksums(
        self,
        paths: Sequence[str],
        algorithm: str,
        timeout: float = TASK_TIMEOUT,
        on_poll: Callable[[Task], Any] = lambda task: None,
    ) -> Dict[str, str]:
        """Return hex digests by path, computed by the server.

        :param algorithm: ``MD5``, ``SHA1``, ``SHA256``, ``SHA512`` or ``CRC-32``, in any case.
        """
        validate_seconds(timeout, "timeout")
        if not isinstance(algorithm, str):
            raise UsageError(
                f"algorithm must be a string, not a {type(algorithm).__name__}",
                hint="pass algorithm='SHA256'",
            )
        task = self.start_task("checksum", path=list(paths), algorithm=algorithm.upper())
        checksums = self.wait_for_task(task, timeout, on_poll).output.get("checksums")
        if not isinstance(checksums, Mapping):
            raise SmartFileDecodeError("the result of the checksum task has no checksums")
        by_path = {"/" + str(path).strip("/"): value for path, value in checksums.items()}
        missing = [path for path in paths if normalize(path) not in by_path]
        if missing:
            raise SmartFileDecodeError(f"the result of the checksum task does not contain {missing[0]!r}")
        digests = {path: by_path[normalize(path)] for path in paths}
        for path, value in digests.items():
            if not isinstance(value, str) or not _HEX_DIGITS.match(value):
                raise SmartFileDecodeError(f"the result of the checksum task for {path!r} is not a checksum")
        return {path: value.lower() for path, value in digests.items()}

    # -- links ------------------------------------------------------------------------------------------

    def list_links(self) -> List[Link]:
        """Return all links of the account."""
        links: List[Link] = []
        for page in range(1, _MAX_PAGES):
            response = self.send_request(self.build_request("GET", "link/", {"page": page}))
            body = response.json((dict, list))
            results = body if isinstance(body, list) else body.get("results") or []
            if not isinstance(results, list):
                raise SmartFileDecodeError(f"{response.description}: 'results' in the response is not a list")
            links += [Link.from_wire(entry, response.description) for entry in results]
            if not results or isinstance(body, list) or page >= _page_count(body, response.description):
                return links
        raise _endless_list_error("the list of links")

    def create_link(self, fields: Mapping[str, Any]) -> Link:
        """Create a link; the request is not repeated if its response is lost."""
        return self.send_request(self.build_request("POST", "link/", fields)).parse_model(Link)

    def delete_link(self, uid: str) -> None:
        """Delete a link; a 404 counts as success."""
        try:
            self.send_request(self.build_request("DELETE", build_api_path("link", uid)))
        except NotFound:
            pass


def _require_path(info: Info, path: str, description: str) -> Info:
    """Return the Info if it is about the requested path.

    :raises DecodeError: the Info is about another path.
    """
    if _comparable_path(info.path) != _comparable_path(path):
        raise SmartFileDecodeError(f"{description}: the response is about {info.path!r}, not {path!r}")
    return info


def _require_child(info: Info, directory: str, description: str) -> Info:
    """Return the Info if it is about an entry of the directory.

    :raises DecodeError: the path is outside the directory: a walk would leave it, or not terminate.
    """
    parent, _, name = _comparable_path(info.path).rpartition("/")
    if name in ("", ".", "..") or parent != _comparable_path(directory):
        raise SmartFileDecodeError(
            f"{description}: the response lists {info.path!r}, which is not in {directory!r}"
        )
    return info


def _comparable_path(path: str) -> str:
    """Return a path for comparisons: without slashes at its ends, in Unicode normalization form C."""
    return unicodedata.normalize("NFC", path.strip("/"))


def _page_count(body: Mapping[str, Any], description: str) -> int:
    """Return the number of pages of a list.

    :raises DecodeError: the number is invalid; without it, entries could be missing silently.
    """
    pages = body.get("pages", 1)
    if isinstance(pages, bool) or not isinstance(pages, int):
        raise SmartFileDecodeError(f"{description}: 'pages' in the response is not a number")
    return pages


def _endless_list_error(description: str) -> DecodeError:
    return SmartFileDecodeError(f"{description} does not end: the server always reports further pages")


def _get_task_uuid(task: Any) -> str:
    if isinstance(task, Mapping):
        task = task["uuid"]
    return str(task)


def _require_success(task: Task) -> Task:
    if task.status == "SUCCESS" and not task.errors:
        return task
    failures = task.errors
    first_failures = list(failures.items())[:5]
    reasons = "; ".join(f"{path}: {reason}" if path else reason for path, reason in first_failures)
    outcome = "failed for some paths" if task.status == "SUCCESS" else "failed"
    raise SmartFileTaskFailed(
        f"task {task.uuid} {outcome}: {reasons or 'no reason given'}",
        hint="see error.failures; the other paths were processed"
        if task.status == "SUCCESS"
        else "see error.task",
        task=task,
        failures=failures,
    )
