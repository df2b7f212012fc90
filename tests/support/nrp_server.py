"""A running repository and clients of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Dict

from tests.support.nrp_harness import NRPHarness


class NRPServer(NRPHarness):
    """A running repository with the limits of a stock one, and clients with the time-outs of plain ones."""

    defaults: ClassVar[Dict[str, Any]] = {}

    def __init__(self, **options: Any) -> None:
        super().__init__(Path(), **options)

    def client(self, url: Any = None, **options: Any) -> Any:
        """Return a new client, of the first user by default, that retries without waits."""
        return super().client(url, **{"timeout": (15.0, 60.0), **options})
