"""Canned answers in which one value at a time is replaced by undocumented values."""

from __future__ import annotations

import io
import json
import os
import shutil
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Mapping, NamedTuple, Optional, Sequence, Tuple, Union
from urllib.parse import urlsplit

import responses
from urllib3 import HTTPResponse

from smartxfer.errors import SmartxferError
from smartxfer.models import Model
from smartxfer.testing import canned
from tests.support.fake_clock import FakeClock

Path_ = Tuple[Union[str, int], ...]
#: Stand for numbers that Python's own writer of JSON cannot write.
_RAW = {
    "@huge@": "9" * 400,
    "@infinite@": "1e999",
    "@Infinity@": "Infinity",
    "@NaN@": "NaN",
    "@long@": "7" * 5000,
}
#: What comes in place of a value.
VALUES: Sequence[Any] = (
    None, "text", -1, 10**30, "@huge@", "@infinite@", "@NaN@", [], {}, [None], {"a": 1}, True, 1.5, 0, "", "9" * 400,
    "../../x", [[["a"]]], "\ud800", "@long@", "@Infinity@",
)  # fmt: skip


def every(usual: int) -> int:
    """Return how many values there are for each that is tried: SMARTXFER_TEST_EVERY=1 tries all of them."""
    return int(os.environ.get("SMARTXFER_TEST_EVERY", usual))


class Endless(BaseException):
    """A client waits again and again."""


class Clock(FakeClock):
    """Waits pass at once, and not for ever."""

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds)
        if len(self.waits) > 5000:
            raise Endless


class Change(NamedTuple):
    """A value of an answer that is replaced.

    :param label: the request whose answer it is, as :func:`label_of` names it.
    :param path: where the value lies in the answer; () for all of it.
    """

    label: str
    path: Path_
    value: Any

    def __str__(self) -> str:
        return f"{self.label} {'.'.join(map(str, self.path)) or 'all'} := {self.value!r:.30}"


def label_of(request: Any) -> str:
    """Method and path of a request; of a JSON-RPC call its method."""
    path = urlsplit(request.url).path
    if path.endswith("/jsonrpc") and request.body:
        return str(json.loads(request.body)["method"])
    return f"{request.method} {path}"


def places(value: Any, depth: int = 4) -> Iterator[Path_]:
    """Yield the paths of the values in an answer: first the answer itself; of a list only the first entry."""
    yield ()
    inner: Dict[Union[str, int], Any] = {}
    if isinstance(value, dict):
        inner = dict(value)
    elif isinstance(value, list) and value:
        inner = {0: value[0]}
    for name, one in inner.items() if depth else ():
        for rest in places(one, depth - 1):
            yield (name, *rest)


def _replaced(value: Any, path: Path_, by: Any) -> Any:
    if not path:
        return by
    copy = list(value) if isinstance(value, list) else dict(value)
    copy[path[0]] = _replaced(value[path[0]], path[1:], by)
    return copy


class _Tamperer:
    """Rewrites the answers that ``responses`` gives, and keeps those that came."""

    def __init__(self, change: Optional[Change]) -> None:
        self.change = change
        self.seen: Dict[str, Any] = {}

    def __call__(self, response: Any) -> Any:
        label = label_of(response.request)
        body = response.raw.read()
        is_rpc = response.request.url.endswith("/jsonrpc")
        try:
            answer = json.loads(body)
        except ValueError:
            answer = None
        if (
            answer is not None
            and "json" in response.headers.get("Content-Type", "")
            and response.status_code < 300
        ):
            path: Path_ = ("result",) if is_rpc else ()
            self.seen.setdefault(label, answer.get("result") if is_rpc else answer)
            if self.change is not None and self.change.label == label:
                try:
                    text = json.dumps(_replaced(answer, path + self.change.path, self.change.value))
                except (
                    KeyError,
                    IndexError,
                    TypeError,
                ):  # a later answer of the same label has another shape
                    text = json.dumps(answer)
                for mark, raw in _RAW.items():
                    text = text.replace(f'"{mark}"', raw)
                body = text.encode()
        headers = dict(response.headers)
        if "Content-Length" in headers:
            headers["Content-Length"] = response.headers["Content-Length"] = str(len(body))
        response.raw = HTTPResponse(
            body=io.BytesIO(body), headers=headers, status=response.status_code, preload_content=False
        )
        return response


class AlteredResponses:
    """Makes calls, each with a client of its own.

    :param directory: for files, emptied before each call.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def call(
        self, service: str, method: str, make: Callable[[AlteredResponses], Any], change: Optional[Change] = None
    ) -> Tuple[Any, Dict[str, Any]]:
        """The result of a call, and the answers that it got by their labels.

        :param make: makes the client, and the call with it.
        """
        for there in self.directory.iterdir():
            shutil.rmtree(there) if there.is_dir() else there.unlink()
        tamperer = _Tamperer(change)
        with responses.RequestsMock(assert_all_requests_are_fired=False, response_callback=tamperer) as mock:
            canned.load(method, mock=mock, service=service)
            return make(self), tamperer.seen

    def changes(self, seen: Mapping[str, Any], every: int = 1, number: int = 0) -> Iterator[Change]:
        """Yield the changes: each value of each answer is replaced by all values.

        :param every: use only each so many-th value for single values, starting at another one each time, and at least
            each third value for whole answers.
        :param number: a start that selects different values for another call.
        """
        whole = min(every, 3)
        for label, answer in seen.items():
            for path in places(answer):
                number += 1
                for index, value in enumerate(VALUES):
                    if (index + number) % (every if path else whole) == 0:
                        yield Change(label, path, value)

    def run(self, service: str, method: str, make: Callable[[AlteredResponses], Any], every: int) -> List[str]:
        """Make a call with each change; what went wrong: errors of others, and results that break when used."""
        result, seen = self.call(service, method, make)
        touch(result)
        wrong = []
        for change in self.changes(seen, every, len(method)):
            try:
                result, _ = self.call(service, method, make, change)
                touch(result)
            except SmartxferError as error:
                str(error), repr(error)
            except (Exception, Endless) as error:  # noqa: BLE001 - that is what is looked for
                wrong.append(f"{change}: {type(error).__name__}: {str(error)[:80]}")
        return wrong


def touch(value: Any, depth: int = 0) -> None:
    """Use a result as a program does: show it, and read every property of it."""
    repr(value), str(value)
    if isinstance(value, Model):
        for name in dir(type(value)):
            if not name.startswith("_") and not callable(getattr(type(value), name)):
                touch(getattr(value, name), depth + 1)
        dict(value), value.extra
    elif isinstance(value, dict) and depth < 6:
        for one in value.values():
            touch(one, depth + 1)
    elif isinstance(value, (list, tuple)) and depth < 6:
        for one in value:
            touch(one, depth + 1)
