"""General hints of the error classes: what the caller can do about an error that has no hint of its own."""

from typing import Dict

__all__ = ["BASE_URL_HINT", "HINTS", "HTTPS_HINT", "PROTOCOL_HINT", "PROXY_ENCODING_HINT"]

#: A response that is not from the service.
BASE_URL_HINT = "check that the base URL is that of the service, not of a login page or a proxy"
#: A response of the service that contradicts its protocol.
PROTOCOL_HINT = "update smartxfer; if it happens again, report it: the service may have changed its API"
#: A response whose Content-Encoding the client did not request.
PROXY_ENCODING_HINT = "ask the administrator of the server or proxy not to compress these responses"
#: An upload URL that would send the content unencrypted.
HTTPS_HINT = "ask the administrator of the server to create upload URLs with https"

#: By name of the class; a class without a hint here has that of its base class.
HINTS: Dict[str, str] = {
    "NetworkError": "check the network and run again: a transfer continues where it stopped",
    "ConnectTimeout": "check host, port and firewall, or wait longer: timeout=(60, 60)",
    "ReadTimeout": "run again, or wait longer: timeout=(15, 300)",
    "Stalled": "run again, or allow slower connections: retry=RetryPolicy(stall_speed=..., stall_window=...)",
    "Truncated": "run again; if it happens again, tell the administrator of the server or of the proxy",
    "TLSError": (
        "pass verify='/path/to/ca.pem' (or set REQUESTS_CA_BUNDLE) for a private certificate "
        "authority, or cert= if the server requires a client certificate"
    ),
    "ProxyError": "check proxies=, HTTPS_PROXY and NO_PROXY",
    "DecodeError": PROTOCOL_HINT,
    "NotAnHTTPServer": "check scheme and port of the base URL: it may be that of https or of another service",
    "RedirectRefused": "check the base URL, or ask the administrator of the server for the new one",
    "OutcomeUnknown": "check on the server whether the object exists before you run again",
    "UnexpectedResponse": BASE_URL_HINT,
    "ClientError": "correct the request as the message says; the same request would fail again",
    "BadRequest": "correct the parameter that the message names; error.details has the server's response",
    "LimitExceeded": "send less, or ask the administrator of the server for a higher limit",
    "AuthError": "check the credentials: client.explain_credentials() shows where they were found",
    "Forbidden": "ask the owner for access, or use an account that has it",
    "NotFound": "check the name or the id: the object was deleted, or never existed",
    "Conflict": "fetch the current state of the object, then run again",
    "TooLarge": "send smaller files or parts: the server, or a proxy, limits the size of a request",
    "Unsupported": "use another method, or ask the administrator to update the server",
    "ReviewRequired": "call publish(draft, submit=True) to ask for a review",
    "StorageError": "see error.code; if it happens again, tell the administrator and quote the request id",
    "RateLimited": "run again after error.retry_after seconds, with fewer concurrent requests: max_workers=1",
    "ServerError": "run again later; if it happens again, tell the administrator of the server",
    "Maintenance": "run again when the maintenance is over: the transfer continues",
    "IntegrityError": "run again; if it happens again, tell the administrator of the server",
    "WrongPassword": "check password=; the sender chose it",
    "SourceChanged": "wait until nothing writes to it, then run again",
    "DeltaError": "create the signature and the delta again",
    "LocalNotFound": "check the path; a relative path begins at the working directory",
    "LocalPermissionError": "change its permissions (chmod, chown), or run as another user",
    "DiskFull": "free some space and run again: the transfer is resumed",
    "UnsafeName": "pass a target path with a name of your own, or another directory",
    "TargetExists": 'pass exists="replace", "skip" or "rename" (on the command line: --exists)',
    "LibrsyncNotFound": (
        "install it (Debian: librsync2, macOS: brew install librsync), or set SMARTXFER_LIBRSYNC to its path"
    ),
    "AlreadyInProgress": "wait for the other process to end",
    "Cancelled": "run again to continue",
    "DeadlineExceeded": "run again to continue, or pass a later deadline=",
    "WaitTimeout": "wait again, with a larger timeout=",
    "TaskFailed": "see error.failures and error.task, and run again for the parts that failed",
    "TaskSuspended": "resume the task, or run again",
    "InvalidDraft": "correct the fields in error.errors, and update the draft error.record",
    "UploadFailed": "upload the file again",
    "UploadPendingElsewhere": "wait until it is uploaded, or pass repair=True",
    "BatchError": "see error.results, and run again for the files that failed",
    "PasswordRequired": "pass password=, which the sender chose",
}
