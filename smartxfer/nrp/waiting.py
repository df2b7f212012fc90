"""Waiting for a file that the repository fetches.

Source: NRP / Invenio protocol, section 6, Fetch.
"""

from typing import Any, Callable

from smartxfer.nrp.calls import Calls
from smartxfer.nrp.errors import RepositoryTaskFailed, RepositoryWaitTimeout
from smartxfer.nrp.models import File, FileStatus
from smartxfer.options import check_seconds
from smartxfer.transport.polling import Pauses, poll
from smartxfer.transport.redact import excerpt

__all__ = ["wait_for"]

_PAUSES = Pauses(first=0.1, longest=10.0)
_FINAL = frozenset({FileStatus.COMPLETED, FileStatus.FAILED})


def wait_for(calls: Calls, read: Callable[[], File], timeout: float, seen: Callable[[File], Any]) -> File:
    """Return the file once it is completed.

    :raises TaskFailed: the repository could not fetch it.
    :raises WaitTimeout: it is not completed in time.
    """

    def look() -> File:
        file = read()
        seen(file)
        return file

    file = poll(
        look,
        lambda file: file.status in _FINAL,
        seconds=check_seconds(timeout, "timeout"),
        pauses=_PAUSES,
        clock=calls.clock,
        pause=calls.pause,
    )
    if file.status == FileStatus.COMPLETED:
        return file
    if file.status == FileStatus.FAILED:
        reason = excerpt(file.transfer.error or "no reason given")
        raise RepositoryTaskFailed(
            f"{file.key} could not be fetched: {reason}",
            hint="delete it and upload it again: the repository does not try twice",
            task=file,
            failures={file.key: reason},
        )
    raise RepositoryWaitTimeout(
        f"{file.key} is {file.status} after {timeout:.0f} s",
        hint="the repository goes on by itself; wait again",
        last=file,
    )
