"""The errors of JetStream: each is the generic class and :class:`JetStreamError` at once.

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
    """Root of the errors of JetStream, and of no other service's."""


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

#: The class for each generic one; those not written out above are made, such as JetStreamReadTimeout.
ERRORS = ErrorFamily(__name__, JetStreamError, "JetStream")

#: The code of a bounded wait that ran out of time.
STILL_PROCESSING = "StillProcessing"

CONNECT_HINT = (
    "JetStream's own control port (8886) speaks no HTTP, and its protocol is not public: this client talks "
    "to `smartxfer serve`, or to a JetStream server by way of `smartxfer jetstream-bridge`, which uses the "
    "vendor's own package"
)

_LOGIN_HINT = (
    "log in: api.server.auth(user, password), user= and password=, or JETSTREAM_API_USER and _PASSWORD"
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
        "check user= and password= (JETSTREAM_API_USER, JETSTREAM_API_PASSWORD), or make a new token",
    ),
    -32003: (
        Forbidden,
        "PermissionDenied",
        "call api.server.superuser() or api.server.wrangler() first, or log in as another user",
    ),
    -32004: (NotFound, "NotFound", "check the path or id; api.ls(path) lists a folder"),
    -32005: (Conflict, "InvalidState", Conflict.hint),
    -32006: (Conflict, STILL_PROCESSING, "wait with a larger timeout="),
    -32007: (Unsupported, "ApiVersion", "have the server updated; getServerInfo() shows its version"),
    -32008: (Forbidden, "NotLicensed", "have the server licensed: api.server.setLicenseKeyAsync(key=...)"),
}

#: What a code means; one that is not known is the server's own trouble.
_ERROR_TABLE = ErrorTable(
    rules=[
        *(
            ErrorRule(code_pattern=str(code), error_class=kind, hint=hint, attributes={"code": name})
            for code, (kind, name, hint) in _ERROR_CODES.items()
        ),
        ErrorRule(error_class=ServerError),
    ]
)


def build_rpc_error(error: Any, method: str, url: str) -> CommunicationError:
    """The exception for the ``error`` of an answer.

    :param method: the JSON-RPC method.
    :param url: address of the call.
    """
    code = error.get("code") if isinstance(error, Mapping) else None
    if isinstance(code, bool) or not isinstance(code, int):
        return JetStreamDecodeError(f"{method} at {url}: an error without a code")
    means = _ERROR_TABLE.find_error_kwargs(200, str(code))
    data = error.get("data")
    told = data.get("type") if isinstance(data, Mapping) else None
    name = redact(told if isinstance(told, str) and told else means.get("code", str(code)))
    message = redacted_excerpt(error.get("message") or "")
    kind: Type[HTTPError] = ERRORS.class_for(means["kind"])
    return kind(
        f"{method}: {name}{': ' if message else ''}{message}",
        hint=means.get("hint"),
        status=200,
        code=name,
        message=message,
        method="POST",
        url=url,
        details=redact_json(dict(error)),
        retryable=False,
    )


def add_connect_hint(error: CommunicationError) -> CommunicationError:
    """The failure of a first contact, saying what an address like this may be."""
    never_reached = isinstance(error, NetworkError) and not error.may_have_been_processed
    elsewhere = isinstance(error, HTTPError) and error.status in (404, 405, 501)
    if isinstance(error, TLSError):
        return evolve_error(error, hint=f"{error.hint}; {CONNECT_HINT}")
    if isinstance(error, (NotAnHTTPServer, DecodeError)) or elsewhere:
        return evolve_error(error, hint=CONNECT_HINT)
    if isinstance(error, NetworkError) and not never_reached:
        return evolve_error(error, hint=error.own_hint or CONNECT_HINT)
    return error
