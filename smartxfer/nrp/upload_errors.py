"""Classification of upload errors by whether a later run can resume the upload.

Source: NRP / Invenio protocol, sections 3, 5 and 6.
"""

from smartxfer.errors import (
    AlreadyInProgress,
    Cancelled,
    CommunicationError,
    DeadlineExceeded,
    HTTPError,
    RedirectRefused,
)

__all__ = ["is_unresumable"]

#: Errors that are not caused by the file.
_TRANSIENT_OR_AUTH_STATUSES = frozenset({401, 407, 408, 425, 429})
#: A later run with the same parameters would get this error again, even if parts have arrived.
_CONTENT_TOO_LARGE = 413


def is_unresumable(error: BaseException, nothing_sent: bool) -> bool:
    """Return True if a later run cannot resume the upload, and the pending entry should be deleted.

    :param error: the error of the upload.
    :param nothing_sent: True if no part of the file was acknowledged.
    """
    if isinstance(error, (Cancelled, DeadlineExceeded, AlreadyInProgress)):
        return False
    if isinstance(error, HTTPError):
        if error.retryable or not 400 <= error.status < 500 or error.status in _TRANSIENT_OR_AUTH_STATUSES:
            return False
        return nothing_sent or error.status == _CONTENT_TOO_LARGE
    if isinstance(error, CommunicationError):
        return nothing_sent and isinstance(error, RedirectRefused)
    return nothing_sent
