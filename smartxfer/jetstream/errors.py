"""Errors of JetStream, each a subclass of the generic error class and of :class:`JetStreamError`.

Source: JetStream protocol, sections 9.3 and 10.
"""

from typing import Any, Dict, Mapping, Tuple, Type

from smartxfer import errors
from smartxfer.error_families import ErrorFamily
from smartxfer.error_values import evolve_error
from smartxfer.errors import (
    AuthError,
    BadRequest,
    CommunicationError,
    Conflict,
    DecodeError,
    Forbidden,
    HTTPError,
    NetworkError,
    NotAnHTTPServer,
    NotFound,
    ServerError,
    TLSError,
    Unsupported,
)
from smartxfer.transport.error_rules import ErrorRule, ErrorTable
from smartxfer.transport.redaction import redact, redact_json, redacted_excerpt

__all__ = [
    "CONNECT_HINT",
    "ERRORS",
    "STILL_PROCESSING",
    "JetStreamAuthError",
    "JetStreamBatchError",
    "JetStreamClientError",
    "JetStreamCommunicationError",
    "JetStreamCredentialError",
    "JetStreamDecodeError",
    "JetStreamError",
    "JetStreamForbidden",
    "JetStreamHTTPError",
    "JetStreamIntegrityError",
    "JetStreamNetworkError",
    "JetStreamNotFound",
    "JetStreamOutcomeUnknown",
    "JetStreamServerError",
    "JetStreamTaskFailed",
    "JetStreamTaskSuspended",
    "JetStreamUnsupported",
    "JetStreamWaitTimeout",
    "add_connect_hint",
    "build_rpc_error",
]


class JetStreamError(errors.SmartxferError):
    """Base class of the errors of JetStream."""


# fmt: off
class JetStreamCredentialError(JetStreamError, errors.CredentialError): ...
class JetStreamCommunicationError(JetStreamError, errors.CommunicationError): ...
class JetStreamNetworkError(JetStreamCommunicationError, errors.NetworkError): ...
class JetStreamDecodeError(JetStreamCommunicationError, errors.DecodeError): ...
class JetStreamOutcomeUnknown(JetStreamCommunicationError, errors.OutcomeUnknown): ...
class JetStreamHTTPError(JetStreamCommunicationError, errors.HTTPError): ...
class JetStreamClientError(JetStreamHTTPError, errors.ClientError): ...
class JetStreamAuthError(JetStreamClientError, errors.AuthError): ...
class JetStreamForbidden(JetStreamAuthError, errors.Forbidden): ...
class JetStreamNotFound(JetStreamClientError, errors.NotFound): ...
class JetStreamUnsupported(JetStreamClientError, errors.Unsupported): ...
class JetStreamServerError(JetStreamHTTPError, errors.ServerError): ...
class JetStreamIntegrityError(JetStreamError, errors.IntegrityError): ...
class JetStreamWaitTimeout(JetStreamError, errors.WaitTimeout): ...
class JetStreamTaskFailed(JetStreamError, errors.TaskFailed): ...
class JetStreamTaskSuspended(JetStreamError, errors.TaskSuspended): ...
class JetStreamBatchError(JetStreamError, errors.BatchError): ...
# fmt: on

#: Maps generic error classes to those of JetStream; classes not defined above, such as
#: JetStreamReadTimeout, are created on demand.
ERRORS = ErrorFamily(__name__, JetStreamError, "JetStream")

#: Error code of a long poll whose time limit has expired.
STILL_PROCESSING = "StillProcessing"

CONNECT_HINT = (
    "JetStream's own control port (8886) does not use HTTP: connect to `smartxfer serve`, or to a JetStream "
    "server through `smartxfer jetstream-bridge`, which uses the vendor's Python package"
)

_LOGIN_HINT = (
    "call api.server.auth(user, password), pass user= and password=, or set JETSTREAM_API_USER and "
    "JETSTREAM_API_PASSWORD"
)
_UPDATE_HINT = "have client and server updated; api.server.getServerInfo() shows the server's version"
_ERROR_CODES: Dict[int, Tuple[Type[HTTPError], str, str]] = {
    -32700: (BadRequest, "ParseError", _UPDATE_HINT),
    -32600: (BadRequest, "InvalidRequest", _UPDATE_HINT),
    -32601: (Unsupported, "MethodNotFound", "check the name of the method, or have the server updated"),
    -32602: (BadRequest, "InvalidParams", "check the names and values of the parameters"),
    -32603: (ServerError, "InternalError", ServerError.hint),
    -32001: (AuthError, "NotAuthenticated", _LOGIN_HINT),
    -32002: (
        AuthError,
        "AuthenticationFailed",
        "check user= and password= (JETSTREAM_API_USER, JETSTREAM_API_PASSWORD), or create a new token",
    ),
    -32003: (
        Forbidden,
        "PermissionDenied",
        "call api.server.superuser() or api.server.wrangler() first, or log in as another user",
    ),
    -32004: (NotFound, "NotFound", "check the path or id; api.ls(path) lists a directory"),
    -32005: (Conflict, "InvalidState", Conflict.hint),
    -32006: (Conflict, STILL_PROCESSING, "wait with a larger timeout="),
    -32007: (Unsupported, "ApiVersion", "have the server updated; getServerInfo() returns its version"),
    -32008: (Forbidden, "NotLicensed", "have the server licensed: api.server.setLicenseKeyAsync(key=...)"),
}

#: Rules for the error codes; an unknown code is a ServerError.
_ERROR_TABLE = ErrorTable(
    rules=[
        *(
            ErrorRule(code_pattern=str(code), error_class=error_class, hint=hint, attributes={"code": name})
            for code, (error_class, name, hint) in _ERROR_CODES.items()
        ),
        ErrorRule(error_class=ServerError),
    ]
)


def build_rpc_error(error: Any, method: str, url: str) -> CommunicationError:
    """Return the exception for the ``error`` object of a response.

    :param method: the JSON-RPC method.
    :param url: address of the call.
    """
    code = error.get("code") if isinstance(error, Mapping) else None
    if isinstance(code, bool) or not isinstance(code, int):
        return JetStreamDecodeError(f"{method} at {url}: the error has no valid code")
    kwargs = _ERROR_TABLE.find_error_kwargs(200, str(code))
    data = error.get("data")
    type_name = data.get("type") if isinstance(data, Mapping) else None
    name = type_name if isinstance(type_name, str) and type_name else kwargs.get("code", str(code))
    name = redact(name)
    message = redacted_excerpt(error.get("message") or "")
    error_class: Type[HTTPError] = ERRORS.class_for(kwargs["kind"])
    return error_class(
        f"{method}: {name}{': ' if message else ''}{message}",
        hint=kwargs.get("hint"),
        status=200,
        code=name,
        message=message,
        method="POST",
        url=url,
        details=redact_json(dict(error)),
        retryable=False,
    )


def add_connect_hint(error: CommunicationError) -> CommunicationError:
    """Return the error of the first request, with a hint if the server may be a JetStream control port."""
    is_other_service = isinstance(error, HTTPError) and error.status in (404, 405, 501)
    if isinstance(error, TLSError):
        return evolve_error(error, hint=f"{error.hint}; {CONNECT_HINT}")
    if isinstance(error, (NotAnHTTPServer, DecodeError)) or is_other_service:
        return evolve_error(error, hint=CONNECT_HINT)
    if isinstance(error, NetworkError) and error.may_have_been_processed:  # the server has accepted data
        return evolve_error(error, hint=error.own_hint or CONNECT_HINT)
    return error
