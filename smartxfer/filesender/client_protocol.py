"""Interface of the client that its methods in other modules use."""

from typing import Any, Optional, Protocol

from smartxfer._system import Clock
from smartxfer.filesender.client_setup import SiteSettings
from smartxfer.filesender.guests import GuestsClient
from smartxfer.filesender.rest_api import FileSenderApi
from smartxfer.filesender.transfers import TransfersClient
from smartxfer.filesender.upload import Concurrency
from smartxfer.transfer.progress import Progress
from smartxfer.transfer.protocols import Cancel
from smartxfer.transfer.runner import TransferRunner

__all__ = ["ClientProtocol"]


class ClientProtocol(Protocol):
    """The attributes and methods of the client that its methods in other modules use."""

    concurrent_files: Optional[int]
    _max_workers: int
    _clock: Clock

    @property
    def transfers(self) -> TransfersClient:
        """The user's transfers."""

    @property
    def guests(self) -> GuestsClient:
        """The user's guest vouchers."""

    @property
    def _api(self) -> FileSenderApi:
        """The REST API of the site."""

    @property
    def _concurrency(self) -> Concurrency:
        """The numbers of files and chunks that are sent concurrently."""

    def _ensure_prepared(self, runner: Optional[TransferRunner] = None) -> SiteSettings:
        """Load the site's limits and check that there are credentials.

        :param runner: sends the requests, so that its cancellation and deadline apply to them.
        """

    def _extract_token(self, link: Any) -> str:
        """Return the token of a link to this client's site."""

    def _thread_count(self, files: int) -> int:
        """Return the number of threads for this number of concurrent files."""

    def _new_runner(
        self,
        progress: Progress,
        cancel: Optional[Cancel],
        deadline: Optional[float],
        workers: Optional[int] = None,
    ) -> TransferRunner:
        """Return the runner for one call of a public method."""
