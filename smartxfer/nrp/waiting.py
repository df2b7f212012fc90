"""Waiting for a file that the repository fetches.

Source: NRP / Invenio protocol, section 6, Fetch.
"""

from typing import Any, Callable

from smartxfer.errors import TaskFailed, WaitTimeout
from smartxfer.nrp.calls import Calls
from smartxfer.nrp.models import File, FileStatus
from smartxfer.options import check_seconds
from smartxfer.transport.redact import excerpt

__all__ = ["wait_for"]

#: The first look comes after this many seconds, each later one after twice as many, up to the second.
_POLLS = (0.1, 10.0)


def wait_for(calls: Calls, read: Callable[[], File], timeout: float, seen: Callable[[File], Any]) -> File:
    """The file, once it is completed."""
    ends = calls.clock.monotonic() + check_seconds(timeout, "timeout")
    wait, longest = _POLLS
    while True:
        file = read()
        seen(file)
        if file.status == FileStatus.COMPLETED:
            return file
        if file.status == FileStatus.FAILED:
            reason = excerpt(file.transfer.error or "no reason given")
            raise TaskFailed(
                f"{file.key} could not be fetched: {reason}",
                hint="delete it and upload it again: the repository does not try twice",
                task=file,
                failures={file.key: reason},
            )
        left = ends - calls.clock.monotonic()
        if left <= 0:
            raise WaitTimeout(
                f"{file.key} is {file.status} after {timeout:.0f} s",
                hint="the repository goes on by itself; wait again",
                last=file,
            )
        calls.pause(min(wait, left))
        wait = min(wait * 2, longest)
