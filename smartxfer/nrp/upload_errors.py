"""Refusals of a file after its start, and what may still be resumed after them.

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

#: Refusals of the caller or of the moment, not of the file.
_TRANSIENT_OR_AUTH_STATUSES = frozenset({401, 407, 408, 425, 429})
#: A run with the same settings would get it again, however much has arrived.
_CONTENT_TOO_LARGE = 413


def is_unresumable(error: BaseException, nothing_sent: bool) -> bool:
    """Return True if a later run could continue nothing of an entry, so that it only gets in the way.

    :param error: the failure of the upload.
    :param nothing_sent: whether no part of the file was acknowledged.
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
