"""Waiting for a file that the repository fetches.

Source: NRP / Invenio protocol, section 6, Fetch.
"""

from typing import Any, Callable

from smartxfer.nrp.api import RepositoryApi
from smartxfer.nrp.errors import RepositoryTaskFailed, RepositoryWaitTimeout
from smartxfer.nrp.models import File, FileStatus
from smartxfer.transport.polling import PollIntervals, poll
from smartxfer.transport.redaction import redacted_excerpt
from smartxfer.validation import validate_seconds

__all__ = ["wait_for_file"]

_POLL_DELAYS = PollIntervals(initial=0.1, maximum=10.0)
_FINAL_STATUSES = frozenset({FileStatus.COMPLETED, FileStatus.FAILED})


def wait_for_file(
    api: RepositoryApi, read_file: Callable[[], File], timeout: float, on_poll: Callable[[File], Any]
) -> File:
    """Poll the file until it is completed, and return it.

    :raises TaskFailed: the repository could not fetch it.
    :raises WaitTimeout: it is not completed in time.
    """

    def fetch() -> File:
        file = read_file()
        on_poll(file)
        return file

    file = poll(
        fetch,
        lambda file: file.status in _FINAL_STATUSES,
        timeout=validate_seconds(timeout, "timeout"),
        intervals=_POLL_DELAYS,
        clock=api.clock,
        sleep=api.sleep,
    )
    if file.status == FileStatus.COMPLETED:
        return file
    if file.status == FileStatus.FAILED:
        reason = redacted_excerpt(file.transfer.error or "no reason given")
        raise RepositoryTaskFailed(
            f"the repository could not fetch {file.key}: {reason}",
            hint="delete the file and upload it again; the repository does not retry",
            task=file,
            failures={file.key: reason},
        )
    raise RepositoryWaitTimeout(
        f"{file.key} is {file.status} after {timeout:.0f} s",
        hint="the repository continues the transfer; call wait_fetch() again",
        last=file,
    )
