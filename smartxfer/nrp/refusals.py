"""Refusals of a file after its start, and what may still be resumed after them.

Source: NRP / Invenio protocol, sections 3, 5 and 6.
"""

from smartxfer.errors import (
    Cancelled,
    CommunicationError,
    DeadlineExceeded,
    HTTPError,
    InProgress,
    RedirectRefused,
)

__all__ = ["nothing_to_resume"]

#: Refusals of the caller or of the moment, not of the file.
_NOT_ABOUT_THE_FILE = frozenset({401, 407, 408, 425, 429})
#: A run with the same settings would get it again, however much has arrived.
_TOO_LARGE = 413


def nothing_to_resume(error: BaseException, empty: bool) -> bool:
    """Return True if a later run could continue nothing of an entry, so that it only gets in the way.

    :param error: the failure of the upload.
    :param empty: whether no part of the file was acknowledged.
    """
    if isinstance(error, (Cancelled, DeadlineExceeded, InProgress)):
        return False
    if isinstance(error, HTTPError):
        if error.retryable or not 400 <= error.status < 500 or error.status in _NOT_ABOUT_THE_FILE:
            return False
        return empty or error.status == _TOO_LARGE
    if isinstance(error, CommunicationError):
        return empty and isinstance(error, RedirectRefused)
    return empty
