"""Raw calls: any endpoint, with arguments as they come.

Source: SmartFile protocol, sections 1 to 5.
"""

import contextlib
import json
from typing import Any, Iterator, Mapping, Optional

from smartxfer.smartfile.calls import SUCCESS, Calls
from smartxfer.smartfile.forms import body_of
from smartxfer.transport import Answer, Body, Call, Success

__all__ = ["raw_call", "refusal_in"]

#: Endpoints that take files: sections 5 and 7.
_FILES = ("path/data/", "path/sync/")
#: Endpoints that answer JSON: sections 2 and 5.
_JSON = (
    *("ping/", "whoami/", "session/", "right/", "user/", "group/", "role/", "pref/", "activity/"),
    *("path/info/", "path/oper/", "path/data/", "path/progress/", "path/exchange/", "path/tree/"),
    *("search/", "access/", "link/", "watch/", "task/"),
)


@contextlib.contextmanager
def raw_call(calls: Calls, method: str, path: str, params: Mapping[str, Any]) -> Iterator[Call]:
    """The call of an encoded path; the files among its arguments are open while the block runs."""
    success = _accepted(method, path, params)
    of_file = path.startswith("path/data/")
    if method == "GET":
        yield calls.describe("GET", path, params, decode=not of_file, success=success)
        return
    with body_of(params, texts=path.startswith(_FILES)) as (content_type, body):
        yield Call(
            method,
            f"{calls.api}/{path}",
            headers={"Content-Type": content_type},
            body=body,
            sign=calls.sign,
            # A file that is sent again replaces itself; another POST may do its work twice.
            idempotent=True if of_file and method == "POST" else None,
            success=success,
        )


def refusal_in(found: Any, call: Call) -> Optional[Answer]:
    """Return an error that came with status 200, as an answer with its own; else None (section 4)."""
    status = found.get("status") if isinstance(found, dict) and "detail" in found else None
    if type(status) is not int or not 400 <= status < 600:
        return None
    return Answer(call.what, status, {"Content-Type": "application/json"}, json.dumps(found).encode("ascii"))


def _accepted(method: str, path: str, params: Mapping[str, Any]) -> Success:
    """Return what counts as success of a raw call; sections 3, 5 and 7.

    Files come as they are, and ``format=`` asks for another form than JSON.  DELETE of ``path/oper/remove``
    answers a task.
    """
    statuses = SUCCESS[method].statuses | ({200} if method == "DELETE" else set())
    if path.startswith("path/data/") and method == "GET":
        return Success(statuses, Body.ANY)
    if "format" in params:
        return Success(statuses, Body.ANY)
    if path.startswith("path/sync/"):
        return Success(statuses, Body.NO_PAGE)
    known = path.startswith(_JSON)
    return Success(statuses, Body.JSON_OR_EMPTY if known else Body.NO_PAGE)
