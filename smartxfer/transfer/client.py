"""What clients that move files have on top of what all clients have."""

import math
from typing import Optional

from smartxfer.client import ServiceClient
from smartxfer.options import check_seconds
from smartxfer.transfer.operation import Operation
from smartxfer.transfer.progress import Progress
from smartxfer.transfer.protocols import Cancel

__all__ = ["TransferClient"]


class TransferClient(ServiceClient):
    """A :class:`~smartxfer.client.ServiceClient` whose calls run in the engine."""

    @property
    def _threads(self) -> int:
        """Most threads of one call."""
        return self._max_workers

    def _operation(
        self, progress: Progress, cancel: Optional[Cancel], deadline: Optional[float]
    ) -> Operation:
        """One call of the user's, as the engine runs it.

        :raises UsageError: the deadline is not a number.
        """
        if deadline is not None:  # one in the past is over at once
            deadline = check_seconds(deadline, "deadline", least=-math.inf)
        return Operation(
            policy=self._retry,
            workers=self._threads,
            clock=self._clock,
            cancel=cancel,
            deadline=deadline,
            progress=progress,
            limits=self._limits,
        )
