"""A client's relation to the API: address, raw calls, errors.

Source: SmartFile protocol, sections 1 to 4.
"""

import json
from typing import Any, Mapping, Optional

import requests

from smartxfer.client import HTTPClient
from smartxfer.client_options import ClientOptions
from smartxfer.errors import HTTPError, UsageError
from smartxfer.smartfile.calls import SUCCESS, Calls
from smartxfer.smartfile.errors import ERRORS, error_of
from smartxfer.smartfile.forms import body_of
from smartxfer.smartfile.paths import api_path
from smartxfer.transport import Answer, Body, Call, Success, without_query

__all__ = ["DEFAULT_URL", "RawClient"]

DEFAULT_URL = "https://app.smartfile.com"
#: Endpoints that answer JSON: sections 2 and 5.
_JSON = (
    *("ping/", "whoami/", "session/", "right/", "user/", "group/", "role/", "pref/", "activity/"),
    *("path/info/", "path/oper/", "path/data/", "path/progress/", "path/exchange/", "path/tree/"),
    *("search/", "access/", "link/", "watch/", "task/"),
)


class RawClient(HTTPClient):
    """What both clients are made of, but for their credentials and the workflows.

    :param url: address of the API; by default SMARTFILE_API_URL, else the vendor's.
    :param options: the settings that every client takes.
    :param version: of the API.
    :param throttle_wait: False raises at once where the API asks to come back later.
    """

    _errors = ERRORS

    def __init__(
        self,
        url: Optional[str],
        options: ClientOptions,
        *,
        version: str = "2",
        throttle_wait: bool = True,
    ) -> None:
        super().__init__(url, options)
        if not str(version).replace(".", "").isalnum():
            raise UsageError(f"{version!r} is no version of the API", hint='leave it out, or say "2"')
        self.version = str(version)
        self._throttle_wait = throttle_wait

    # -- raw calls --------------------------------------------------------------------------------------

    def _raw(self, method: str, endpoint: str, id: Any, params: Mapping[str, Any]) -> Any:
        path = self._path(endpoint, id)
        success = _accepted(method, path, params)
        if method == "GET":
            decode = not path.startswith("path/data/")
            call = self._calls.describe("GET", path, params, decode=decode, success=success)
            return self._settled(call, self._wire.exchange(call))
        with body_of(params) as (content_type, body):
            # A file that is sent again replaces itself; another POST may do its work twice.
            again = True if path.startswith("path/data/") and method == "POST" else None
            call = Call(
                method,
                f"{self._calls.api}/{path}",
                headers={"Content-Type": content_type},
                body=body,
                sign=self._sign,
                idempotent=again,
                success=success,
            )
            return self._settled(call, self._wire.exchange(call))

    def _settled(self, call: Call, found: Any) -> Any:
        """Return what was answered, unless it is an error that came with status 200 (section 4)."""
        status = found.get("status") if isinstance(found, dict) and "detail" in found else None
        if type(status) is not int or not 400 <= status < 600:
            return found
        body = json.dumps(found).encode("ascii")
        answer = Answer(call.what, status, {"Content-Type": "application/json"}, body)
        raise self._error_of(answer, call.method, without_query(call.url))

    def _path(self, endpoint: str, id: Any) -> str:
        return api_path(endpoint, getattr(id, "key", id))

    @property
    def _calls(self) -> Calls:
        return Calls(self._wire, f"{self.base_url}/api/{self.version}", self._sign)

    def _sign(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Add the credentials to one attempt."""
        raise LookupError(f"{type(self).__name__} has no credentials")

    @property
    def _account(self) -> str:
        """Who it is, for the journals; no secret."""
        raise LookupError(f"{type(self).__name__} has no credentials")

    def _error_of(self, answer: Answer, method: str, url: str) -> HTTPError:
        return error_of(
            answer,
            method,
            url,
            policy=self._retry,
            clock=self._clock,
            throttle_wait=self._throttle_wait,
        )


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
