"""The client as the verbs see it: a way to the server, operations, and who it is."""

from typing import Optional, Protocol

from smartxfer.smartfile.calls import Calls
from smartxfer.transfer.operation import Operation
from smartxfer.transfer.progress import Progress
from smartxfer.transfer.protocols import Cancel

__all__ = ["Account"]


class Account(Protocol):
    """The client, as far as the verbs need it."""

    _max_workers: int

    @property
    def _calls(self) -> Calls:
        """The requests."""

    @property
    def _account(self) -> str:
        """Who it is, for the journals; no secret."""

    def _operation(
        self,
        progress: Progress,
        cancel: Optional[Cancel],
        deadline: Optional[float],
        workers: Optional[int] = None,
    ) -> Operation:
        """Return the operation of the engine that runs one call of the user's."""
