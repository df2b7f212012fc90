"""``api.server``: methods for login, requests, the server's files, API tokens and administration.

Names and parameters are the vendor's.  Where its documentation is not public, and for administration, keyword
arguments are sent unchanged.

Source: JetStream protocol, section 5.1.
"""

from typing import Any, List, Optional, Union

from smartxfer.errors import UsageError
from smartxfer.jetstream.async_requests import Request, get_request_status, wait_for_request_result
from smartxfer.jetstream.auth import register_secrets
from smartxfer.jetstream.errors import JetStreamDecodeError
from smartxfer.jetstream.interface import (
    Interface,
    TimeLike,
    extract_id,
    require_text,
    require_texts,
    to_microseconds,
)
from smartxfer.jetstream.models import (
    Event,
    RequestStatus,
    ServerInfo,
    Token,
    parse_byte_count,
    parse_list,
    parse_listing,
)
from smartxfer.jetstream.send import validate_token_options
from smartxfer.secret_text import as_secret, hide_method_arguments

__all__ = ["ServerInterface"]

RequestId = Union[int, Request]


@hide_method_arguments("password", "token")
class ServerInterface(Interface):
    """Methods for the server."""

    # -- login ------------------------------------------------------------------------------------------

    def auth(self, user: str, password: str) -> None:
        """Log in as a user of the server's machine.

        :raises AuthError: the server rejects the user or the password.
        """
        self._log_in(
            "auth",
            user=_validate_credential(user, "user"),
            password=_validate_credential(password, "password"),
        )

    def authAsync(self, user: str, password: str) -> Request:
        """Log in; the request's result is None."""
        params = register_secrets(
            {
                "user": _validate_credential(user, "user"),
                "password": _validate_credential(password, "password"),
            }
        )
        session_state = self._rpc().session_state
        return self._start_request(
            "authAsync", lambda method, result: session_state.record_login("auth", **params), **params
        )

    def authToken(self, token: Any, password: Optional[str] = None) -> None:
        """Log in with a shared token or an API token.

        :param password: required if the token's ``passwordRequired`` is true.
        :raises AuthError: the token is invalid, expired or used up.
        """
        params = {"token": as_secret(extract_id(token, "token"))}
        if password is not None:
            params["password"] = _validate_credential(password, "password")
        self._log_in("authToken", **params)

    def _log_in(self, method: str, **params: str) -> None:
        params = register_secrets(params)
        self._call(method, **params)
        self._rpc().session_state.record_login(method, **params)

    def superuser(self) -> None:
        """Raise the rights of this session to those of a superuser.

        :raises Forbidden: the account does not have the permission.
        """
        self._elevate_rights("superuser")

    def wrangler(self) -> None:
        """Raise the rights of this session to see and change the objects of other users.

        :raises Forbidden: the account does not have the permission.
        """
        self._elevate_rights("wrangler")

    def _elevate_rights(self, method: str) -> None:
        self._call(method)
        self._rpc().session_state.record_elevation(method)

    # -- requests ---------------------------------------------------------------------------------------

    def getRequestStatus(self, requestId: RequestId) -> RequestStatus:
        """Return the status of a request without waiting."""
        return get_request_status(
            self._rpc(), extract_id(requestId, "requestId"), _get_session_number(requestId)
        )

    def getRequestResult(self, requestId: RequestId, *, timeout: Optional[float] = None) -> Any:
        """Wait for a request and return its result.

        :param timeout: seconds; None waits without a limit.
        :return: models for a :class:`~smartxfer.jetstream.Request`, JSON values for an id.
        :raises WaitTimeout: it is not done by then; the server continues to execute it.
        """
        id_value = extract_id(requestId, "requestId")
        result = wait_for_request_result(self._rpc(), id_value, timeout, _get_session_number(requestId))
        return requestId.convert_result(result) if isinstance(requestId, Request) else result

    # -- the server -------------------------------------------------------------------------------------

    def getServerInfo(self) -> ServerInfo:
        """Return the identity and settings of the server; no login is needed."""
        return self._call_for_model(ServerInfo, "getServerInfo")

    def echo(self, text: Optional[str] = None) -> str:
        """Send a text to the server, which returns it.

        :raises DecodeError: the server returns something else.
        """
        result = self._call("echo", text=text)
        if not isinstance(result, str) or text not in (None, result):
            raise JetStreamDecodeError("echo: the result is not the text that was sent")
        return result

    def sleep(self, milliseconds: int) -> None:
        """Make the server wait before it responds."""
        self._call("sleep", milliseconds=milliseconds)

    def getEventLog(self, **keywords: Any) -> List[Event]:
        """Return the latest events; requires a server whose ``eventLogAvailable`` is true."""
        return self._call_for_models(Event, "getEventLog", **keywords)

    def getThirdPartyLicenses(self) -> Any:
        """Return the licence texts of third-party software."""
        return self._call("getThirdPartyLicenses")

    def garbageCollect(self) -> None:
        """Run the server's garbage collection."""
        self._call("garbageCollect")

    def terminate(self, **keywords: Any) -> Any:
        """Stop the server."""
        return self._call("terminate", **keywords)

    # -- files ------------------------------------------------------------------------------------------

    def lsAsync(self, path: Any) -> Request:
        """List one directory of the server, or several."""
        return self._start_request("lsAsync", parse_listing, path=require_texts(path, "path"))

    def lsListAsync(self, path: Any) -> Request:
        """List several directories."""
        paths = require_texts(path, "path")
        return self._start_request(
            "lsListAsync", parse_listing, path=[paths] if isinstance(paths, str) else paths
        )

    def lsRootsAsync(self) -> Request:
        """List the root directories."""
        return self._start_request("lsRootsAsync", parse_list)

    def duAsync(self, path: Any) -> Request:
        """Compute the total bytes below one path, or below several."""
        return self._start_request("duAsync", parse_byte_count, path=require_texts(path, "path"))

    def mkdirAsync(self, path: Any) -> Request:
        """Create a directory and its missing parents."""
        return self._start_request("mkdirAsync", path=require_text(path, "path"))

    def mkFileAsync(self, path: Any) -> Request:
        """Create an empty file."""
        return self._start_request("mkFileAsync", path=require_text(path, "path"))

    def mvAsync(self, from_: Any, to: Any) -> Request:
        """Move or rename a file or directory."""
        return self._start_request("mvAsync", from_=require_text(from_, "from"), to=require_text(to, "to"))

    def rmAsync(self, path: Any) -> Request:
        """Remove a file, or a directory with its contents."""
        return self._start_request("rmAsync", path=require_text(path, "path"))

    # -- API tokens -------------------------------------------------------------------------------------

    def createAPIToken(
        self,
        description: Optional[str] = None,
        expiryTime: TimeLike = None,
        password: Optional[str] = None,
        permissions: Any = None,
        path: Optional[str] = None,
    ) -> Token:
        """Create a token with which other clients can log in as this user, with limited rights.

        :param expiryTime: microseconds since 1970, a datetime, or a timedelta from now.
        :param permissions: their names are not public.
        :param path: directory to which the token is limited.
        """
        validate_token_options(None, password, description)
        register_secrets({"password": password or ""})
        return self._call_for_model(
            Token,
            "createAPIToken",
            description=description,
            expiryTime=to_microseconds(expiryTime, self._rpc().clock.time),
            password=password,
            permissions=permissions,
            path=path,
        )

    def getAPIToken(self, token: Any) -> Token:
        """Return the current state of an API token."""
        return self._call_for_model(Token, "getAPIToken", ("token",), token=extract_id(token, "token"))

    def getAPITokens(self) -> List[Token]:
        """Return all API tokens of this user."""
        return self._call_for_models(Token, "getAPITokens")

    def deleteAPIToken(self, token: Any) -> None:
        """Revoke an API token."""
        self._call("deleteAPIToken", token=extract_id(token, "token"))

    # -- administration ---------------------------------------------------------------------------------

    def setSandboxMapping(self, **keywords: Any) -> Any:
        """Set the directories that a user can see: ``user`` ("" for all users) and ``mapping``."""
        return self._call("setSandboxMapping", **keywords)

    def getSandboxMappings(self, **keywords: Any) -> Any:
        """Return the directories that users can see."""
        return self._call("getSandboxMappings", **keywords)

    def deleteSandboxMapping(self, **keywords: Any) -> Any:
        """Delete the sandbox mapping of a ``user``."""
        return self._call("deleteSandboxMapping", **keywords)

    def addWranglerAsync(self, **keywords: Any) -> Request:
        """Allow a ``user`` or ``group`` to become wrangler."""
        return self._start_request("addWranglerAsync", **keywords)

    def deleteWrangler(self, **keywords: Any) -> Any:
        """Withdraw the permission of a ``user`` or ``group`` to become wrangler."""
        return self._call("deleteWrangler", **keywords)

    def getWranglers(self, **keywords: Any) -> Any:
        """Return the users and groups that may become wrangler."""
        return self._call("getWranglers", **keywords)

    def updateBandwidthLimits(self, **keywords: Any) -> Any:
        """Limit the bandwidth of the server; the names of the parameters are not public."""
        return self._call("updateBandwidthLimits", **keywords)

    def setLicenseKeyAsync(self, **keywords: Any) -> Request:
        """Set the licence ``key``."""
        return self._start_request("setLicenseKeyAsync", **keywords)

    def sendDiscoverPacketAsync(self, **keywords: Any) -> Request:
        """Send a discovery packet to a server that is waiting for one."""
        return self._start_request("sendDiscoverPacketAsync", **keywords)

    def recvDiscoverPacketAsync(self, **keywords: Any) -> Request:
        """Wait for a discovery packet."""
        return self._start_request("recvDiscoverPacketAsync", **keywords)


def _get_session_number(request: RequestId) -> Optional[int]:
    return request.session if isinstance(request, Request) else None


def _validate_credential(value: Any, name: str) -> str:
    if not isinstance(value, str) or not value:
        raise UsageError(f"invalid {name}: it must be non-empty text", hint=f"pass {name} as text")
    return value
