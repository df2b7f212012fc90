"""Check that all answers of one download are about one state of the object."""

import threading
from typing import Optional

from smartxfer.errors import ChecksumMismatch, IntegrityError, SourceChanged

__all__ = ["ObjectVersionCheck"]


class ObjectVersionCheck:
    """Compares the states that a server's answers name, such as ETags.

    The machines of one service may name different states for the same bytes.  Where the digest of the object
    is known, a difference is only noted: the digest of all bytes decides.

    :param description: the object, for messages.
    :param digest_known: whether the service promises a digest.
    :param hint: what to do where the object changed.
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
        """The first state that an answer named; None before that."""
        return self._first

    def check_version(self, version: Optional[object]) -> None:
        """Compare the state of one answer with that of the first.

        :raises SourceChanged: it is another one, and no digest is known.
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
            f"{self._description} changed on the server while it was fetched", hint=self._hint
        )

    def build_mismatch_error(self, error: ChecksumMismatch) -> IntegrityError:
        """Return the error for a wrong digest: the object changed where its states differed, too."""
        return self.build_changed_error() if self._differed else error
