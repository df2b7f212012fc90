"""Raw requests: any endpoint, with any parameters.

Source: SmartFile protocol, sections 1 to 5.
"""

import contextlib
import json
from typing import Any, Iterator, Mapping, Optional

from smartxfer.smartfile.api import SUCCESS_BY_METHOD, SmartFileApi
from smartxfer.smartfile.multipart_form import encode_body
from smartxfer.transport import Body, BufferedResponse, RequestSpec, Success

__all__ = ["build_raw_request", "find_embedded_error"]

#: Endpoints that accept files: sections 5 and 7.
_UPLOAD_ENDPOINTS = ("path/data/", "path/sync/")
#: Endpoints that return JSON: sections 2 and 5.
_JSON_ENDPOINTS = (
    *("ping/", "whoami/", "session/", "right/", "user/", "group/", "role/", "pref/", "activity/"),
    *("path/info/", "path/oper/", "path/data/", "path/progress/", "path/exchange/", "path/tree/"),
    *("search/", "access/", "link/", "watch/", "task/"),
)


@contextlib.contextmanager
def build_raw_request(
    api: SmartFileApi, method: str, path: str, params: Mapping[str, Any]
) -> Iterator[RequestSpec]:
    """Yield a request for an encoded path; the files in its parameters are open until the block ends."""
    success = _get_success_rule(method, path, params)
    is_file = path.startswith("path/data/")
    if method == "GET":
        yield api.build_request("GET", path, params, decode_json=not is_file, success=success)
        return
    with encode_body(params, allow_text=path.startswith(_UPLOAD_ENDPOINTS)) as (content_type, body):
        yield RequestSpec(
            method,
            f"{api.api_url}/{path}",
            headers={"Content-Type": content_type},
            body=body,
            auth=api.auth,
            # A file that is uploaded twice replaces itself; other POST requests are not repeated.
            idempotent=True if is_file and method == "POST" else None,
            success=success,
        )


def find_embedded_error(body: Any, request: RequestSpec) -> Optional[BufferedResponse]:
    """Return an error in the body of a status 200 as a response with its status, else None (section 4)."""
    status = body.get("status") if isinstance(body, dict) and "detail" in body else None
    if type(status) is not int or not 400 <= status < 600:
        return None
    return BufferedResponse(
        request.description, status, {"Content-Type": "application/json"}, json.dumps(body).encode("ascii")
    )


def _get_success_rule(method: str, path: str, params: Mapping[str, Any]) -> Success:
    """Return the success rule of a raw request; sections 3, 5 and 7.

    Files can have any type, and ``format=`` requests another format than JSON.  DELETE of
    ``path/oper/remove`` returns a task, with status 200.
    """
    statuses = SUCCESS_BY_METHOD[method].statuses | ({200} if method == "DELETE" else set())
    if path.startswith("path/data/") and method == "GET":
        return Success(statuses, Body.ANY)
    if "format" in params:
        return Success(statuses, Body.ANY)
    if path.startswith("path/sync/"):
        return Success(statuses, Body.NOT_HTML)
    is_json = path.startswith(_JSON_ENDPOINTS)
    return Success(statuses, Body.JSON_OR_EMPTY if is_json else Body.NOT_HTML)
