"""Translation of the exceptions of requests, urllib3, http.client and sockets to errors of this package.

The original exceptions are not chained, because their texts contain whole URLs with signatures and tokens.
"""

import errno
import http.client
import os
import re
import socket
from typing import Any, Dict, Iterator, Optional, Tuple, Type

import requests
import urllib3.exceptions as urllib3_errors

from smartxfer.errors import (
    CommunicationError,
    ConnectTimeout,
    DecodeError,
    LocalError,
    NetworkError,
    NotAnHTTPServer,
    ProxyError,
    ReadTimeout,
    SmartxferError,
    Stalled,
    TLSError,
    Truncated,
    UsageError,
)
from smartxfer.transport.connection import ProxyTunnelError
from smartxfer.transport.redaction import redact
from smartxfer.transport.response_reader import InvalidFraming
from smartxfer.transport.time_limits import TimeLimitExceeded

__all__ = ["NETWORK_EXCEPTIONS", "out_of_memory_error", "resolve_abort_error", "translate_exception"]

#: Exceptions that the libraries raise for a failed network operation.
NETWORK_EXCEPTIONS: Tuple[Type[BaseException], ...] = (
    requests.RequestException,
    urllib3_errors.HTTPError,
    http.client.HTTPException,
    OSError,
    UnicodeError,  # a header or an argument that cannot be encoded
    MemoryError,
)

_USAGE_EXCEPTIONS = (
    requests.exceptions.InvalidURL,
    requests.exceptions.MissingSchema,
    requests.exceptions.InvalidSchema,
    requests.exceptions.InvalidHeader,
    urllib3_errors.LocationValueError,
)
#: Errors of a response, although requests wraps them like errors of an argument.
_INVALID_RESPONSE_EXCEPTIONS = (InvalidFraming, urllib3_errors.InvalidHeader)
_EXCEPTION_TABLE: Tuple[Tuple[Tuple[Type[BaseException], ...], Type[CommunicationError]], ...] = (
    ((requests.exceptions.ProxyError, urllib3_errors.ProxyError), ProxyError),
    ((requests.exceptions.SSLError, urllib3_errors.SSLError), TLSError),
    ((requests.exceptions.ConnectTimeout, urllib3_errors.ConnectTimeoutError), ConnectTimeout),
    (
        (requests.exceptions.ReadTimeout, urllib3_errors.ReadTimeoutError, socket.timeout),
        ReadTimeout,
    ),
    ((urllib3_errors.IncompleteRead, http.client.IncompleteRead), Truncated),
    (
        (
            requests.exceptions.ContentDecodingError,
            urllib3_errors.DecodeError,
            requests.exceptions.InvalidJSONError,
        ),
        DecodeError,
    ),
)
_GATEWAY_HINT = "report it to the operator of the server: the server or a gateway in front of it is broken"
_TIME_LIMIT_HINT = (
    "check the connection, or set the limits with RetryPolicy(budget=, stall_speed=, stall_window=)"
)
_UNRESOLVED_HINT = "check the spelling of the host in the base URL, and the network's name server"
_REFUSED_HINT = "check host and port of the base URL: no server accepts connections there"
_SCHEME_HINT = (
    "check scheme and port of the base URL: the server does not speak https on this port; use http://"
)
#: Messages of OpenSSL for bytes that are not TLS; the text depends on its version.
_NOT_TLS = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "HTTP_REQUEST", "UNKNOWN_PROTOCOL")
#: Prefix of urllib3's messages: the connection or the pool.
_URLLIB3_PREFIX = re.compile(r"\A(?:\w+\(host=[^()]*, port=\w+\)|<[\w.]+ object at \w+>): ")
#: Responses that do not begin like HTTP; compared by exact class, because RemoteDisconnected is a subclass of
#: the first.
_NOT_HTTP_EXCEPTIONS = (http.client.BadStatusLine, http.client.UnknownProtocol)
#: Messages of urllib3 if no socket can be created.
_NO_DESCRIPTORS_MESSAGES = (os.strerror(errno.EMFILE), os.strerror(errno.ENFILE))
_NEVER_SENT_EXCEPTIONS = (urllib3_errors.NewConnectionError, urllib3_errors.NameResolutionError)


def translate_exception(
    error: BaseException, description: str, ignore_context: Optional[BaseException] = None
) -> SmartxferError:
    """Return the error of this package for an exception of a library.

    :param description: the request without its query, such as ``"PUT https://host/path"``.
    :param ignore_context: the exception that the caller was handling when it made the request.  Python makes
        it the context of the failure, although it is unrelated.
    """
    chain = list(_iter_chain(error, ignore_context))
    for link in chain:
        if isinstance(link, SmartxferError):  # raised by a request body while urllib3 was sending it
            return link
    if any(isinstance(link, _INVALID_RESPONSE_EXCEPTIONS) for link in chain):
        return DecodeError(f"{description}: invalid response: {_describe_chain(chain)}", hint=_GATEWAY_HINT)
    if any(isinstance(link, MemoryError) for link in chain):
        return out_of_memory_error()
    if isinstance(error, UnicodeError):
        return UsageError(
            f"{description}: text in the request cannot be encoded: {error}",
            hint="pass text that can be encoded as UTF-8 and, in headers, as Latin-1",
        )
    if any(isinstance(link, _USAGE_EXCEPTIONS) for link in chain):
        return UsageError(
            f"{description}: {_describe_chain(chain)}",
            hint="check the base URL and the arguments of the call",
        )
    return _connection_error(chain, description)


def _connection_error(chain: "list[BaseException]", description: str) -> CommunicationError:
    """Return the error for a broken connection or a response that is not HTTP."""
    unsent = any(isinstance(link, _NEVER_SENT_EXCEPTIONS) for link in chain)
    no_tunnel = any(isinstance(link, ProxyTunnelError) for link in chain)
    if any(isinstance(link, TimeLimitExceeded) for link in chain):
        return Stalled(
            f"{description}: {_describe_chain(chain)}",
            hint=_TIME_LIMIT_HINT,
            may_have_been_processed=not (unsent or no_tunnel),
        )
    for kinds, ours in _EXCEPTION_TABLE:
        if ours is ProxyError and not (unsent or no_tunnel) and _broke_behind_proxy(chain):
            continue  # urllib3 reports every failure behind a proxy as one of the proxy
        if unsent and ours is ConnectTimeout:  # urllib3 derives "refused" from its connect time-out
            continue
        if any(isinstance(link, kinds) for link in chain):
            again = ours.retryable or no_tunnel
            hint = _SCHEME_HINT if ours is TLSError and _is_not_tls(chain) else None
            counts = _body_counts(chain)
            reason = "the response ended after {got} of {expected} bytes".format(**counts) if counts else ""
            message = f"{description}: {reason or _describe_chain(chain)}"
            return ours(message, hint=hint, retryable=again, **counts)
    if any(type(link) in _NOT_HTTP_EXCEPTIONS for link in chain):
        return NotAnHTTPServer(f"{description}: the server did not send a valid HTTP response")
    ended = any(isinstance(link, requests.exceptions.ChunkedEncodingError) for link in chain)
    if ended and not any(isinstance(link, ConnectionError) for link in chain):
        return Truncated(f"{description}: {_describe_chain(chain)}")
    exhausted = any(text in str(link) for link in chain for text in _NO_DESCRIPTORS_MESSAGES)
    hint = "raise the limit of open files (ulimit -n), or pass a smaller max_workers=" if exhausted else None
    if any(isinstance(link, urllib3_errors.NameResolutionError) for link in chain):
        hint = _UNRESOLVED_HINT
    elif _describe_chain(chain) == os.strerror(errno.ECONNREFUSED):
        hint = _REFUSED_HINT
    message = f"{description}: {_describe_chain(chain)}"
    return NetworkError(message, hint=hint, may_have_been_processed=not unsent)


def _is_not_tls(chain: "list[BaseException]") -> bool:
    """Return True if the response to a TLS handshake was not TLS."""
    return any(getattr(link, "reason", None) in _NOT_TLS for link in chain)


def out_of_memory_error() -> LocalError:
    """Return the error for a MemoryError."""
    return LocalError(
        "this process has not enough memory for the transfer",
        hint="pass max_workers=1 to the client, or raise the limit (`ulimit -v`, the job's memory)",
        errno=errno.ENOMEM,
    )


def resolve_abort_error(
    abort_error: SmartxferError, description: str, error: SmartxferError
) -> SmartxferError:
    """Return the error of an attempt that another thread aborted.

    :param abort_error: the reason that the other thread gave.
    :param error: the failure of the network operation that followed.
    """
    if isinstance(abort_error, Stalled):  # created without knowledge of the request
        return Stalled(
            f"{description}: {abort_error.summary}",
            hint=abort_error.hint,
            may_have_been_processed=error.may_have_been_processed,
        )
    return abort_error


def _broke_behind_proxy(chain: "list[BaseException]") -> bool:
    """Return True if the connection broke when the proxy may have received the request."""
    broken = (ConnectionError, http.client.HTTPException, socket.timeout, urllib3_errors.ReadTimeoutError)
    return any(isinstance(link, broken) for link in chain)


def _body_counts(chain: "list[BaseException]") -> Dict[str, Any]:
    """Return the received and the expected bytes of a body, if urllib3 reports them."""
    for link in chain:
        if isinstance(link, urllib3_errors.IncompleteRead) and link.expected is not None:
            return {"got": link.partial, "expected": link.partial + link.expected}
    return {}


def _iter_chain(
    error: Optional[BaseException], ignore_context: Optional[BaseException]
) -> Iterator[BaseException]:
    """Yield ``error`` and the exceptions that it wraps, outermost first."""
    visited = {id(ignore_context)}
    pending = [error]
    while pending:
        link = pending.pop(0)
        if link is None or id(link) in visited:
            continue
        visited.add(id(link))
        yield link
        pending.append(getattr(link, "reason", None) if _has_exception(link, "reason") else None)
        pending.extend(part for part in link.args if isinstance(part, BaseException))
        pending.append(link.__cause__ or (None if link.__suppress_context__ else link.__context__))


def _has_exception(link: BaseException, name: str) -> bool:
    return isinstance(getattr(link, name, None), BaseException)


def _describe_chain(chain: "list[BaseException]") -> str:
    """Return the text of the innermost exception that has one."""
    for link in reversed(chain):
        text = _URLLIB3_PREFIX.sub("", str(link.args[-1] if link.args else "").strip())
        if isinstance(link, OSError) and link.strerror:
            text = link.strerror
        if text:
            return redact(text)
    return type(chain[0]).__name__
