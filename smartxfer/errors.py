"""Every exception of smartxfer, and nothing else.

Each class tells what the caller can do, in ``hint``, too.  They carry plain data as attributes, survive
pickling, and derive from built-in classes (``OSError``, ``ValueError``).  LocalNotFound is a local file.
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
    """Root of every exception that smartxfer raises.

    :param message: what happened, in one line.
    :param hint: what the caller can do about it, in one line.
    :param data: further attributes, named by each class; also ``retryable`` and ``may_have_been_processed``.
    """

    #: What to do about it: a general hint of the class, unless the error was made with one of its own.
    hint: str = ""
    #: Whether the same request may succeed when it is made again.
    retryable: bool = False
    #: Whether the server may have acted on the request.
    may_have_been_processed: bool = True

    def __init__(self, message: str = "", /, *, hint: Optional[str] = None, **data: Any) -> None:
        super().__init__(message)
        if hint is not None:
            self.hint = hint
        self.__dict__.update(data)

    @property
    def summary(self) -> str:
        """What happened, without the hint, fit for a terminal; ``args[0]`` is the exact text."""
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
    """A wrong argument, found before anything was sent."""


class ConfigError(SmartxferError, ValueError):
    """A configuration file or environment variable that cannot be used."""


class CredentialError(SmartxferError):
    """No credentials for a request that needs them; the message lists every place looked at."""


# -- the wire ------------------------------------------------------------------------------------------


class CommunicationError(SmartxferError):
    """Talking to the server failed."""


class NetworkError(CommunicationError):
    """The connection could not be made, or broke; trying again later may help."""

    retryable = True


class ConnectTimeout(NetworkError):
    """No connection within the connect time-out."""

    may_have_been_processed = False


class ReadTimeout(NetworkError):
    """The server did not answer within the read time-out."""


class Stalled(NetworkError):
    """Bytes moved slower than the policy's stall speed over its stall window."""


class Truncated(NetworkError):
    """A body ended early: ``got`` bytes of ``expected``."""

    got: Optional[int] = None
    expected: Optional[int] = None


class TLSError(NetworkError):
    """The TLS handshake or the certificate check failed."""

    retryable = may_have_been_processed = False


class ProxyError(NetworkError):
    """The proxy refused or could not be reached."""

    retryable = may_have_been_processed = False


class DecodeError(CommunicationError):
    """An answer that is not what the protocol promises (HTML for JSON, a wrong type, too large)."""


class NotAnHTTPServer(DecodeError):
    """What listens there answers, but not in HTTP."""


class RedirectRefused(CommunicationError):
    """A redirect that would change the method, downgrade to http, or go round in circles."""


class OutcomeUnknown(CommunicationError):
    """The answer to a request that must not be repeated was lost: its object may exist on the server."""


class HTTPError(CommunicationError):
    """The server answered with an error.

    ``status`` is the HTTP status, ``code`` the server's word for it, ``request_id`` what its log knows it by,
    ``method`` and ``url`` (no query) the request, ``retry_after`` seconds, ``errors`` what is wrong where.
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
    """An answer that the protocol does not document as success, though its status is below 400.

    Another 2xx, a 3xx, a 1xx, a proxy's page, or a body where none was expected.  Nothing counts as done.
    """


class ClientError(HTTPError):
    """The request is wrong as it stands; repeating it changes nothing."""


class BadRequest(ClientError):
    """A malformed or refused parameter."""


class LimitExceeded(ClientError):
    """A limit of the server (size, number, quota, name rule) stands against the request."""


class AuthError(ClientError):
    """The credentials are missing, wrong or expired."""


class Forbidden(AuthError):
    """The credentials are good, but not for this."""


class NotFound(ClientError):
    """The server has no such object."""


class Conflict(ClientError):
    """The object's state does not allow this."""


class TooLarge(ClientError):
    """The body is larger than the server takes."""


class Unsupported(ClientError):
    """The server's version does not have the method."""


class ReviewRequired(ClientError):
    """It is not published without somebody's consent; ``request`` is what was opened or has to be."""

    request: Any = None


class StorageError(HTTPError):
    """The storage behind a presigned address refused, for ``code``; ``expired``: the address is dead."""

    expired: bool = False


class RateLimited(ClientError):
    """Too many requests; ``retry_after`` says when to come back."""

    retryable, may_have_been_processed = True, False


class Throttled(RateLimited, NetworkError):
    """The server refused to act so soon, again and again; ``retry_after`` says when to come back."""


class ServerError(HTTPError):
    """The server failed; trying again later may help."""

    retryable = True


class Maintenance(ServerError):
    """The site is under maintenance."""


# -- the bytes -----------------------------------------------------------------------------------------


class IntegrityError(SmartxferError):
    """The bytes are not what they should be; nothing was kept under the final name."""


class ChecksumMismatch(IntegrityError):
    """``algorithm`` gave ``actual`` where ``expected`` was promised."""

    algorithm: str = ""
    expected: str = ""
    actual: str = ""


class SizeMismatch(IntegrityError):
    """``actual`` bytes where ``expected`` were promised."""

    expected: Optional[int] = None
    actual: Optional[int] = None


class RangeMismatch(IntegrityError):
    """The server sent another range than the one asked for."""


class UploadRejected(IntegrityError):
    """The server accepted an upload that would reach no recipient, or that it does not keep."""


class UploadNotStored(UploadRejected):
    """The server answered well and took nothing all the same; ``errors`` says why, ``file`` is its answer."""

    errors: Any = None
    file: Any = None


class WrongPassword(IntegrityError):
    """What is encrypted does not open with this password, or is damaged."""


class SourceChanged(IntegrityError):
    """A file changed while it was being sent or fetched."""


class DeltaError(IntegrityError):
    """A signature or delta that is none, is cut short, or points outside the file it is for."""


# -- the local machine ---------------------------------------------------------------------------------


class LocalError(SmartxferError, OSError):
    """A local file or directory stands in the way; ``errno`` is the system's number for why."""

    def __init__(self, message: str = "", /, *, errno: Optional[int] = None, **data: Any) -> None:
        super().__init__(message, **data)
        if errno is not None:
            self.errno = errno


class LocalNotFound(LocalError, FileNotFoundError):
    """There is no such local file or directory."""


class LocalPermissionError(LocalError, PermissionError):
    """This user may not read or write a local file or directory."""


class DiskFull(LocalError):
    """No space left; what is there is kept, so that a re-run goes on."""


class UnsafeName(LocalError, ValueError):
    """A name from a server (or for one) that cannot be used safely."""


class TargetExists(LocalError, FileExistsError):
    """Another file has the name that the server chose; ``path`` is that file."""

    path: Any = None


class LibrsyncNotFound(LocalError):
    """There is no librsync on this machine to make signatures and deltas with."""


class AlreadyInProgress(LocalError):
    """Another process is at work on the same target."""


class Cancelled(SmartxferError):
    """The caller (or its progress callback) stopped the transfer; a re-run goes on."""


class DeadlineExceeded(SmartxferError):
    """The call's ``deadline=`` passed; a re-run goes on."""


class WaitTimeout(SmartxferError):
    """A wait ended before the awaited state came; ``last`` is the last structure seen."""

    last: Any = None


class TaskFailed(SmartxferError):
    """A task on the server failed, in whole or part; ``failures`` says why by path, ``task`` is the task."""

    task: Any = None
    failures: Mapping[str, str] = {}


class TaskSuspended(SmartxferError):
    """A task on the server was suspended before it was done; ``task`` is its last state."""

    task: Any = None


class InvalidDraft(SmartxferError):
    """The server keeps a draft without the fields in ``errors``; ``record`` is what it keeps."""

    errors: Sequence[Any] = ()
    record: Any = None


class UploadFailed(SmartxferError):
    """The service could not take in what was sent; ``file`` is its record."""

    file: Any = None


class UploadPendingElsewhere(SmartxferError):
    """A record of the same content waits for bytes that somebody else promised; ``file`` is it."""

    file: Any = None


class BatchError(SmartxferError):
    """Some of several files failed; ``results`` holds every file's result, failed ones with ``.error``."""

    results: Sequence[Any] = ()

    @property
    def errors(self) -> Sequence[BaseException]:
        """The exceptions of the failed files, in the order of the files."""
        return [result.error for result in self.results if result.error is not None]


class PasswordRequired(SmartxferError):
    """The transfer is end-to-end encrypted, and there is no password (or an archive of it was wanted)."""
