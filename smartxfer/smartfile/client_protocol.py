"""The client as the verbs see it: a way to the server, operations, and who it is."""

from typing import Optional, Protocol

from smartxfer.smartfile.api import SmartFileApi
from smartxfer.transfer.progress import Progress
from smartxfer.transfer.protocols import Cancel
from smartxfer.transfer.runner import TransferRunner

__all__ = ["ClientProtocol"]


class ClientProtocol(Protocol):
    """The client, as far as the verbs need it."""

    _max_workers: int

    @property
    def _api(self) -> SmartFileApi:
        """The requests."""

    @property
    def _account_id(self) -> str:
        """Who it is, for the journals; no secret."""

    def _new_runner(
        self,
        progress: Progress,
        cancel: Optional[Cancel],
        deadline: Optional[float],
        workers: Optional[int] = None,
    ) -> TransferRunner:
        """Return the operation of the engine that runs one call of the user's."""
