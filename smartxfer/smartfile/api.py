"""The requests of the API, one method each; nothing here knows a workflow.

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

#: What each method answers when it worked (section 3); the body is JSON, and a 204 has none.
SUCCESS_BY_METHOD = {
    "GET": Success({200}),
    "POST": Success({200, 201}),
    "PUT": Success({200}),
    "PATCH": Success({200}),
    "DELETE": Success({204}),
}
#: A file of any type, as its owner put it there.
_FILE_SUCCESS = Success({200}, Body.ANY)
#: A signature or a delta: the page does not tell its media type.
_SYNC_SUCCESS = Success({200, 201}, Body.NOT_HTML)

#: Pauses between two requests for the state of a task.
_POLL_INTERVALS = PollIntervals(initial=0.192, maximum=6.144)
#: Pages of a list: all of them, and those in a row that show nothing new.
_MAX_PAGES, _MAX_REPEATED_PAGES = 100_000, 10
_HEX_DIGITS = re.compile(r"[0-9A-Fa-f]+\Z")


@attrs.frozen
class SmartFileApi(ServiceApi):
    """What can be asked of a site.

    :param api: address of the API, with its version and without a slash at its end.
    """

    api_url: str
    auth: Optional[AuthCallable]

    def build_request(
        self, method: str, path: str, params: Mapping[str, Any] = {}, **options: Any
    ) -> RequestSpec:
        """A signed call of an encoded path; arguments of GET stand in the query, others in the body.

        :param options: further fields of the Call.
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
        """A file or directory."""
        answer = self.send_request(self.build_request("GET", build_api_path("path/info", path)))
        return _require_path(answer.parse_model(Info), path, answer.description)

    def find(self, path: str) -> Optional[Info]:
        """A file or directory, or None."""
        try:
            return self.stat(path)
        except NotFound:
            return None

    def iter_directory(self, path: str) -> Iterator[Info]:
        """What is in a directory, page after page; an entry that moves to the next page comes once."""
        seen: Set[str] = set()
        stale = 0
        for page in range(1, _MAX_PAGES):
            call = self.build_request(
                "GET", build_api_path("path/info", path), {"children": True, "page": page}
            )
            body = self.send_request(call).json(dict)
            found = body.get("children")
            if not isinstance(found, list):
                raise SmartFileDecodeError(f"{call.description}: the answer has no list of children")
            before = len(seen)
            for entry in found:
                child = _require_child(Info.from_wire(entry, call.description), path, call.description)
                if child.path not in seen:
                    seen.add(child.path)
                    yield child
            if not found or page >= _page_count(body, call.description):
                return
            stale = stale + 1 if len(seen) == before else 0
            if stale >= _MAX_REPEATED_PAGES:
                break
        raise _endless_list_error(f"the list of {path}")

    def mkdir(self, path: str) -> Info:
        """Make a directory; an answer that was lost is replaced by a look."""
        try:
            answer = self._post_operation("mkdir", {"path": path})
            return _require_path(answer.parse_model(Info), path, answer.description)
        except OutcomeUnknown:
            found = self.find(path)
            if found is None or not found.isdir:
                raise
            return found

    def rename(self, src: str, dst: str) -> Info:
        """Give a file or directory another path, at once; an answer that was lost is replaced by a look."""
        try:
            self._post_operation("rename", {"src": src, "dst": dst})
        except OutcomeUnknown:
            if self.find(src) is not None or self.find(dst) is None:
                raise
        return self.stat(dst)

    def start_task(self, operation: str, **params: Any) -> Task:
        """Begin a long operation: ``move``, ``copy``, ``remove``, ``checksum``, ``compress``."""
        repeatable = True if operation == "checksum" else None
        answer = self._post_operation(operation, params, idempotent=repeatable)
        task = answer.parse_model(Task)
        if not task.uuid:
            raise SmartFileDecodeError(f"{answer.description}: the task has no uuid")
        return task

    # -- content ----------------------------------------------------------------------------------------

    def download_request(self, path: str) -> RequestSpec:
        """The call for a file's bytes."""
        return self.build_request(
            "GET", build_api_path("path/data", path), decode_json=False, success=_FILE_SUCCESS
        )

    def upload_request(self, path: str, content: Segment) -> RequestSpec:
        """The call for sending a file's bytes; whatever has that name is overwritten."""
        directory, name = split(path)
        form = MultipartBody([], [MultipartFile("file", name, content)])
        return self._multipart_request(
            build_api_path("path/data", directory), form, idempotent=True, success=SUCCESS_BY_METHOD["POST"]
        )

    def sync_request(self, step: str, path: str, field: str, content: Segment) -> RequestSpec:
        """The call for a step of the sync API that sends a file: ``delta`` or ``patch``."""
        form = MultipartBody([], [MultipartFile(field, field, content)])
        success = _SYNC_SUCCESS if step == "delta" else SUCCESS_BY_METHOD["POST"]
        return self._multipart_request(
            f"path/sync/{step}/{quote_path(path)}/", form, idempotent=step == "delta", success=success
        )

    def signature_request(self, path: str, block_length: int) -> RequestSpec:
        """The call for a file's signature."""
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
        """A task as it stands."""
        answer = self.send_request(self.build_request("GET", build_api_path("task", uuid)))
        task = answer.parse_model(Task)
        if task.uuid != uuid:
            raise SmartFileDecodeError(f"{answer.description}: the answer is about another task")
        return task

    def wait_for_task(
        self, task: Any, timeout: float = TASK_TIMEOUT, on_poll: Callable[[Task], Any] = lambda task: None
    ) -> Task:
        """Ask after a task, less and less often, until the server is through with it.

        :param on_poll: told of each state.
        :raises TaskFailed: it failed, or succeeded but for some paths.
        :raises WaitTimeout: it was not through after ``timeout`` seconds; it goes on.
        """
        uuid = _get_task_uuid(task)

        def look() -> Task:
            state = self.get_task(uuid)
            on_poll(state)
            return state

        state = poll(
            look,
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
            hint="it goes on by itself; wait again with the error's .last",
            last=state,
        )

    def get_checksums(
        self,
        paths: Sequence[str],
        algorithm: str,
        timeout: float = TASK_TIMEOUT,
        on_poll: Callable[[Task], Any] = lambda task: None,
    ) -> Dict[str, str]:
        """Hex digests by path, reckoned by the server.

        :param algorithm: ``MD5``, ``SHA1``, ``SHA256``, ``SHA512`` or ``CRC-32``, in any case.
        """
        validate_seconds(timeout, "timeout")
        if not isinstance(algorithm, str):
            raise UsageError(
                f"algorithm is text, such as 'SHA256', not a {type(algorithm).__name__}",
                hint="pass algorithm='SHA256'",
            )
        task = self.start_task("checksum", path=list(paths), algorithm=algorithm.upper())
        found = self.wait_for_task(task, timeout, on_poll).output.get("checksums")
        if not isinstance(found, Mapping):
            raise SmartFileDecodeError("the checksum task ended without checksums")
        known = {"/" + str(path).strip("/"): value for path, value in found.items()}
        missing = [path for path in paths if normalize(path) not in known]
        if missing:
            raise SmartFileDecodeError(f"the checksum task says nothing of {missing[0]!r}")
        sums = {path: known[normalize(path)] for path in paths}
        for path, value in sums.items():
            if not isinstance(value, str) or not _HEX_DIGITS.match(value):
                raise SmartFileDecodeError(f"the checksum task has no checksum of {path!r}")
        return {path: value.lower() for path, value in sums.items()}

    # -- links ------------------------------------------------------------------------------------------

    def list_links(self) -> List[Link]:
        """Every link of the account."""
        found: List[Link] = []
        for page in range(1, _MAX_PAGES):
            answer = self.send_request(self.build_request("GET", "link/", {"page": page}))
            body = answer.json((dict, list))
            results = body if isinstance(body, list) else body.get("results") or []
            if not isinstance(results, list):
                raise SmartFileDecodeError(f"{answer.description}: the answer has no list of results")
            found += [Link.from_wire(entry, answer.description) for entry in results]
            if not results or isinstance(body, list) or page >= _page_count(body, answer.description):
                return found
        raise _endless_list_error("the list of links")

    def create_link(self, fields: Mapping[str, Any]) -> Link:
        """Make a link; never repeated when its answer was lost."""
        return self.send_request(self.build_request("POST", "link/", fields)).parse_model(Link)

    def delete_link(self, uid: str) -> None:
        """Remove a link; one that is gone already is no error."""
        try:
            self.send_request(self.build_request("DELETE", build_api_path("link", uid)))
        except NotFound:
            pass


def _require_path(info: Info, path: str, description: str) -> Info:
    """What a call says of the path that was asked for.

    :raises DecodeError: it is about another path.
    """
    if _comparable_path(info.path) != _comparable_path(path):
        raise SmartFileDecodeError(f"{description}: the answer is about {info.path!r}, not {path!r}")
    return info


def _require_child(info: Info, directory: str, description: str) -> Info:
    """What a call says of an entry of a directory.

    :raises DecodeError: it lies elsewhere: a walk would never end, or leave the directory.
    """
    parent, _, name = _comparable_path(info.path).rpartition("/")
    if name in ("", ".", "..") or parent != _comparable_path(directory):
        raise SmartFileDecodeError(
            f"{description}: the answer lists {info.path!r}, which is not in {directory!r}"
        )
    return info


def _comparable_path(path: str) -> str:
    """A path without slashes at its ends, for comparisons; accents count as the same in either form."""
    return unicodedata.normalize("NFC", path.strip("/"))


def _page_count(body: Mapping[str, Any], description: str) -> int:
    """How many pages a list has.

    :raises DecodeError: it is not a number: entries would be missing silently.
    """
    pages = body.get("pages", 1)
    if isinstance(pages, bool) or not isinstance(pages, int):
        raise SmartFileDecodeError(f"{description}: the number of pages is not a number")
    return pages


def _endless_list_error(what: str) -> DecodeError:
    return SmartFileDecodeError(f"{what} does not end: the server tells of ever more pages")


def _get_task_uuid(task: Any) -> str:
    if isinstance(task, Mapping):
        task = task["uuid"]
    return str(task)


def _require_success(task: Task) -> Task:
    if task.status == "SUCCESS" and not task.errors:
        return task
    failures = task.errors
    told = list(failures.items())[:5]
    reasons = "; ".join(f"{path}: {reason}" if path else reason for path, reason in told)
    how = "failed for some paths" if task.status == "SUCCESS" else "failed"
    raise SmartFileTaskFailed(
        f"task {task.uuid} {how}: {reasons or 'no reason given'}",
        hint="see .failures; what is not in it was done" if task.status == "SUCCESS" else "see .task",
        task=task,
        failures=failures,
    )
