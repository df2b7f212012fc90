"""The general hints: what a caller can do about an error that was made without a hint of its own."""

from typing import Dict

__all__ = ["HINTS"]

#: By name of the class; a class without a hint here has that of its base class.
HINTS: Dict[str, str] = {
    "NetworkError": "check the network and run again: a transfer continues where it stopped",
    "ConnectTimeout": "check host, port and firewall, or wait longer: timeout=(60, 60)",
    "ReadTimeout": "run again, or wait longer: timeout=(15, 300)",
    "Stalled": "run again, or allow a slower line: RetryPolicy(stall_speed=, stall_window=)",
    "Truncated": "run again; if it happens again, tell the administrator of the server or of the proxy",
    "TLSError": (
        "pass verify='/path/to/ca.pem' (or set REQUESTS_CA_BUNDLE) for a private certificate "
        "authority, cert= where the server asks for a certificate"
    ),
    "ProxyError": "check proxies=, HTTPS_PROXY and NO_PROXY",
    "DecodeError": "check that the base URL is that of the service, not of a login page or a proxy",
    "NotAnHTTPServer": "check scheme and port of the base URL: it may be that of https or of another service",
    "RedirectRefused": "check the base URL, or ask the administrator of the server where it has moved",
    "OutcomeUnknown": "look on the server whether it exists before you run again",
    "UnexpectedResponse": (
        "check that the base URL is the service's own: a login page or a proxy may answer in its place"
    ),
    "ClientError": "correct the request as the message says; to repeat it changes nothing",
    "BadRequest": "correct the parameter that the message names; error.details has the server's answer",
    "LimitExceeded": "send less, or ask the administrator of the server for a higher limit",
    "AuthError": "check the credentials: client.explain_credentials() shows where they were found",
    "Forbidden": "use an account with access, or ask the owner for it",
    "NotFound": "check the name or the id: the object may be deleted, or never have existed",
    "Conflict": "read the present state of the object, then run again",
    "TooLarge": "send smaller files or parts: the server, or a proxy, limits the size of a request",
    "Unsupported": "do without this method, or have the server updated",
    "ReviewRequired": "call publish(draft, submit=True) to ask for a review",
    "StorageError": "see error.code; if it happens again, tell the administrator and quote the request id",
    "RateLimited": "run again after error.retry_after seconds, with fewer requests at a time: max_workers=1",
    "ServerError": "run again later; if it happens again, tell the administrator of the server",
    "Maintenance": "run again when the maintenance is over: the transfer continues",
    "IntegrityError": "run again; if it happens again, tell the administrator of the server",
    "WrongPassword": "check password=; the sender chose it",
    "SourceChanged": "wait until nothing writes to it, then run again",
    "DeltaError": "make the signature or the delta again",
    "LocalNotFound": "check the path; a relative one begins at the working directory",
    "LocalPermissionError": "change its permissions (chmod, chown), or run as another user",
    "DiskFull": "free some space and run again: the transfer is resumed",
    "UnsafeName": "choose a name yourself, or another directory",
    "TargetExists": 'pass exists="replace", "skip" or "rename" (on the command line: --exists)',
    "LibrsyncNotFound": (
        "install it (Debian: librsync2, macOS: brew install librsync), or name it in SMARTXFER_LIBRSYNC"
    ),
    "AlreadyInProgress": "wait for the other process to end",
    "Cancelled": "run again to continue",
    "DeadlineExceeded": "run again to continue, or pass a later deadline=",
    "WaitTimeout": "wait again, with a larger timeout=",
    "TaskFailed": "see error.failures and error.task, and run again for what failed",
    "TaskSuspended": "resume the task, or run again",
    "InvalidDraft": "correct the fields in error.errors, and update the draft error.record",
    "UploadFailed": "upload the file again",
    "UploadPendingElsewhere": "wait until it is uploaded, or pass repair=True",
    "BatchError": "see error.results; run again for what is missing",
    "PasswordRequired": "pass password=, which the sender chose",
}
