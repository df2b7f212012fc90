"""Canned responses of Perseus for each method of the client.

Source: Perseus protocol, sections A.3 to A.8.
"""

import re
from typing import Dict, List, Pattern, Tuple

from smartxfer.testing import canned_perseus_account as account

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

BASE_URL = account.BASE_URL
FACTS = account.FACTS

CannedRoute = Tuple[str, str, account.CannedResponse]


def build_url_pattern(base_url: str, path: str) -> Pattern[str]:
    """Return a pattern for a path of the API or a storage URL, with any query; ``*`` matches any text."""
    path_pattern = re.escape(path).replace(r"\*", "[^?]*")
    prefix = "" if path.startswith("https:") else re.escape(base_url.rstrip("/")) + "/api/v0"
    return re.compile(prefix + path_pattern + r"(\?.*)?$")


#: Prefix of a case, by the class of its method.
PREFIXES = {"FileService": "file."}

#: Responses to the requests before the first call: none are sent.
FIRST_USE: List[CannedRoute] = []

_FIND: CannedRoute = ("POST", "/file/find", account.handle_find)
_CREATE: CannedRoute = ("POST", "/file", account.handle_create)
_DELETE: CannedRoute = ("DELETE", "/file/*", {"status": 204})
_SUCCESS_ROUTES: List[CannedRoute] = [
    _FIND,
    _CREATE,
    ("PUT", f"{account.STORAGE_URL}/*", account.handle_upload),
    _DELETE,
]
_UPLOAD_REJECTED_ROUTES: List[CannedRoute] = [
    _FIND,
    _CREATE,
    ("PUT", f"{account.STORAGE_URL}/*", account.UPLOAD_REJECTED),
    _DELETE,
]
_INVALID_KEY_ROUTES: List[CannedRoute] = [("POST", "/file/find", account.build_error(401, "Invalid API key"))]
_BAD_IDS = account.build_error(400, ["each value in ids must be a string"])
_BAD_FIND: List[CannedRoute] = [("POST", "/file/find", _BAD_IDS)]
_CONFLICT_ROUTES: List[CannedRoute] = [
    ("POST", "/file", account.build_error(409, "A file with this content already exists"))
]
_NOT_FOUND_ROUTES: List[CannedRoute] = [("DELETE", "/file/*", account.build_error(404, "File not found"))]
_UPLOAD_FAILED_ROUTES: List[CannedRoute] = [("POST", "/file/find", account.handle_find_failed)]

#: Failure responses of each method, and their error class.
_FAILURE_ROUTES: Dict[str, Tuple[List[CannedRoute], str]] = {
    "post": (_BAD_FIND, "BadRequest"),
    "delete": (_NOT_FOUND_ROUTES, "NotFound"),
    "upload": (_UPLOAD_REJECTED_ROUTES, "StorageError"),
    "upload_many": (_UPLOAD_REJECTED_ROUTES, "BatchError"),
    "upload_tree": (_UPLOAD_REJECTED_ROUTES, "StorageError"),
    "list": (_INVALID_KEY_ROUTES, "AuthError"),
    "info": (_INVALID_KEY_ROUTES, "AuthError"),
    "exists": (_INVALID_KEY_ROUTES, "AuthError"),
    "remove": (_NOT_FOUND_ROUTES, "NotFound"),
    "sync": (_UPLOAD_REJECTED_ROUTES, "StorageError"),
    "file.upload_file": (_UPLOAD_REJECTED_ROUTES, "StorageError"),
    "file.upload_many": (_UPLOAD_REJECTED_ROUTES, "BatchError"),
    "file.create_file": (_CONFLICT_ROUTES, "Conflict"),
    "file.find_files": (_INVALID_KEY_ROUTES, "AuthError"),
    "file.find_file": (_INVALID_KEY_ROUTES, "AuthError"),
    "file.delete_file": (_NOT_FOUND_ROUTES, "NotFound"),
    "file.wait_for_file_upload": (_UPLOAD_FAILED_ROUTES, "UploadFailed"),
    "file.wait_for_file_uploads": (_UPLOAD_FAILED_ROUTES, "UploadFailed"),
    "file.exists": (_INVALID_KEY_ROUTES, "AuthError"),
    "file.sync_dir": (_UPLOAD_REJECTED_ROUTES, "StorageError"),
}

#: Responses by method name and case.
CASES: Dict[Tuple[str, str], List[CannedRoute]] = {
    **{(name, "default"): _SUCCESS_ROUTES for name in _FAILURE_ROUTES},
    **{(name, "failure"): routes for name, (routes, _) in _FAILURE_ROUTES.items()},
}
#: Error class of the failure, by method name (for ``upload_many`` with several files, for ``sync_dir`` with
#: one new file).
FAILURES: Dict[str, str] = {name: error for name, (_, error) in _FAILURE_ROUTES.items()}
