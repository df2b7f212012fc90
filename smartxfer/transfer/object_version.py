"""Check that all responses of one download are of the same version of the object."""

import threading
from typing import Optional

from smartxfer.errors import ChecksumMismatch, IntegrityError, SourceChanged

__all__ = ["ObjectVersionCheck"]


class ObjectVersionCheck:
    """Compares the versions in the responses of a server, such as ETags.

    The hosts of one service may return different versions for the same bytes.  If the digest of the object is
    known, a difference is only recorded, and the digest of all bytes decides.

    :param description: of the object, for messages.
    :param digest_known: whether the service publishes a digest.
    :param hint: hint of the error for a changed object.
    """

    def __init__(self, description: str, *, digest_known: bool, hint: Optional[str] = None) -> None:
        self._description = description
        self._digest_known = digest_known
        self._hint = hint
        self._lock = threading.Lock()
        self._first: Optional[object] = None
        self._differed = False

    @property
    def first(self) -> Optional[object]:
        """The version of the first response; None before that."""
        return self._first

    def check_version(self, version: Optional[object]) -> None:
        """Compare the version of a response with that of the first one.

        :raises SourceChanged: the version differs, and no digest is known.
        """
        with self._lock:
            if self._first is None:
                self._first = version
            differs = self._first != version
            self._differed = self._differed or differs
        if differs and not self._digest_known:
            raise self.build_changed_error()

    def build_changed_error(self) -> SourceChanged:
        """Return the error of an object that changed."""
        return SourceChanged(
            f"{self._description} changed on the server during the download", hint=self._hint
        )

    def build_mismatch_error(self, error: ChecksumMismatch) -> IntegrityError:
        """Return the error for a wrong digest; if the versions differed, the object was changed."""
        return self.build_changed_error() if self._differed else error
