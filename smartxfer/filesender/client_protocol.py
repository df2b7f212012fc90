"""The client as its methods in other modules see it."""

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
    def _api(self) -> FileSenderApi:
        """The requests."""

    @property
    def _concurrency(self) -> Concurrency:
        """How much is sent at once."""

    def _ensure_prepared(self, runner: Optional[TransferRunner] = None) -> SiteSettings:
        """Have credentials and the site's limits; an operation watches the requests that this takes."""

    def _extract_token(self, link: Any) -> str:
        """Return the token of a link to this client's own site."""

    def _thread_count(self, files: int) -> int:
        """Return the threads that so many files at a time take."""

    def _new_runner(
        self,
        progress: Progress,
        cancel: Optional[Cancel],
        deadline: Optional[float],
        workers: Optional[int] = None,
    ) -> TransferRunner:
        """Return the operation of the engine that runs one call of the user's."""
