"""``api.server``: login, requests, the server's files, tokens, administration.

Names and parameters are the vendor's.  Where its documentation could not be read to the end, and for what
administers a server, keywords are passed on as they are.

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
    """Commands to the server itself."""

    # -- login ------------------------------------------------------------------------------------------

    def auth(self, user: str, password: str) -> None:
        """Log in with a user of the server's machine.

        :raises AuthError: the server refuses them.
        """
        self._log_in(
            "auth",
            user=_validate_credential(user, "user"),
            password=_validate_credential(password, "password"),
        )

    def authAsync(self, user: str, password: str) -> Request:
        """Log in; the request's result is None."""
        said = register_secrets(
            {
                "user": _validate_credential(user, "user"),
                "password": _validate_credential(password, "password"),
            }
        )
        login = self._rpc().session_state
        return self._start_request(
            "authAsync", lambda method, result: login.record_login("auth", **said), **said
        )

    def authToken(self, token: Any, password: Optional[str] = None) -> None:
        """Log in by a shared token or an API token.

        :param password: where the token's ``passwordRequired`` is true.
        :raises AuthError: the token is wrong, expired or used up.
        """
        said = {"token": as_secret(extract_id(token, "token"))}
        if password is not None:
            said["password"] = _validate_credential(password, "password")
        self._log_in("authToken", **said)

    def _log_in(self, method: str, **params: str) -> None:
        params = register_secrets(params)
        self._call(method, **params)
        self._rpc().session_state.record_login(method, **params)

    def superuser(self) -> None:
        """Raise this session's rights to a superuser's.

        :raises Forbidden: the account may not.
        """
        self._elevate_rights("superuser")

    def wrangler(self) -> None:
        """Let this session see and change the objects of others.

        :raises Forbidden: the account may not.
        """
        self._elevate_rights("wrangler")

    def _elevate_rights(self, method: str) -> None:
        self._call(method)
        self._rpc().session_state.record_elevation(method)

    # -- requests ---------------------------------------------------------------------------------------

    def getRequestStatus(self, requestId: RequestId) -> RequestStatus:
        """How a request is, at once."""
        return get_request_status(
            self._rpc(), extract_id(requestId, "requestId"), _get_session_number(requestId)
        )

    def getRequestResult(self, requestId: RequestId, *, timeout: Optional[float] = None) -> Any:
        """What a request yields; waits for it.

        :param timeout: seconds; None waits for as long as it takes.
        :return: structures for a :class:`~smartxfer.jetstream.Request` of ours, plain JSON for a bare id.
        :raises WaitTimeout: it is not done by then; it goes on.
        """
        id = extract_id(requestId, "requestId")
        result = wait_for_request_result(self._rpc(), id, timeout, _get_session_number(requestId))
        return requestId.convert_result(result) if isinstance(requestId, Request) else result

    # -- the server -------------------------------------------------------------------------------------

    def getServerInfo(self) -> ServerInfo:
        """What the server says of itself; also before a login."""
        return self._call_for_model(ServerInfo, "getServerInfo")

    def echo(self, text: Optional[str] = None) -> str:
        """The same text again.

        :raises DecodeError: the server answers with something else.
        """
        found = self._call("echo", text=text)
        if not isinstance(found, str) or text not in (None, found):
            raise JetStreamDecodeError("echo: the answer is not the text that was sent")
        return found

    def sleep(self, milliseconds: int) -> None:
        """Have the server wait."""
        self._call("sleep", milliseconds=milliseconds)

    def getEventLog(self, **keywords: Any) -> List[Event]:
        """The latest events, where ``eventLogAvailable`` says that there are any."""
        return self._call_for_models(Event, "getEventLog", **keywords)

    def getThirdPartyLicenses(self) -> Any:
        """Licence texts."""
        return self._call("getThirdPartyLicenses")

    def garbageCollect(self) -> None:
        """Collect garbage at once."""
        self._call("garbageCollect")

    def terminate(self, **keywords: Any) -> Any:
        """Stop the server."""
        return self._call("terminate", **keywords)

    # -- files ------------------------------------------------------------------------------------------

    def lsAsync(self, path: Any) -> Request:
        """List a directory as the server sees it; or several."""
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
        """Add up the bytes below a path, or below several."""
        return self._start_request("duAsync", parse_byte_count, path=require_texts(path, "path"))

    def mkdirAsync(self, path: Any) -> Request:
        """Make a directory, and those above it."""
        return self._start_request("mkdirAsync", path=require_text(path, "path"))

    def mkFileAsync(self, path: Any) -> Request:
        """Make an empty file."""
        return self._start_request("mkFileAsync", path=require_text(path, "path"))

    def mvAsync(self, from_: Any, to: Any) -> Request:
        """Move or rename."""
        return self._start_request("mvAsync", from_=require_text(from_, "from"), to=require_text(to, "to"))

    def rmAsync(self, path: Any) -> Request:
        """Remove a file, or a directory with all that is in it."""
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
        """Make a token by which others log in as this user, within limits.

        :param expiryTime: microseconds since 1970, a datetime, or a timedelta from now.
        :param permissions: the vendor's words for them are not public.
        :param path: the only directory that it is good for.
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
        """One API token."""
        return self._call_for_model(Token, "getAPIToken", ("token",), token=extract_id(token, "token"))

    def getAPITokens(self) -> List[Token]:
        """Every API token of this user."""
        return self._call_for_models(Token, "getAPITokens")

    def deleteAPIToken(self, token: Any) -> None:
        """Revoke an API token."""
        self._call("deleteAPIToken", token=extract_id(token, "token"))

    # -- administration ---------------------------------------------------------------------------------

    def setSandboxMapping(self, **keywords: Any) -> Any:
        """Say which directories a user sees: ``user`` ("" for everybody) and ``mapping``."""
        return self._call("setSandboxMapping", **keywords)

    def getSandboxMappings(self, **keywords: Any) -> Any:
        """Which directories users see."""
        return self._call("getSandboxMappings", **keywords)

    def deleteSandboxMapping(self, **keywords: Any) -> Any:
        """Forget what a ``user`` sees."""
        return self._call("deleteSandboxMapping", **keywords)

    def addWranglerAsync(self, **keywords: Any) -> Request:
        """Let a ``user`` or ``group`` become wrangler."""
        return self._start_request("addWranglerAsync", **keywords)

    def deleteWrangler(self, **keywords: Any) -> Any:
        """Let a ``user`` or ``group`` be wrangler no more."""
        return self._call("deleteWrangler", **keywords)

    def getWranglers(self, **keywords: Any) -> Any:
        """Who may become wrangler."""
        return self._call("getWranglers", **keywords)

    def updateBandwidthLimits(self, **keywords: Any) -> Any:
        """Limit what comes in and goes out; the vendor's names for it are not public."""
        return self._call("updateBandwidthLimits", **keywords)

    def setLicenseKeyAsync(self, **keywords: Any) -> Request:
        """Set the licence ``key``."""
        return self._start_request("setLicenseKeyAsync", **keywords)

    def sendDiscoverPacketAsync(self, **keywords: Any) -> Request:
        """Send a discovery packet to a server that waits for one."""
        return self._start_request("sendDiscoverPacketAsync", **keywords)

    def recvDiscoverPacketAsync(self, **keywords: Any) -> Request:
        """Wait for a discovery packet."""
        return self._start_request("recvDiscoverPacketAsync", **keywords)


def _get_session_number(request: RequestId) -> Optional[int]:
    return request.session if isinstance(request, Request) else None


def _validate_credential(value: Any, name: str) -> str:
    if not isinstance(value, str) or not value:
        raise UsageError(f"{name} is text that is not empty", hint=f"pass {name} as text")
    return value
