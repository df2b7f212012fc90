"""Data of the canned SmartFile responses: paths, files, tasks and links of an account.

Source: SmartFile protocol, sections 3 to 5.
"""

import hashlib
import json
import re
from typing import Any, Callable, Dict, Mapping, Tuple, Union
from urllib.parse import parse_qs, unquote

__all__ = [
    "BASE_URL", "FACTS", "LINK", "LINKS", "PATH", "CannedResponse", "build_error", "handle_download",
    "handle_info", "handle_path_operation", "handle_task_done", "handle_task_failed", "handle_task_start",
    "handle_upload",
]  # fmt: skip

BASE_URL = "https://smartfile.example.org"

CallbackResult = Tuple[int, Dict[str, str], Any]
CannedResponse = Union[Dict[str, Any], Callable[[Any], CallbackResult]]

_CONTENT = b"place,count\nOslo,7\n"
PATH = "/docs/report.csv"
_TASK = "7c6b5a49-3827-4161-9504-f3e2d1c0b9a8"
_LINK = "aBcDeFgHiJ"

#: Values in the responses, for comparisons in tests.
FACTS: Mapping[str, Any] = {
    "path": PATH,
    "directory": "/docs",
    "file_name": "report.csv",
    "content": _CONTENT,
    "md5": hashlib.md5(_CONTENT).hexdigest(),
    "task": _TASK,
    "link": _LINK,
}

_JSON = {"Content-Type": "application/json"}


def _build_info(path: str, size: int = len(_CONTENT)) -> Dict[str, Any]:
    """Return the info object of a path: a file if its name has a dot, else a directory."""
    name = path.rpartition("/")[2]
    isfile = "." in name
    return {
        "id": 7,
        "name": name,
        "path": path,
        "url": f"{BASE_URL}/api/2/path/info{path}",
        "isdir": not isfile,
        "isfile": isfile,
        "size": size if isfile else 0,
        "time": "2026-11-20T09:30:00",
        "mime": "text/csv" if isfile else "application/x-directory",
        "extension": name[name.rfind(".") :] if isfile else "",
        "owner": None,
        "tags": [],
        "attributes": {},
        "items": 1,
        "acl": {"list": True, "read": True, "remove": True, "write": True},
    }


def _build_json_response(value: Any, status: int = 200) -> CallbackResult:
    return status, dict(_JSON), json.dumps(value)


def handle_info(request: Any) -> CallbackResult:
    """Return the info object of the requested path; every path exists."""
    url, _, query = request.url.partition("?")
    path = "/" + unquote(url.partition("/path/info")[2]).strip("/")
    info = _build_info(path)
    if "children" in parse_qs(query):
        info.update(children=[_build_info(f"{path.rstrip('/')}/report.csv")], page=1, pages=1, total=1)
    return _build_json_response(info)


def handle_upload(request: Any) -> CallbackResult:
    """Return the info object of the file in the form."""
    form = request.body if isinstance(request.body, bytes) else b"".join(map(bytes, request.body))
    head, _, rest = form.partition(b"\r\n\r\n")
    [name] = re.findall(rb'filename="([^"]*)"', head)
    size = len(rest) - len(b"\r\n" + head.partition(b"\r\n")[0] + b"--\r\n")
    directory = unquote(request.url.partition("/path/data")[2]).rstrip("/")
    return _build_json_response([_build_info(f"{directory}/{name.decode('utf-8')}", size)])


def handle_download(request: Any) -> CallbackResult:
    """Return the complete file, or the requested range."""
    headers = {"Content-Type": "text/csv", "Accept-Ranges": "bytes"}
    match = re.fullmatch(r"bytes=(\d+)-(\d*)", request.headers.get("Range", ""))
    if match is None:
        return 200, headers, _CONTENT
    first, last = int(match.group(1)), int(match.group(2) or len(_CONTENT) - 1)
    headers["Content-Range"] = f"bytes {first}-{last}/{len(_CONTENT)}"
    return 206, headers, _CONTENT[first : last + 1]


def handle_path_operation(request: Any) -> CallbackResult:
    """Return the info object of a created directory or a renamed file."""
    fields = parse_qs(_to_text(request.body))
    return _build_json_response(_build_info((fields.get("dst") or fields["path"])[0]))


def handle_task_start(request: Any) -> CallbackResult:
    """Return a started task; the uuid of a checksum task contains the algorithm."""
    algorithm = parse_qs(_to_text(request.body)).get("algorithm", [""])[0]
    uuid = f"{_TASK}-{algorithm.lower()}" if algorithm else _TASK
    return _build_json_response(_build_started_task(uuid))


def _to_text(body: Any) -> str:
    return body.decode("ascii") if isinstance(body, bytes) else str(body)


def handle_task_done(request: Any) -> CallbackResult:
    """Return a finished task, with the checksums if it is a checksum task."""
    uuid = request.url.rstrip("/").rpartition("/")[2]
    algorithm = uuid[len(_TASK) + 1 :]
    outcome: Dict[str, Any] = {}
    if algorithm in hashlib.algorithms_available:
        outcome["checksums"] = {PATH: hashlib.new(algorithm, _CONTENT).hexdigest()}
    return _build_task(uuid, "SUCCESS", outcome)


def _build_task(uuid: str, status: str, outcome: Any) -> CallbackResult:
    return _build_json_response(
        {**_build_started_task(uuid), "status": status, "result": {"status": status, "result": outcome}}
    )


def _build_started_task(uuid: str) -> Dict[str, Any]:
    return {"uuid": uuid, "url": f"/api/2/task/{uuid}/"}


def handle_task_failed(request: Any) -> CallbackResult:
    """Return a finished task with an error for a path, which is a failure although its status is SUCCESS."""
    uuid = request.url.rstrip("/").rpartition("/")[2]
    return _build_task(uuid, "SUCCESS", {"errors": {PATH: "Permission denied"}})


def build_error(status: int, message: str) -> CannedResponse:
    """Return an error in the format of the service."""
    return {"status": status, "json": {"detail": message}}


LINK = {
    "uid": _LINK,
    "href": f"{BASE_URL}/link/{_LINK}/",
    "name": "report.csv",
    "path": PATH,
    "acl": {"list": True, "read": True, "remove": False, "write": False},
    "owner": "ann",
    "created": "2026-11-20T09:30:00",
    "expiration": None,
    "recursive": False,
    "usage_count": 0,
    "usage_limit": None,
    "cache": 0,
}
LINKS = {"total": 1, "page": 1, "pages": 1, "per_page": 10, "next": None, "results": [LINK]}
