"""A running service and clients of it."""

from __future__ import annotations

from pathlib import Path
from typing import List

from tests.support.perseus_harness import PerseusHarness

#: What tests change of the configuration, as it is at first.
_PLAIN = {
    "upload_delay": 0.0, "compare_hash": True, "known": "409", "recreate_pending": False, "create_status": 200,
    "url_seconds": 3600, "signed_type": "", "echo_hash": True, "max_size": 0, "clock_offset": 0.0,
}  # fmt: skip


class PerseusServer(PerseusHarness):
    """A running service, empty for each test, and clients of it that retry without waits."""

    def __init__(self) -> None:
        super().__init__(Path())
        self._before = 0

    def empty(self) -> None:
        """Forget what the last test left."""
        self.server.clear_faults()
        self.site.configure(**_PLAIN)
        self._empty()
        self._before = len(self.site.requests)

    @property
    def calls(self) -> List[str]:
        """Return the requests of this test so far, a word for each."""
        seen = self.site.requests[self._before :]
        return [_word(method, path) for method, path, _ in seen]


def _word(method: str, path: str) -> str:
    if method == "POST":
        return "find" if path.endswith("/find") else "create"
    return {"PUT": "put", "DELETE": "delete"}[method]
