"""``api.server``: login, requests, the server's files, tokens, administration.

Names and parameters are the vendor's.  Where its documentation could not be read to the end, and for what
administers a server, keywords are passed on as they are.

Source: JetStream protocol, section 5.1.
"""

from typing import Any, List, Optional, Union

from smartxfer.errors import UsageError
from smartxfer.jetstream.errors import JetStreamDecodeError
from smartxfer.jetstream.interface import Interface, Moment, id_of, microseconds, text_of, texts_of
from smartxfer.jetstream.login import keep_secret
from smartxfer.jetstream.models import (
    Event,
    RequestStatus,
    ServerInfo,
    Token,
    listed,
    listing,
    size,
)
from smartxfer.jetstream.requests import Request, result_of, status_of
from smartxfer.jetstream.send import check_token
from smartxfer.secret_text import as_secret, hides

__all__ = ["ServerInterface"]

RequestId = Union[int, Request]


@hides("password", "token")
class ServerInterface(Interface):
    """Commands to the server itself."""

    # -- login ------------------------------------------------------------------------------------------

    def auth(self, user: str, password: str) -> None:
        """Log in with a user of the server's machine.

        :raises AuthError: the server refuses them.
        """
        self._log_in("auth", user=_given(user, "user"), password=_given(password, "password"))

    def authAsync(self, user: str, password: str) -> Request:
        """Log in; the request's result is None."""
        said = keep_secret({"user": _given(user, "user"), "password": _given(password, "password")})
        login = self._rpc().login
        return self._begin("authAsync", lambda method, result: login.worked("auth", **said), **said)

    def authToken(self, token: Any, password: Optional[str] = None) -> None:
        """Log in by a shared token or an API token.

        :param password: where the token's ``passwordRequired`` is true.
        :raises AuthError: the token is wrong, expired or used up.
        """
        said = {"token": as_secret(id_of(token, "token"))}
        if password is not None:
            said["password"] = _given(password, "password")
        self._log_in("authToken", **said)

    def _log_in(self, method: str, **said: str) -> None:
        said = keep_secret(said)
        self._ask(method, **said)
        self._rpc().login.worked(method, **said)

    def superuser(self) -> None:
        """Raise this session's rights to a superuser's.

        :raises Forbidden: the account may not.
        """
        self._raise("superuser")

    def wrangler(self) -> None:
        """Let this session see and change the objects of others.

        :raises Forbidden: the account may not.
        """
        self._raise("wrangler")

    def _raise(self, method: str) -> None:
        self._ask(method)
        self._rpc().login.raised(method)

    # -- requests ---------------------------------------------------------------------------------------

    def getRequestStatus(self, requestId: RequestId) -> RequestStatus:
        """How a request is, at once."""
        return status_of(self._rpc(), id_of(requestId, "requestId"), _session_of(requestId))

    def getRequestResult(self, requestId: RequestId, *, timeout: Optional[float] = None) -> Any:
        """What a request yields; waits for it.

        :param timeout: seconds; None waits for as long as it takes.
        :return: structures for a :class:`~smartxfer.jetstream.Request` of ours, plain JSON for a bare id.
        :raises WaitTimeout: it is not done by then; it goes on.
        """
        id = id_of(requestId, "requestId")
        result = result_of(self._rpc(), id, timeout, _session_of(requestId))
        return requestId.made(result) if isinstance(requestId, Request) else result

    # -- the server -------------------------------------------------------------------------------------

    def getServerInfo(self) -> ServerInfo:
        """What the server says of itself; also before a login."""
        return self._made(ServerInfo, "getServerInfo")

    def echo(self, text: Optional[str] = None) -> str:
        """The same text again.

        :raises DecodeError: the server answers with something else.
        """
        found = self._ask("echo", text=text)
        if not isinstance(found, str) or text not in (None, found):
            raise JetStreamDecodeError("echo: the answer is not the text that was sent")
        return found

    def sleep(self, milliseconds: int) -> None:
        """Have the server wait."""
        self._ask("sleep", milliseconds=milliseconds)

    def getEventLog(self, **keywords: Any) -> List[Event]:
        """The latest events, where ``eventLogAvailable`` says that there are any."""
        return self._several(Event, "getEventLog", **keywords)

    def getThirdPartyLicenses(self) -> Any:
        """Licence texts."""
        return self._ask("getThirdPartyLicenses")

    def garbageCollect(self) -> None:
        """Collect garbage at once."""
        self._ask("garbageCollect")

    def terminate(self, **keywords: Any) -> Any:
        """Stop the server."""
        return self._ask("terminate", **keywords)

    # -- files ------------------------------------------------------------------------------------------

    def lsAsync(self, path: Any) -> Request:
        """List a directory as the server sees it; or several."""
        return self._begin("lsAsync", listing, path=texts_of(path, "path"))

    def lsListAsync(self, path: Any) -> Request:
        """List several directories."""
        paths = texts_of(path, "path")
        return self._begin("lsListAsync", listing, path=[paths] if isinstance(paths, str) else paths)

    def lsRootsAsync(self) -> Request:
        """List the root directories."""
        return self._begin("lsRootsAsync", listed)

    def duAsync(self, path: Any) -> Request:
        """Add up the bytes below a path, or below several."""
        return self._begin("duAsync", size, path=texts_of(path, "path"))

    def mkdirAsync(self, path: Any) -> Request:
        """Make a directory, and those above it."""
        return self._begin("mkdirAsync", path=text_of(path, "path"))

    def mkFileAsync(self, path: Any) -> Request:
        """Make an empty file."""
        return self._begin("mkFileAsync", path=text_of(path, "path"))

    def mvAsync(self, from_: Any, to: Any) -> Request:
        """Move or rename."""
        return self._begin("mvAsync", from_=text_of(from_, "from"), to=text_of(to, "to"))

    def rmAsync(self, path: Any) -> Request:
        """Remove a file, or a directory with all that is in it."""
        return self._begin("rmAsync", path=text_of(path, "path"))

    # -- API tokens -------------------------------------------------------------------------------------

    def createAPIToken(
        self,
        description: Optional[str] = None,
        expiryTime: Moment = None,
        password: Optional[str] = None,
        permissions: Any = None,
        path: Optional[str] = None,
    ) -> Token:
        """Make a token by which others log in as this user, within limits.

        :param expiryTime: microseconds since 1970, a datetime, or a timedelta from now.
        :param permissions: the vendor's words for them are not public.
        :param path: the only directory that it is good for.
        """
        check_token(None, password, description)
        keep_secret({"password": password or ""})
        return self._made(
            Token,
            "createAPIToken",
            description=description,
            expiryTime=microseconds(expiryTime, self._rpc().clock.wall),
            password=password,
            permissions=permissions,
            path=path,
        )

    def getAPIToken(self, token: Any) -> Token:
        """One API token."""
        return self._made(Token, "getAPIToken", ("token",), token=id_of(token, "token"))

    def getAPITokens(self) -> List[Token]:
        """Every API token of this user."""
        return self._several(Token, "getAPITokens")

    def deleteAPIToken(self, token: Any) -> None:
        """Revoke an API token."""
        self._ask("deleteAPIToken", token=id_of(token, "token"))

    # -- administration ---------------------------------------------------------------------------------

    def setSandboxMapping(self, **keywords: Any) -> Any:
        """Say which directories a user sees: ``user`` ("" for everybody) and ``mapping``."""
        return self._ask("setSandboxMapping", **keywords)

    def getSandboxMappings(self, **keywords: Any) -> Any:
        """Which directories users see."""
        return self._ask("getSandboxMappings", **keywords)

    def deleteSandboxMapping(self, **keywords: Any) -> Any:
        """Forget what a ``user`` sees."""
        return self._ask("deleteSandboxMapping", **keywords)

    def addWranglerAsync(self, **keywords: Any) -> Request:
        """Let a ``user`` or ``group`` become wrangler."""
        return self._begin("addWranglerAsync", **keywords)

    def deleteWrangler(self, **keywords: Any) -> Any:
        """Let a ``user`` or ``group`` be wrangler no more."""
        return self._ask("deleteWrangler", **keywords)

    def getWranglers(self, **keywords: Any) -> Any:
        """Who may become wrangler."""
        return self._ask("getWranglers", **keywords)

    def updateBandwidthLimits(self, **keywords: Any) -> Any:
        """Limit what comes in and goes out; the vendor's names for it are not public."""
        return self._ask("updateBandwidthLimits", **keywords)

    def setLicenseKeyAsync(self, **keywords: Any) -> Request:
        """Set the licence ``key``."""
        return self._begin("setLicenseKeyAsync", **keywords)

    def sendDiscoverPacketAsync(self, **keywords: Any) -> Request:
        """Send a discovery packet to a server that waits for one."""
        return self._begin("sendDiscoverPacketAsync", **keywords)

    def recvDiscoverPacketAsync(self, **keywords: Any) -> Request:
        """Wait for a discovery packet."""
        return self._begin("recvDiscoverPacketAsync", **keywords)


def _session_of(request: RequestId) -> Optional[int]:
    return request.session if isinstance(request, Request) else None


def _given(value: Any, name: str) -> str:
    if not isinstance(value, str) or not value:
        raise UsageError(f"{name} is text that is not empty")
    return value
