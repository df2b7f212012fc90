"""Canned responses of NRP repositories for each method of the client.

Source: NRP / Invenio protocol, sections 1 to 5.
"""

import re
from typing import Dict, List, Pattern, Tuple

from smartxfer.testing import canned_nrp_account as account

__all__ = [
    "BASE_URL", "CASES", "FACTS", "FAILURES", "FIRST_USE", "PREFIXES", "CannedRoute", "build_url_pattern",
]

BASE_URL = account.BASE_URL
FACTS = account.FACTS

CannedRoute = Tuple[str, str, account.CannedResponse]


def build_url_pattern(base_url: str, path: str) -> Pattern[str]:
    """Return a pattern for a path of the repository with any query; ``*`` matches any text."""
    path_pattern = re.escape(path).replace(r"\*", "[^?]*")
    return re.compile(re.escape(base_url.rstrip("/")) + path_pattern + r"(\?.*)?$")


#: Prefix of a case, by the class of its method.
PREFIXES = {"FilesClient": "files.", "RecordsClient": "records."}

#: Response to the request before the first call: the info document of the repository.
FIRST_USE: List[CannedRoute] = [("GET", "/.well-known/repository/", account.handle_info)]

_SUCCESS_ROUTES: List[CannedRoute] = [
    ("GET", "/api/*", account.handle_get),
    ("POST", "/api/*", account.handle_post),
    ("PUT", "/api/*", account.handle_put),
    ("DELETE", "/api/*", account.handle_delete),
]
_READ_ROUTES = _SUCCESS_ROUTES[:1]
_NOT_FOUND = account.build_error(404, "The persistent identifier does not exist.")
_PERMISSION_DENIED = account.build_error(403, "Permission denied.")
_LOCKED = account.build_error(403, "Bucket is locked for modifications.")
_INVALID = account.build_error(
    400,
    "A validation error occurred.",
    [{"field": "metadata.creators", "messages": ["Missing data for required field."]}],
)
_WRONG_PAGE = account.build_error(400, "Invalid querystring parameters.")
_OUTDATED = account.build_error(412, "Revision id provided(1) doesn't match record's one(5)")


def _build_failure(verb: str, response: account.CannedResponse) -> List[CannedRoute]:
    return [(verb, "/api/*", response)]


#: Failure responses of each method, and their error class.
_FAILURE_ROUTES: Dict[str, Tuple[List[CannedRoute], str]] = {
    "get": (_build_failure("GET", _NOT_FOUND), "NotFound"),
    "whoami": (_build_failure("GET", _PERMISSION_DENIED), "AuthError"),
    "upload": (_build_failure("POST", _PERMISSION_DENIED), "Forbidden"),
    "upload_many": (_build_failure("POST", _PERMISSION_DENIED), "Forbidden"),
    "upload_tree": ([*_READ_ROUTES, *_build_failure("POST", _PERMISSION_DENIED)], "Forbidden"),
    "download": (_build_failure("GET", _NOT_FOUND), "NotFound"),
    "download_many": (_build_failure("GET", _NOT_FOUND), "NotFound"),
    "download_tree": (_build_failure("GET", _NOT_FOUND), "NotFound"),
    "list": (_build_failure("GET", _NOT_FOUND), "NotFound"),
    "info": (_build_failure("GET", _NOT_FOUND), "NotFound"),
    "exists": (_build_failure("GET", _PERMISSION_DENIED), "Forbidden"),
    "remove": ([*_build_failure("DELETE", _NOT_FOUND), *_build_failure("GET", _NOT_FOUND)], "NotFound"),
    "sync": (
        [
            *_READ_ROUTES,
            *_build_failure("POST", _PERMISSION_DENIED),
            *_build_failure("DELETE", _PERMISSION_DENIED),
        ],
        "Forbidden",
    ),
    "files.list": (_build_failure("GET", _NOT_FOUND), "NotFound"),
    "files.read": (_build_failure("GET", _NOT_FOUND), "NotFound"),
    "files.upload": (_build_failure("POST", _PERMISSION_DENIED), "Forbidden"),
    "files.upload_many": (_build_failure("POST", _PERMISSION_DENIED), "Forbidden"),
    "files.download": (_build_failure("GET", _NOT_FOUND), "NotFound"),
    "files.download_many": (_build_failure("GET", _NOT_FOUND), "NotFound"),
    "files.update": ([*_READ_ROUTES, *_build_failure("PUT", _PERMISSION_DENIED)], "Forbidden"),
    "files.delete": ([*_build_failure("DELETE", _NOT_FOUND), *_build_failure("GET", _NOT_FOUND)], "NotFound"),
    "files.delete_all": (_build_failure("DELETE", _LOCKED), "Forbidden"),
    "files.sync_dir": (
        [
            *_READ_ROUTES,
            *_build_failure("POST", _PERMISSION_DENIED),
            *_build_failure("DELETE", _PERMISSION_DENIED),
        ],
        "Forbidden",
    ),
    "files.wait_fetch": (_build_failure("GET", account.handle_failed_fetch), "TaskFailed"),
    "records.create": (_build_failure("POST", _PERMISSION_DENIED), "Forbidden"),
    "records.read": (_build_failure("GET", _NOT_FOUND), "NotFound"),
    "records.update": (_build_failure("PUT", _OUTDATED), "Conflict"),
    "records.delete": (
        [*_build_failure("DELETE", _NOT_FOUND), *_build_failure("GET", _NOT_FOUND)],
        "NotFound",
    ),
    "records.publish": ([*_READ_ROUTES, *_build_failure("POST", _INVALID)], "BadRequest"),
    "records.search": (_build_failure("GET", _WRONG_PAGE), "BadRequest"),
    "records.versions": (_build_failure("GET", _NOT_FOUND), "NotFound"),
    "records.latest": (_build_failure("GET", _NOT_FOUND), "NotFound"),
    "records.edit_metadata": ([*_READ_ROUTES, *_build_failure("POST", _PERMISSION_DENIED)], "Forbidden"),
    "records.new_version": ([*_READ_ROUTES, *_build_failure("POST", _PERMISSION_DENIED)], "Forbidden"),
}

#: Responses by method name and case.
CASES: Dict[Tuple[str, str], List[CannedRoute]] = {
    **{(name, "default"): _SUCCESS_ROUTES for name in _FAILURE_ROUTES},
    **{(name, "failure"): routes for name, (routes, _) in _FAILURE_ROUTES.items()},
}
#: Error class of the failure, by method name.
FAILURES: Dict[str, str] = {name: error for name, (_, error) in _FAILURE_ROUTES.items()}
