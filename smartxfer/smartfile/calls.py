"""The requests of the API, one method each; nothing here knows a workflow.

Source: SmartFile protocol, sections 5 and 7.
"""

import re
import unicodedata
from typing import Any, Callable, Dict, Iterator, List, Mapping, Optional, Sequence, Set

import attrs

from smartxfer.errors import DecodeError, NotFound, OutcomeUnknown, UsageError
from smartxfer.options import check_seconds
from smartxfer.service_api import ServiceApi
from smartxfer.smartfile.defaults import TASK_TIMEOUT
from smartxfer.smartfile.errors import SmartFileDecodeError, SmartFileTaskFailed, SmartFileWaitTimeout
from smartxfer.smartfile.forms import FORM, FormBody, FormFile, Segment, encoded_form, pairs_of
from smartxfer.smartfile.models import Info, Link, Task
from smartxfer.smartfile.paths import api_path, encoded, normal, split
from smartxfer.transport import Answer, Body, Call, Success
from smartxfer.transport.call import Sign
from smartxfer.transport.polling import Pauses, poll

__all__ = ["SUCCESS", "Calls"]

#: What each method answers when it worked (section 3); the body is JSON, and a 204 has none.
SUCCESS = {
    "GET": Success({200}),
    "POST": Success({200, 201}),
    "PUT": Success({200}),
    "PATCH": Success({200}),
    "DELETE": Success({204}),
}
#: A file of any type, as its owner put it there.
_FILE = Success({200}, Body.ANY)
#: A signature or a delta: the page does not tell its media type.
_SYNC = Success({200, 201}, Body.NO_PAGE)

#: Pauses between two requests for the state of a task.
_PAUSES = Pauses(first=0.192, longest=6.144)
#: Pages of a list: all of them, and those in a row that show nothing new.
_MOST_PAGES, _MOST_STALE = 100_000, 10
_HEX = re.compile(r"[0-9A-Fa-f]+\Z")


@attrs.frozen
class Calls(ServiceApi):
    """What can be asked of a site.

    :param api: address of the API, with its version and without a slash at its end.
    """

    api: str
    sign: Optional[Sign]

    def describe(self, method: str, path: str, params: Mapping[str, Any] = {}, **options: Any) -> Call:
        """A signed call of an encoded path; arguments of GET stand in the query, others in the body.

        :param options: further fields of the Call.
        """
        options.setdefault("success", SUCCESS[method])
        if method == "GET":
            return Call(method, f"{self.api}/{path}", pairs_of(params), sign=self.sign, **options)
        return Call(
            method,
            f"{self.api}/{path}",
            headers={"Content-Type": FORM},
            body=encoded_form(params),
            sign=self.sign,
            **options,
        )

    def _oper(self, name: str, params: Mapping[str, Any], **options: Any) -> Answer:
        return self.make(self.describe("POST", f"path/oper/{name}/", params, **options))

    # -- paths ------------------------------------------------------------------------------------------

    def stat(self, path: str) -> Info:
        """A file or directory."""
        answer = self.make(self.describe("GET", api_path("path/info", path)))
        return _about(answer.made(Info), path, answer.what)

    def find(self, path: str) -> Optional[Info]:
        """A file or directory, or None."""
        try:
            return self.stat(path)
        except NotFound:
            return None

    def children(self, path: str) -> Iterator[Info]:
        """What is in a directory, page after page; an entry that moves to the next page comes once."""
        seen: Set[str] = set()
        stale = 0
        for page in range(1, _MOST_PAGES):
            call = self.describe("GET", api_path("path/info", path), {"children": True, "page": page})
            body = self.make(call).json(dict)
            found = body.get("children")
            if not isinstance(found, list):
                raise SmartFileDecodeError(f"{call.what}: the answer has no list of children")
            before = len(seen)
            for entry in found:
                child = _inside(Info.from_wire(entry, call.what), path, call.what)
                if child.path not in seen:
                    seen.add(child.path)
                    yield child
            if not found or page >= _pages(body, call.what):
                return
            stale = stale + 1 if len(seen) == before else 0
            if stale >= _MOST_STALE:
                break
        raise _endless(f"the list of {path}")

    def mkdir(self, path: str) -> Info:
        """Make a directory; an answer that was lost is replaced by a look."""
        try:
            answer = self._oper("mkdir", {"path": path})
            return _about(answer.made(Info), path, answer.what)
        except OutcomeUnknown:
            found = self.find(path)
            if found is None or not found.isdir:
                raise
            return found

    def rename(self, src: str, dst: str) -> Info:
        """Give a file or directory another path, at once; an answer that was lost is replaced by a look."""
        try:
            self._oper("rename", {"src": src, "dst": dst})
        except OutcomeUnknown:
            if self.find(src) is not None or self.find(dst) is None:
                raise
        return self.stat(dst)

    def start(self, operation: str, **params: Any) -> Task:
        """Begin a long operation: ``move``, ``copy``, ``remove``, ``checksum``, ``compress``."""
        repeatable = True if operation == "checksum" else None
        answer = self._oper(operation, params, idempotent=repeatable)
        task = answer.made(Task)
        if not task.uuid:
            raise SmartFileDecodeError(f"{answer.what}: the task has no uuid")
        return task

    # -- content ----------------------------------------------------------------------------------------

    def content(self, path: str) -> Call:
        """The call for a file's bytes."""
        return self.describe("GET", api_path("path/data", path), decode=False, success=_FILE)

    def store(self, path: str, content: Segment) -> Call:
        """The call for sending a file's bytes; whatever has that name is overwritten."""
        directory, name = split(path)
        form = FormBody([], [FormFile("file", name, content)])
        return self._form(api_path("path/data", directory), form, idempotent=True, success=SUCCESS["POST"])

    def sync(self, step: str, path: str, field: str, content: Segment) -> Call:
        """The call for a step of the sync API that sends a file: ``delta`` or ``patch``."""
        form = FormBody([], [FormFile(field, field, content)])
        success = _SYNC if step == "delta" else SUCCESS["POST"]
        return self._form(
            f"path/sync/{step}/{encoded(path)}/", form, idempotent=step == "delta", success=success
        )

    def signature(self, path: str, block_length: int) -> Call:
        """The call for a file's signature."""
        return self.describe(
            "GET",
            f"path/sync/signature/{encoded(path)}/",
            {"block_size": block_length},
            decode=False,
            success=_SYNC,
        )

    def _form(self, path: str, form: FormBody, **options: Any) -> Call:
        headers = {"Content-Type": form.content_type}
        return Call("POST", f"{self.api}/{path}", headers=headers, body=form, sign=self.sign, **options)

    # -- tasks ------------------------------------------------------------------------------------------

    def task(self, uuid: str) -> Task:
        """A task as it stands."""
        answer = self.make(self.describe("GET", api_path("task", uuid)))
        task = answer.made(Task)
        if task.uuid != uuid:
            raise SmartFileDecodeError(f"{answer.what}: the answer is about another task")
        return task

    def wait(
        self, task: Any, timeout: float = TASK_TIMEOUT, seen: Callable[[Task], Any] = lambda task: None
    ) -> Task:
        """Ask after a task, less and less often, until the server is through with it.

        :param seen: told of each state.
        :raises TaskFailed: it failed, or succeeded but for some paths.
        :raises WaitTimeout: it was not through after ``timeout`` seconds; it goes on.
        """
        uuid = _uuid_of(task)

        def look() -> Task:
            state = self.task(uuid)
            seen(state)
            return state

        state = poll(
            look,
            lambda state: state.done,
            seconds=check_seconds(timeout, "timeout"),
            pauses=_PAUSES,
            clock=self.clock,
            pause=self.pause,
        )
        if state.done:
            return _settled(state)
        raise SmartFileWaitTimeout(
            f"task {uuid} is {state.status} after {timeout:.0f} s",
            hint="it goes on by itself; wait again with the error's .last",
            last=state,
        )

    def checksums(
        self,
        paths: Sequence[str],
        algorithm: str,
        timeout: float = TASK_TIMEOUT,
        seen: Callable[[Task], Any] = lambda task: None,
    ) -> Dict[str, str]:
        """Hex digests by path, reckoned by the server.

        :param algorithm: ``MD5``, ``SHA1``, ``SHA256``, ``SHA512`` or ``CRC-32``, in any case.
        """
        check_seconds(timeout, "timeout")
        if not isinstance(algorithm, str):
            raise UsageError(f"algorithm is text, such as 'SHA256', not a {type(algorithm).__name__}")
        task = self.start("checksum", path=list(paths), algorithm=algorithm.upper())
        found = self.wait(task, timeout, seen).outcome.get("checksums")
        if not isinstance(found, Mapping):
            raise SmartFileDecodeError("the checksum task ended without checksums")
        known = {"/" + str(path).strip("/"): value for path, value in found.items()}
        missing = [path for path in paths if normal(path) not in known]
        if missing:
            raise SmartFileDecodeError(f"the checksum task says nothing of {missing[0]!r}")
        sums = {path: known[normal(path)] for path in paths}
        for path, value in sums.items():
            if not isinstance(value, str) or not _HEX.match(value):
                raise SmartFileDecodeError(f"the checksum task has no checksum of {path!r}")
        return {path: value.lower() for path, value in sums.items()}

    # -- links ------------------------------------------------------------------------------------------

    def links(self) -> List[Link]:
        """Every link of the account."""
        found: List[Link] = []
        for page in range(1, _MOST_PAGES):
            answer = self.make(self.describe("GET", "link/", {"page": page}))
            body = answer.json((dict, list))
            results = body if isinstance(body, list) else body.get("results") or []
            if not isinstance(results, list):
                raise SmartFileDecodeError(f"{answer.what}: the answer has no list of results")
            found += [Link.from_wire(entry, answer.what) for entry in results]
            if not results or isinstance(body, list) or page >= _pages(body, answer.what):
                return found
        raise _endless("the list of links")

    def create_link(self, fields: Mapping[str, Any]) -> Link:
        """Make a link; never repeated when its answer was lost."""
        return self.make(self.describe("POST", "link/", fields)).made(Link)

    def delete_link(self, uid: str) -> None:
        """Remove a link; one that is gone already is no error."""
        try:
            self.make(self.describe("DELETE", api_path("link", uid)))
        except NotFound:
            pass


def _about(info: Info, path: str, call: str) -> Info:
    """What a call says of the path that was asked for.

    :raises DecodeError: it is about another path.
    """
    if _plain(info.path) != _plain(path):
        raise SmartFileDecodeError(f"{call}: the answer is about {info.path!r}, not {path!r}")
    return info


def _inside(info: Info, directory: str, call: str) -> Info:
    """What a call says of an entry of a directory.

    :raises DecodeError: it lies elsewhere: a walk would never end, or leave the directory.
    """
    parent, _, name = _plain(info.path).rpartition("/")
    if name in ("", ".", "..") or parent != _plain(directory):
        raise SmartFileDecodeError(f"{call}: the answer lists {info.path!r}, which is not in {directory!r}")
    return info


def _plain(path: str) -> str:
    """A path without slashes at its ends, for comparisons; accents count as the same in either form."""
    return unicodedata.normalize("NFC", path.strip("/"))


def _pages(body: Mapping[str, Any], call: str) -> int:
    """How many pages a list has.

    :raises DecodeError: it is not a number: entries would be missing silently.
    """
    pages = body.get("pages", 1)
    if isinstance(pages, bool) or not isinstance(pages, int):
        raise SmartFileDecodeError(f"{call}: the number of pages is not a number")
    return pages


def _endless(what: str) -> DecodeError:
    return SmartFileDecodeError(f"{what} does not end: the server tells of ever more pages")


def _uuid_of(task: Any) -> str:
    if isinstance(task, Mapping):
        task = task["uuid"]
    return str(task)


def _settled(task: Task) -> Task:
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
