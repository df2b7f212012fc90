"""The attributes of the client that the methods shared by all clients use."""

from typing import Optional, Protocol

from smartxfer.smartfile.api import SmartFileApi
from smartxfer.transfer.progress import Progress
from smartxfer.transfer.protocols import Cancel
from smartxfer.transfer.runner import TransferRunner

__all__ = ["ClientProtocol"]


class ClientProtocol(Protocol):
    """The attributes of the client that the methods use."""

    _max_workers: int

    @property
    def _api(self) -> SmartFileApi:
        """The requests."""

    @property
    def _account_id(self) -> str:
        """Identifier of the account, for journals; it is not a secret."""

    def _new_runner(
        self,
        progress: Progress,
        cancel: Optional[Cancel],
        deadline: Optional[float],
        workers: Optional[int] = None,
    ) -> TransferRunner:
        """Return the runner of the engine for one public call."""
