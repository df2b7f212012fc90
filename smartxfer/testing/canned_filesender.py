"""The canned answers of FileSender; the words and shapes are those of release 3.8.

Source: FileSender protocol, sections 2.1, 4, 5, 6, 8 and 10.
"""

import json
import re
from typing import Any, Callable, Dict, List, Mapping, Pattern, Tuple, Union

__all__ = ["BASE_URL", "CASES", "FACTS", "FAILURES", "FIRST_USE", "PREFIXES", "Reply", "matcher"]

BASE_URL = "https://filesender.example.org"
#: Prefix of a case, by the class of its method.
PREFIXES = {"TransfersClient": "transfers.", "GuestsClient": "guests."}

Answer = Union[Dict[str, Any], Callable[[Any], Tuple[int, Dict[str, str], str]]]
Reply = Tuple[str, str, Answer]

_TOKEN = "a1b2c3d4-e5f6-a7b8-c9d0-e1f2a3b4c5d6"  # noqa: S105 - nobody's token
_VID = "f0e1d2c3-b4a5-f6e7-d8c9-b0a1f2e3d4c5"
_CONTENT = b"place,count\nOslo,7\n"

#: What the answers say, for tests to compare with.
FACTS: Mapping[str, Any] = {
    "transfer_id": 42,
    "file_id": 107,
    "file_name": "report.csv",
    "content": _CONTENT,
    "token": _TOKEN,
    "vid": _VID,
    "recipient": "bob@example.net",
}


def _date(raw: Any) -> Dict[str, Any]:
    return {"raw": raw, "formatted": "Nov 20, 2026"}


def _refusal(status: int, message: str) -> Answer:
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
    "created": _date(1795132800),
    "expires": _date(1795996800),
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
            "created": _date(1795132800),
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
    "created": _date(1795132800),
    "expires": _date("1795996800"),
    "upload_url": f"{BASE_URL}/?s=upload&vid={_VID}",
    "expiry_date_extension": 0,
    "errors": [],
}
_PAGE = f"""<!DOCTYPE html><html><body data-auth-type=""><table>
<tr class="file" data-id="107" data-encrypted="" data-mime="text/csv" data-name="report.csv"
 data-size="{len(_CONTENT)}" data-encrypted-size="{len(_CONTENT)}" data-chunk-size="5242880"
 data-crypted-chunk-size="5242912" data-transferid="42"><td>report.csv</td></tr>
</table></body></html>"""
_EXPIRED = '<!DOCTYPE html><html><body><div class="exception">Transfer not found</div></body></html>'
_HTML = "text/html; charset=UTF-8"


def _created(request: Any) -> Tuple[int, Dict[str, str], str]:
    """Take up the files that the client announces; sizes come back as text, as they do from a site."""
    asked = json.loads(request.body)
    files = [
        {**_FILE, "id": 107 + number, "name": file["name"], "size": str(file["size"]), "cid": file.get("cid")}
        for number, file in enumerate(asked["files"])
    ]
    made = {**_TRANSFER, "files": files, "options": asked["options"]}
    made.update(roundtriptoken="0123456789abcdef0123456789abcdef", expires=_date("1795996800"))
    headers = {"Content-Type": "application/json", "Location": f"{BASE_URL}/rest.php/transfer/42"}
    return 201, headers, json.dumps(made)


def _chunk(request: Any) -> Tuple[int, Dict[str, str], str]:
    """Acknowledge what the client announces; ``responses`` does not read a long body to its end."""
    offset = int(request.url.split("?")[0].rsplit("/", 1)[1])
    written = {"offset": offset, "written": int(request.headers["X-Filesender-Chunk-Size"])}
    return 200, {"Content-Type": "application/json"}, json.dumps(written)


def _content(request: Any) -> Tuple[int, Dict[str, str], Any]:
    """The whole file, or the range that is asked for."""
    headers = {
        "Content-Type": "application/octet-stream",
        "Content-Disposition": 'attachment; filename="report.csv"',
        "Accept-Ranges": "bytes",
    }
    found = re.fullmatch(r"bytes=(\d+)-(\d+)", request.headers.get("Range", ""))
    if found is None:
        return 200, headers, _CONTENT
    first, last = int(found.group(1)), int(found.group(2))
    headers["Content-Range"] = f"bytes {first}-{last}/{len(_CONTENT)}"
    return 206, headers, _CONTENT[first : last + 1]


def matcher(base_url: str, path: str) -> Pattern[str]:
    """Matches a path of the site, ``*`` standing for a number, whatever its query."""
    inner = re.escape(path).replace(r"\*", r"\d+")
    return re.compile(re.escape(base_url.rstrip("/")) + inner + r"(\?.*)?$")


_AUDIT = [
    {"date": _date(1795132860), "event": event, "target": {"type": "Transfer", "id": "42"}}
    for event in ("transfer_started", "upload_ended", "transfer_available", "transfer_sent")
]
_TRANSFERS, _ONE = "/rest.php/transfer", "/rest.php/transfer/*"
_ONE_FILE, _ONE_CHUNK = "/rest.php/file/*", "/rest.php/file/*/chunk/*"
_LISTED: Reply = ("GET", "/", {"body": _PAGE, "content_type": _HTML})
_UNLISTED: Reply = ("GET", "/", {"body": _EXPIRED, "content_type": _HTML})
_CLOSED: Reply = ("GET", "/", {"status": 403, "body": "<html>Forbidden</html>", "content_type": _HTML})
_TAKEN: List[Reply] = [
    ("POST", _TRANSFERS, _created),
    ("PUT", _ONE_CHUNK, _chunk),
    ("PUT", _ONE_FILE, {"json": True}),
    ("PUT", _ONE, {"json": _TRANSFER}),
]
_FULL: Reply = ("PUT", _ONE_CHUNK, _refusal(500, "storage_not_enough_space_left"))

#: What a client asks before its first call: limits and configuration.
FIRST_USE: List[Reply] = [
    ("GET", "/rest.php/info", {"json": _INFO}),
    ("GET", "/filesender-config.js.php", {"body": _CONFIG, "content_type": "text/javascript"}),
]

_NO_SITE: Reply = (
    "GET",
    "/rest.php/info",
    {"status": 404, "body": "<html><h1>404 Not Found</h1></html>", "content_type": _HTML},
)

#: Each method's good answers, its bad ones, and the exception that those raise.
_METHODS: Dict[str, Tuple[List[Reply], List[Reply], str]] = {
    "prepare": ([], [_NO_SITE], "NotFound"),
    "get_server_info": ([], [_NO_SITE], "NotFound"),
    "create_transfer": (
        [("POST", _TRANSFERS, _created)],
        [("POST", _TRANSFERS, _refusal(500, "transfer_user_quota_exceeded"))],
        "LimitExceeded",
    ),
    "transfers.get": (
        [("GET", _ONE, {"json": _TRANSFER})],
        [("GET", _ONE, _refusal(500, "transfer_not_found"))],
        "NotFound",
    ),
    "update_transfer": (
        [("PUT", _ONE, {"json": _TRANSFER}), ("GET", f"{_ONE}/auditlog", {"json": _AUDIT})],
        [("PUT", _ONE, _refusal(500, "transfer_files_incomplete"))],
        "Conflict",
    ),
    "transfers.delete": (
        [("DELETE", _ONE, {"body": "null", "content_type": "application/json"})],
        [("DELETE", _ONE, _refusal(403, "rest_ownership_required"))],
        "Forbidden",
    ),
    "update_file": (
        [("PUT", _ONE_FILE, {"json": True})],
        [("PUT", _ONE_FILE, _refusal(403, "rest_roundtrip_token_invalid"))],
        "Forbidden",
    ),
    "upload_file": (_TAKEN, [_FULL], "LimitExceeded"),
    "upload_complete": (_TAKEN, [_FULL], "LimitExceeded"),
    "upload_workflow": (_TAKEN, [_FULL, *_TAKEN], "LimitExceeded"),
    "upload": (_TAKEN, [_FULL, *_TAKEN], "LimitExceeded"),
    "upload_many": (_TAKEN, [_FULL, *_TAKEN], "LimitExceeded"),
    "upload_tree": (_TAKEN, [_FULL, *_TAKEN], "LimitExceeded"),
    "create_guest": (
        [("POST", "/rest.php/guest", {"status": 201, "json": _GUEST})],
        [("POST", "/rest.php/guest", _refusal(500, "bad_email"))],
        "BadRequest",
    ),
    "list": ([_LISTED], [_UNLISTED], "NotFound"),
    "info": ([_LISTED], [_UNLISTED], "NotFound"),
    "exists": ([_LISTED], [_CLOSED], "Forbidden"),
    "download": ([_LISTED, ("GET", "/download.php", _content)], [_UNLISTED], "NotFound"),
    "download_many": ([_LISTED, ("GET", "/download.php", _content)], [_UNLISTED], "NotFound"),
    "download_tree": ([_LISTED, ("GET", "/download.php", _content)], [_UNLISTED], "NotFound"),
    "list_files": ([_LISTED], [_UNLISTED], "NotFound"),
    "download_file": ([_LISTED, ("GET", "/download.php", _content)], [_UNLISTED], "NotFound"),
    "download_files": ([_LISTED, ("GET", "/download.php", _content)], [_UNLISTED], "NotFound"),
}

#: Method name and case, and what is answered.
CASES: Dict[Tuple[str, str], List[Reply]] = {
    **{(name, "default"): good for name, (good, _, _) in _METHODS.items()},
    **{(name, "failure"): bad for name, (_, bad, _) in _METHODS.items()},
}
#: Method name, and the exception that its failure raises.
FAILURES: Dict[str, str] = {name: error for name, (_, _, error) in _METHODS.items()}
