"""All exception classes of smartxfer.

The ``hint`` of an error says what the caller can do.  Errors have plain data as attributes, and can be
pickled.  Errors about local files are also ``OSError``, errors about arguments and settings ``ValueError``.
``LocalNotFound`` always means a local file.
"""

from typing import Any, Dict, Mapping, Optional, Sequence, Tuple, Type

from smartxfer.error_hints import HINTS
from smartxfer.terminal_text import escape_unprintable

__all__ = [
    "AlreadyInProgress", "AuthError", "BadRequest", "BatchError", "Cancelled", "ChecksumMismatch",
    "ClientError", "CommunicationError", "ConfigError", "Conflict", "ConnectTimeout", "CredentialError",
    "DeadlineExceeded", "DecodeError", "DeltaError", "DiskFull", "Forbidden", "HTTPError",
    "IntegrityError", "InvalidDraft", "LibrsyncNotFound", "LimitExceeded", "LocalError", "LocalNotFound",
    "LocalPermissionError", "Maintenance", "NetworkError", "NotAnHTTPServer", "NotFound",
    "OutcomeUnknown", "PasswordRequired", "ProxyError", "RangeMismatch", "RateLimited", "ReadTimeout",
    "RedirectRefused", "ReviewRequired", "ServerError", "SizeMismatch", "SmartxferError", "SourceChanged",
    "Stalled", "StorageError", "TLSError", "TargetExists", "TaskFailed", "TaskSuspended", "Throttled",
    "TooLarge", "Truncated", "UnexpectedResponse", "UnsafeName", "Unsupported", "UploadFailed",
    "UploadNotStored", "UploadPendingElsewhere", "UploadRejected", "UsageError", "WaitTimeout",
    "WrongPassword",
]  # fmt: skip


def _unpickle_error(cls: Type["SmartxferError"], message: str, data: Dict[str, Any]) -> "SmartxferError":
    return cls(message, **data)


class SmartxferError(Exception):
    """Base class of all exceptions that smartxfer raises.

    :param message: what happened, in one line.
    :param hint: what the caller can do about it, in one line.
    :param data: further attributes that the class documents, ``retryable`` and ``may_have_been_processed``.
    """

    #: What the caller can do: the hint of the class, unless the error was created with its own hint.
    hint: str = ""
    #: True if the same request may succeed later.
    retryable: bool = False
    #: True if the server may have processed the request.
    may_have_been_processed: bool = True

    def __init__(self, message: str = "", /, *, hint: Optional[str] = None, **data: Any) -> None:
        super().__init__(message)
        if hint is not None:
            self.hint = hint
        self.__dict__.update(data)

    @property
    def summary(self) -> str:
        """The message without the hint, safe to print on a terminal; ``args[0]`` is the exact text."""
        return escape_unprintable(str(self.args[0])) if self.args else ""

    @property
    def own_hint(self) -> str:
        """The hint that this error was made with; empty if it has the general one of its class."""
        return str(self.__dict__.get("hint", ""))

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        if cls.__module__ == __name__ and cls.__name__ in HINTS:
            cls.hint = HINTS[cls.__name__]

    def __str__(self) -> str:
        return f"{self.summary} ({escape_unprintable(self.hint)})" if self.hint else self.summary

    def __reduce__(self) -> Tuple[Any, ...]:
        data = dict(self.__dict__)
        if isinstance(self, OSError) and self.errno is not None:
            data["errno"] = self.errno
        return (_unpickle_error, (type(self), str(self.args[0]) if self.args else "", data))


# -- the caller's side ---------------------------------------------------------------------------------


class UsageError(SmartxferError, ValueError):
    """An invalid argument; nothing was sent."""


class ConfigError(SmartxferError, ValueError):
    """A configuration file or environment variable is missing or invalid."""


class CredentialError(SmartxferError):
    """Credentials are missing; the message lists every source that was searched."""


# -- the network ------------------------------------------------------------------------------------------


class CommunicationError(SmartxferError):
    """The communication with the server failed."""


class NetworkError(CommunicationError):
    """The connection failed or was lost; the request may succeed later."""

    retryable = True


class ConnectTimeout(NetworkError):
    """The connection was not established within the connect timeout."""

    may_have_been_processed = False


class ReadTimeout(NetworkError):
    """The server did not respond within the read timeout."""


class Stalled(NetworkError):
    """The transfer was slower than ``stall_speed`` of the retry policy over its ``stall_window``."""


class Truncated(NetworkError):
    """A response body ended early, after ``got`` of ``expected`` bytes."""

    got: Optional[int] = None
    expected: Optional[int] = None


class TLSError(NetworkError):
    """The TLS handshake or the certificate check failed."""

    retryable = may_have_been_processed = False


class ProxyError(NetworkError):
    """The proxy rejected the request or could not be reached."""

    retryable = may_have_been_processed = False


class DecodeError(CommunicationError):
    """The response does not follow the protocol, for example HTML instead of JSON, or too many bytes."""


class NotAnHTTPServer(DecodeError):
    """The server did not send a valid HTTP response."""


class RedirectRefused(CommunicationError):
    """A redirect was refused, because it would change the method, downgrade to http, or be one too many."""


class OutcomeUnknown(CommunicationError):
    """The response to a request that must not be repeated was lost: the object may exist on the server."""


class HTTPError(CommunicationError):
    """The server returned an error.

    ``status`` is the HTTP status, ``code`` the error code and ``message`` the message of the server.
    ``request_id`` identifies the request in the server's log.  ``method`` and ``url`` (without query) are
    those of the request.  ``retry_after`` is in seconds.  ``errors`` lists the invalid fields.
    """

    status: int = 0
    code: str = ""
    message: str = ""
    request_id: str = ""
    method: str = ""
    url: str = ""
    retry_after: Optional[float] = None
    details: Any = None
    errors: Sequence[Any] = ()


class UnexpectedResponse(HTTPError, DecodeError):
    """A response that the protocol does not document as success, although its status is below 400.

    It has another 2xx, 3xx or 1xx status, is an HTML page, or has an unexpected body.  The request counts as
    failed.
    """


class ClientError(HTTPError):
    """The request is invalid; repeating it does not help."""


class BadRequest(ClientError):
    """A parameter of the request is invalid."""


class LimitExceeded(ClientError):
    """The request exceeds a limit of the server (size, number, quota) or breaks its rules for names."""


class AuthError(ClientError):
    """The credentials are missing, invalid or expired."""


class Forbidden(AuthError):
    """The credentials are valid, but do not permit this request."""


class NotFound(ClientError):
    """The server has no such object."""


class Conflict(ClientError):
    """The state of the object does not permit this request."""


class TooLarge(ClientError):
    """The request body is larger than the server accepts."""


class Unsupported(ClientError):
    """The version of the server does not support the request."""


class ReviewRequired(ClientError):
    """Publishing needs approval.  ``request`` is the review request that exists, or that must be created."""

    request: Any = None


class StorageError(HTTPError):
    """The storage behind a presigned URL returned the error ``code``; ``expired``: the URL has expired."""

    expired: bool = False


class RateLimited(ClientError):
    """Too many requests were sent; ``retry_after`` is the number of seconds to wait."""

    retryable, may_have_been_processed = True, False


class Throttled(RateLimited, NetworkError):
    """The server rejected repeated requests as too frequent; ``retry_after`` is the seconds to wait."""


class ServerError(HTTPError):
    """The server failed; the request may succeed later."""

    retryable = True


class Maintenance(ServerError):
    """The site is under maintenance."""


# -- the bytes -----------------------------------------------------------------------------------------


class IntegrityError(SmartxferError):
    """The bytes are wrong; no file was stored under the final name."""


class ChecksumMismatch(IntegrityError):
    """The digest by ``algorithm`` is ``actual``, but the server published ``expected``."""

    algorithm: str = ""
    expected: str = ""
    actual: str = ""


class SizeMismatch(IntegrityError):
    """The size is ``actual`` bytes, but ``expected`` were announced."""

    expected: Optional[int] = None
    actual: Optional[int] = None


class RangeMismatch(IntegrityError):
    """The server sent another range than the requested one."""


class UploadRejected(IntegrityError):
    """The server accepted an upload that would reach no recipient, or that it does not store."""


class UploadNotStored(UploadRejected):
    """The server reported success, but did not store the file; ``errors`` are the reasons."""

    errors: Any = None
    file: Any = None


class WrongPassword(IntegrityError):
    """The data cannot be decrypted with this password, or is damaged."""


class SourceChanged(IntegrityError):
    """The file changed while it was being sent or downloaded."""


class DeltaError(IntegrityError):
    """A signature or delta is invalid, truncated, or refers to bytes outside its file."""


# -- the local machine ---------------------------------------------------------------------------------


class LocalError(SmartxferError, OSError):
    """An operation on a local file or directory failed; ``errno`` is the error number of the system."""

    def __init__(self, message: str = "", /, *, errno: Optional[int] = None, **data: Any) -> None:
        super().__init__(message, **data)
        if errno is not None:
            self.errno = errno


class LocalNotFound(LocalError, FileNotFoundError):
    """The local file or directory does not exist."""


class LocalPermissionError(LocalError, PermissionError):
    """This user may not read or write a local file or directory."""


class DiskFull(LocalError):
    """The disk is full; the part file is kept, and running the call again resumes the transfer."""


class UnsafeName(LocalError, ValueError):
    """A name cannot be used safely as a file name, or as a name on the server."""


class TargetExists(LocalError, FileExistsError):
    """A local file with other content has the name that the server chose; ``path`` is that file."""

    path: Any = None


class LibrsyncNotFound(LocalError):
    """The library librsync, which computes signatures and deltas, is not installed."""


class AlreadyInProgress(LocalError):
    """Another process is transferring the same file."""


class Cancelled(SmartxferError):
    """The caller, or its progress callback, stopped the transfer; running the call again resumes it."""


class DeadlineExceeded(SmartxferError):
    """The ``deadline=`` of the call passed; running the call again resumes the transfer."""


class WaitTimeout(SmartxferError):
    """The timeout of a wait passed before the object had the expected state; ``last`` is its last state."""

    last: Any = None


class TaskFailed(SmartxferError):
    """A task on the server failed entirely or in part; ``failures`` are the reasons by path."""

    task: Any = None
    failures: Mapping[str, str] = {}


class TaskSuspended(SmartxferError):
    """A task on the server was suspended before it was complete; ``task`` is its last state."""

    task: Any = None


class InvalidDraft(SmartxferError):
    """The server stored a draft without the fields in ``errors``; ``record`` is the stored draft."""

    errors: Sequence[Any] = ()
    record: Any = None


class UploadFailed(SmartxferError):
    """The service could not process the uploaded file; ``file`` is its record."""

    file: Any = None


class UploadPendingElsewhere(SmartxferError):
    """Another client is uploading the same content; ``file`` is the pending record."""

    file: Any = None


class BatchError(SmartxferError):
    """Some of several files failed; ``results`` contains every result, with ``.error`` for failed files."""

    results: Sequence[Any] = ()

    @property
    def errors(self) -> Sequence[BaseException]:
        """The exceptions of the failed files, in the order of the files."""
        return [result.error for result in self.results if result.error is not None]


class PasswordRequired(SmartxferError):
    """The transfer is end-to-end encrypted and needs a password, or was requested as an archive."""
