"""The client as its methods in other modules see it."""

from typing import Any, Optional, Protocol

from smartxfer.filesender.calls import Calls
from smartxfer.filesender.guests import GuestsClient
from smartxfer.filesender.preparing import Site
from smartxfer.filesender.transfers import TransfersClient
from smartxfer.filesender.uploading import Width
from smartxfer.seams import Clock
from smartxfer.transfer.operation import Operation
from smartxfer.transfer.progress import Progress
from smartxfer.transfer.protocols import Cancel

__all__ = ["Account"]


class Account(Protocol):
    """The client, as far as its methods need it."""

    concurrent_files: Optional[int]
    _max_workers: int
    _clock: Clock

    @property
    def transfers(self) -> TransfersClient:
        """The user's transfers."""

    @property
    def guests(self) -> GuestsClient:
        """The user's vouchers."""

    @property
    def _calls(self) -> Calls:
        """The requests."""

    @property
    def _width(self) -> Width:
        """How much is sent at once."""

    def _ready(self, operation: Optional[Operation] = None) -> Site:
        """Have credentials and the site's limits; an operation watches the requests that this takes."""

    def _token_of(self, link: Any) -> str:
        """Return the token of a link to this client's own site."""

    def _threads_for(self, files: int) -> int:
        """Return the threads that so many files at a time take."""

    def _operation(
        self,
        progress: Progress,
        cancel: Optional[Cancel],
        deadline: Optional[float],
        workers: Optional[int] = None,
    ) -> Operation:
        """Return the operation of the engine that runs one call of the user's."""
