"""Canned responses of SmartFile for each method of the client.

Source: SmartFile protocol, sections 3 to 5.
"""

import re
from typing import Dict, List, Pattern, Tuple

from smartxfer.testing import canned_smartfile_account as account

__all__ = ["BASE_URL", "CASES", "FACTS", "FAILURES", "FIRST_USE", "CannedRoute", "build_url_pattern"]

BASE_URL = account.BASE_URL
FACTS = account.FACTS

CannedRoute = Tuple[str, str, account.CannedResponse]


def build_url_pattern(base_url: str, path: str) -> Pattern[str]:
    """Return a pattern for a path of the API with any query; ``*`` matches any text."""
    path_pattern = re.escape(path).replace(r"\*", "[^?]*")
    return re.compile(re.escape(base_url.rstrip("/")) + "/api/2" + path_pattern + r"(\?.*)?$")


#: Responses to the requests before the first call: none are sent.
FIRST_USE: List[CannedRoute] = []

_INFO: CannedRoute = ("GET", "/path/info/*", account.handle_info)
_DOWNLOAD: CannedRoute = ("GET", "/path/data/*", account.handle_download)
_UPLOAD: CannedRoute = ("POST", "/path/data/*", account.handle_upload)
_MKDIR: CannedRoute = ("POST", "/path/oper/mkdir/", account.handle_path_operation)
_RENAME: CannedRoute = ("POST", "/path/oper/rename/", account.handle_path_operation)
_TASK_START: CannedRoute = ("POST", "/path/oper/*", account.handle_task_start)
_TASK_DONE: CannedRoute = ("GET", "/task/*", account.handle_task_done)
_TASK_FAILED: List[CannedRoute] = [_TASK_START, ("GET", "/task/*", account.handle_task_failed)]
_NOT_FOUND = account.build_error(404, "Not found.")
_INFO_NOT_FOUND: CannedRoute = ("GET", "/path/info/*", _NOT_FOUND)
_FORBIDDEN: CannedRoute = ("GET", "/path/info/*", account.build_error(403, "You may not look here."))
_CONFLICT = account.build_error(409, f"Destination exists:{account.PATH}")
_WRITE_REFUSED: CannedRoute = ("POST", "/path/data/*", account.build_error(403, "You may not write here."))

#: Responses of each method for success and for failure, and the error class of the failure.
_METHODS: Dict[str, Tuple[List[CannedRoute], List[CannedRoute], str]] = {
    "get": ([_INFO, ("GET", "/ping/", {"json": {"ping": "pong"}})], [_INFO_NOT_FOUND], "NotFound"),
    "post": ([_MKDIR, _RENAME, _UPLOAD, _TASK_START], [("POST", "/*", _CONFLICT)], "Conflict"),
    "stat": ([_INFO], [_INFO_NOT_FOUND], "NotFound"),
    "exists": ([_INFO], [_FORBIDDEN], "Forbidden"),
    "info": ([_INFO], [_INFO_NOT_FOUND], "NotFound"),
    "list": ([_INFO], [_INFO_NOT_FOUND], "NotFound"),
    "listdir": ([_INFO], [_INFO_NOT_FOUND], "NotFound"),
    "mkdir": ([_MKDIR], [("POST", "/path/oper/mkdir/", _CONFLICT)], "Conflict"),
    "rename": ([_RENAME, _INFO], [("POST", "/path/oper/rename/", _CONFLICT)], "Conflict"),
    "checksum": ([_TASK_START, _TASK_DONE], _TASK_FAILED, "TaskFailed"),
    "copy": ([_TASK_START, _TASK_DONE], _TASK_FAILED, "TaskFailed"),
    "move": ([_TASK_START, _TASK_DONE], [("POST", "/path/oper/move/", _CONFLICT)], "Conflict"),
    "remove": ([_TASK_START, _TASK_DONE], [("POST", "/path/oper/remove/", _NOT_FOUND)], "NotFound"),
    "wait": ([_TASK_DONE], _TASK_FAILED, "TaskFailed"),
    "create_link": (
        [("POST", "/link/", {"status": 201, "json": account.LINK})],
        [("POST", "/link/", {"status": 400, "json": {"path": ["No such file or directory"]}})],
        "BadRequest",
    ),
    "links": (
        [("GET", "/link/", {"json": account.LINKS})],
        [("GET", "/link/", account.build_error(403, "You may not see links."))],
        "Forbidden",
    ),
    "delete_link": (
        [("DELETE", "/link/*", {"status": 204})],
        [("DELETE", "/link/*", account.build_error(403, "It is another's link."))],
        "Forbidden",
    ),
    "upload": ([_INFO, _UPLOAD, _TASK_START, _TASK_DONE], [_INFO, _WRITE_REFUSED], "Forbidden"),
    "upload_tree": ([_INFO, _UPLOAD, _TASK_START, _TASK_DONE], [_INFO, _WRITE_REFUSED], "Forbidden"),
    "upload_many": ([_INFO, _UPLOAD, _TASK_START, _TASK_DONE], [_INFO, _WRITE_REFUSED], "Forbidden"),
    "sync": ([_INFO, _UPLOAD, _TASK_START, _TASK_DONE], [_FORBIDDEN], "Forbidden"),
    "download_many": ([_INFO, _DOWNLOAD, _TASK_START, _TASK_DONE], [_INFO_NOT_FOUND], "NotFound"),
    "download": ([_INFO, _DOWNLOAD, _TASK_START, _TASK_DONE], [_INFO_NOT_FOUND], "NotFound"),
    "download_tree": ([_INFO, _DOWNLOAD, _TASK_START, _TASK_DONE], [_INFO_NOT_FOUND], "NotFound"),
}

#: Responses by method name and case.
CASES: Dict[Tuple[str, str], List[CannedRoute]] = {
    **{(name, "default"): success for name, (success, _, _) in _METHODS.items()},
    **{(name, "failure"): failure for name, (_, failure, _) in _METHODS.items()},
}
#: Error class of the failure, by method name.
FAILURES: Dict[str, str] = {name: error for name, (_, _, error) in _METHODS.items()}
