"""Canned responses of FileSender, as those of release 3.8.

Source: FileSender protocol, sections 2.1, 4, 5, 6, 8 and 10.
"""

import json
import re
from typing import Any, Callable, Dict, List, Mapping, Pattern, Tuple, Union

__all__ = [
    "BASE_URL",
    "CASES",
    "FACTS",
    "FAILURES",
    "FIRST_USE",
    "PREFIXES",
    "CannedRoute",
    "build_url_pattern",
]

BASE_URL = "https://filesender.example.org"
#: Prefix of a case, by the class of its method.
PREFIXES = {"TransfersClient": "transfers.", "GuestsClient": "guests."}

CannedResponse = Union[Dict[str, Any], Callable[[Any], Tuple[int, Dict[str, str], str]]]
CannedRoute = Tuple[str, str, CannedResponse]

_TOKEN = "a1b2c3d4-e5f6-a7b8-c9d0-e1f2a3b4c5d6"  # noqa: S105 - not a real token
_VID = "f0e1d2c3-b4a5-f6e7-d8c9-b0a1f2e3d4c5"
_CONTENT = b"place,count\nOslo,7\n"

#: Values in the responses, for comparisons in tests.
FACTS: Mapping[str, Any] = {
    "transfer_id": 42,
    "file_id": 107,
    "file_name": "report.csv",
    "content": _CONTENT,
    "token": _TOKEN,
    "vid": _VID,
    "recipient": "bob@example.net",
}


def _build_date(raw: Any) -> Dict[str, Any]:
    return {"raw": raw, "formatted": "Nov 20, 2026"}


def _build_error(status: int, message: str) -> CannedResponse:
    return {"status": status, "json": {"message": message, "uid": "6b00aa11bb22c", "details": None}}


_INFO = {
    "url": f"{BASE_URL}/",
    "name": "FileSender",
    "logon_url": f"{BASE_URL}/?s=login&target=__target__",
    "upload_chunk_size": 5242880,
    "forward_capabilities": [{"method": "REST"}],
}
_CONFIG = """window.filesender.config = {
    upload_chunk_size: 5242880,
    max_transfer_size: 107374182400,
    max_transfer_files: 30,
    max_transfer_recipients: 50,
    max_transfer_days_valid: 20,
    ban_extension: 'exe,bat',
};
"""
_FILE = {
    "id": 107,
    "transfer_id": 42,
    "puid": "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0",
    "name": "report.csv",
    "size": len(_CONTENT),
    "sha1": None,
}
_TRANSFER = {
    "id": 42,
    "userid": 15,
    "user_email": "ann@example.org",
    "subject": None,
    "message": None,
    "created": _build_date(1795132800),
    "expires": _build_date(1795996800),
    "expiry_date_extension": 0,
    "options": {"get_a_link": False, "email_download_complete": True},
    "salt": "YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4",
    "roundtriptoken": "",
    "files": [_FILE],
    "recipients": [
        {
            "id": 211,
            "transfer_id": 42,
            "token": _TOKEN,
            "email": "bob@example.net",
            "created": _build_date(1795132800),
            "last_activity": None,
            "options": None,
            "download_url": f"{BASE_URL}/?s=download&token={_TOKEN}",
            "errors": [],
        }
    ],
}
_GUEST = {
    "id": 9,
    "userid": 15,
    "user_email": "ann@example.org",
    "email": "bob@example.net",
    "token": _VID,
    "transfer_count": 0,
    "subject": "",
    "message": "",
    "transfer_options": {"get_a_link": True},
    "options": {"guest": {"valid_only_one_time": False}, "transfer": {"get_a_link": True}},
    "created": _build_date(1795132800),
    "expires": _build_date("1795996800"),
    "upload_url": f"{BASE_URL}/?s=upload&vid={_VID}",
    "expiry_date_extension": 0,
    "errors": [],
}
_DOWNLOAD_PAGE = f"""<!DOCTYPE html><html><body data-auth-type=""><table>
<tr class="file" data-id="107" data-encrypted="" data-mime="text/csv" data-name="report.csv"
 data-size="{len(_CONTENT)}" data-encrypted-size="{len(_CONTENT)}" data-chunk-size="5242880"
 data-crypted-chunk-size="5242912" data-transferid="42"><td>report.csv</td></tr>
</table></body></html>"""
_EXPIRED_PAGE = '<!DOCTYPE html><html><body><div class="exception">Transfer not found</div></body></html>'
_HTML = "text/html; charset=UTF-8"


def _handle_create(request: Any) -> Tuple[int, Dict[str, str], str]:
    """Return a transfer with the files of the request; sizes are text, as in the responses of a site."""
    body = json.loads(request.body)
    files = [
        {**_FILE, "id": 107 + number, "name": file["name"], "size": str(file["size"]), "cid": file.get("cid")}
        for number, file in enumerate(body["files"])
    ]
    transfer = {**_TRANSFER, "files": files, "options": body["options"]}
    transfer.update(roundtriptoken="0123456789abcdef0123456789abcdef", expires=_build_date("1795996800"))
    headers = {"Content-Type": "application/json", "Location": f"{BASE_URL}/rest.php/transfer/42"}
    return 201, headers, json.dumps(transfer)


def _handle_chunk(request: Any) -> Tuple[int, Dict[str, str], str]:
    """Acknowledge the size in the chunk's header, because ``responses`` does not read the body."""
    offset = int(request.url.split("?")[0].rsplit("/", 1)[1])
    written = {"offset": offset, "written": int(request.headers["X-Filesender-Chunk-Size"])}
    return 200, {"Content-Type": "application/json"}, json.dumps(written)


def _handle_download(request: Any) -> Tuple[int, Dict[str, str], Any]:
    """Return the complete file, or the requested range."""
    headers = {
        "Content-Type": "application/octet-stream",
        "Content-Disposition": 'attachment; filename="report.csv"',
        "Accept-Ranges": "bytes",
    }
    match = re.fullmatch(r"bytes=(\d+)-(\d+)", request.headers.get("Range", ""))
    if match is None:
        return 200, headers, _CONTENT
    first, last = int(match.group(1)), int(match.group(2))
    headers["Content-Range"] = f"bytes {first}-{last}/{len(_CONTENT)}"
    return 206, headers, _CONTENT[first : last + 1]


def build_url_pattern(base_url: str, path: str) -> Pattern[str]:
    """Return a pattern for a path of the site with any query; ``*`` matches a number."""
    path_pattern = re.escape(path).replace(r"\*", r"\d+")
    return re.compile(re.escape(base_url.rstrip("/")) + path_pattern + r"(\?.*)?$")


_AUDIT_LOG = [
    {"date": _build_date(1795132860), "event": event, "target": {"type": "Transfer", "id": "42"}}
    for event in ("transfer_started", "upload_ended", "transfer_available", "transfer_sent")
]
_TRANSFERS_PATH, _TRANSFER_PATH = "/rest.php/transfer", "/rest.php/transfer/*"
_FILE_PATH, _CHUNK_PATH = "/rest.php/file/*", "/rest.php/file/*/chunk/*"
_PAGE_ROUTE: CannedRoute = ("GET", "/", {"body": _DOWNLOAD_PAGE, "content_type": _HTML})
_EXPIRED_ROUTE: CannedRoute = ("GET", "/", {"body": _EXPIRED_PAGE, "content_type": _HTML})
_FORBIDDEN_ROUTE: CannedRoute = (
    "GET",
    "/",
    {"status": 403, "body": "<html>Forbidden</html>", "content_type": _HTML},
)
_UPLOAD_ROUTES: List[CannedRoute] = [
    ("POST", _TRANSFERS_PATH, _handle_create),
    ("PUT", _CHUNK_PATH, _handle_chunk),
    ("PUT", _FILE_PATH, {"json": True}),
    ("PUT", _TRANSFER_PATH, {"json": _TRANSFER}),
]
_STORAGE_FULL_ROUTE: CannedRoute = ("PUT", _CHUNK_PATH, _build_error(500, "storage_not_enough_space_left"))

#: Responses to the requests before the first call: limits and configuration.
FIRST_USE: List[CannedRoute] = [
    ("GET", "/rest.php/info", {"json": _INFO}),
    ("GET", "/filesender-config.js.php", {"body": _CONFIG, "content_type": "text/javascript"}),
]

_NOT_FOUND_ROUTE: CannedRoute = (
    "GET",
    "/rest.php/info",
    {"status": 404, "body": "<html><h1>404 Not Found</h1></html>", "content_type": _HTML},
)

#: Responses of each method for success and for failure, and the error class of the failure.
_METHODS: Dict[str, Tuple[List[CannedRoute], List[CannedRoute], str]] = {
    "prepare": ([], [_NOT_FOUND_ROUTE], "NotFound"),
    "get_server_info": ([], [_NOT_FOUND_ROUTE], "NotFound"),
    "create_transfer": (
        [("POST", _TRANSFERS_PATH, _handle_create)],
        [("POST", _TRANSFERS_PATH, _build_error(500, "transfer_user_quota_exceeded"))],
        "LimitExceeded",
    ),
    "transfers.get": (
        [("GET", _TRANSFER_PATH, {"json": _TRANSFER})],
        [("GET", _TRANSFER_PATH, _build_error(500, "transfer_not_found"))],
        "NotFound",
    ),
    "update_transfer": (
        [
            ("PUT", _TRANSFER_PATH, {"json": _TRANSFER}),
            ("GET", f"{_TRANSFER_PATH}/auditlog", {"json": _AUDIT_LOG}),
        ],
        [("PUT", _TRANSFER_PATH, _build_error(500, "transfer_files_incomplete"))],
        "Conflict",
    ),
    "transfers.delete": (
        [("DELETE", _TRANSFER_PATH, {"body": "null", "content_type": "application/json"})],
        [("DELETE", _TRANSFER_PATH, _build_error(403, "rest_ownership_required"))],
        "Forbidden",
    ),
    "update_file": (
        [("PUT", _FILE_PATH, {"json": True})],
        [("PUT", _FILE_PATH, _build_error(403, "rest_roundtrip_token_invalid"))],
        "Forbidden",
    ),
    "upload_file": (_UPLOAD_ROUTES, [_STORAGE_FULL_ROUTE], "LimitExceeded"),
    "upload_complete": (_UPLOAD_ROUTES, [_STORAGE_FULL_ROUTE], "LimitExceeded"),
    "upload_workflow": (_UPLOAD_ROUTES, [_STORAGE_FULL_ROUTE, *_UPLOAD_ROUTES], "LimitExceeded"),
    "upload": (_UPLOAD_ROUTES, [_STORAGE_FULL_ROUTE, *_UPLOAD_ROUTES], "LimitExceeded"),
    "upload_many": (_UPLOAD_ROUTES, [_STORAGE_FULL_ROUTE, *_UPLOAD_ROUTES], "LimitExceeded"),
    "upload_tree": (_UPLOAD_ROUTES, [_STORAGE_FULL_ROUTE, *_UPLOAD_ROUTES], "LimitExceeded"),
    "create_guest": (
        [("POST", "/rest.php/guest", {"status": 201, "json": _GUEST})],
        [("POST", "/rest.php/guest", _build_error(500, "bad_email"))],
        "BadRequest",
    ),
    "list": ([_PAGE_ROUTE], [_EXPIRED_ROUTE], "NotFound"),
    "info": ([_PAGE_ROUTE], [_EXPIRED_ROUTE], "NotFound"),
    "exists": ([_PAGE_ROUTE], [_FORBIDDEN_ROUTE], "Forbidden"),
    "download": ([_PAGE_ROUTE, ("GET", "/download.php", _handle_download)], [_EXPIRED_ROUTE], "NotFound"),
    "download_many": (
        [_PAGE_ROUTE, ("GET", "/download.php", _handle_download)],
        [_EXPIRED_ROUTE],
        "NotFound",
    ),
    "download_tree": (
        [_PAGE_ROUTE, ("GET", "/download.php", _handle_download)],
        [_EXPIRED_ROUTE],
        "NotFound",
    ),
    "list_files": ([_PAGE_ROUTE], [_EXPIRED_ROUTE], "NotFound"),
    "download_file": (
        [_PAGE_ROUTE, ("GET", "/download.php", _handle_download)],
        [_EXPIRED_ROUTE],
        "NotFound",
    ),
    "download_files": (
        [_PAGE_ROUTE, ("GET", "/download.php", _handle_download)],
        [_EXPIRED_ROUTE],
        "NotFound",
    ),
}

#: Responses by method name and case.
CASES: Dict[Tuple[str, str], List[CannedRoute]] = {
    **{(name, "default"): success for name, (success, _, _) in _METHODS.items()},
    **{(name, "failure"): failure for name, (_, failure, _) in _METHODS.items()},
}
#: Error class of the failure, by method name.
FAILURES: Dict[str, str] = {name: error for name, (_, _, error) in _METHODS.items()}
