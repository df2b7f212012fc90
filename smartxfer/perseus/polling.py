"""Waiting until the service has taken in what was sent.

Source: Perseus protocol, section A.9.
"""

from typing import Any, Callable, Dict, List, Optional, Sequence

from smartxfer.errors import CommunicationError, WaitTimeout
from smartxfer.perseus.api import PerseusApi
from smartxfer.perseus.errors import PerseusNotFound, PerseusUploadFailed, PerseusWaitTimeout
from smartxfer.perseus.models import File, FileStatus
from smartxfer.transport.polling import PollIntervals, poll
from smartxfer.validation import validate_seconds

__all__ = ["wait_for_files"]

_INTERVAL_GROWTH = 1.5
_MAX_INTERVAL = 10.0


def wait_for_files(
    api: PerseusApi,
    ids: Sequence[str],
    first_interval: float,
    timeout: float,
    on_poll: Callable[[List[File]], Any] = lambda files: None,
) -> List[File]:
    """The records, once all are uploaded, in the order of their ids; asked for in one question each time.

    An answer that fails is waited out like one that says ``pending``.

    :param first_interval: seconds before the second look; each later wait is half as long again, up to 10 s.
    :param timeout: seconds; one look is taken however short it is.
    """
    known: Dict[str, File] = {}
    # Not a variable of look() itself: the error and its frames would keep each other.
    failure: Optional[CommunicationError] = None

    def look() -> None:
        nonlocal failure
        try:
            _update_records(api, [id for id in ids if id not in known or not known[id].status.final], known)
            failure = None
        except CommunicationError as error:
            if not error.retryable:
                raise
            failure = error
        on_poll([known[id] for id in ids if id in known])
        _raise_for_failed(known)

    def uploaded(looked: None = None) -> bool:
        return all(id in known and known[id].status == FileStatus.UPLOADED for id in ids)

    poll(
        look,
        uploaded,
        timeout=validate_seconds(timeout, "timeout"),
        intervals=PollIntervals(
            initial=first_interval,
            maximum=max(_MAX_INTERVAL, first_interval),
            growth=_INTERVAL_GROWTH,
            jitter=0.25,
        ),
        clock=api.clock,
        sleep=api.sleep,
    )
    if not uploaded():
        raise _timeout_error([known[id] for id in ids if id in known], ids, timeout) from failure
    return [known[id] for id in ids]


def _update_records(api: PerseusApi, ids: Sequence[str], records: Dict[str, File]) -> None:
    found = {file.id: file for file in api.find(ids=ids)}
    for id in ids:
        if id not in found:
            raise PerseusNotFound(f"there is no file {id!r}", hint="it may have been deleted", status=404)
    records.update(found)


def _raise_for_failed(records: Dict[str, File]) -> None:
    failed = [file for file in records.values() if file.status == FileStatus.FAILED]
    if failed:
        raise PerseusUploadFailed(
            f"the service could not take in {failed[0].name!r}",
            hint="upload it again: a failed record is made anew",
            file=failed[0],
        )


def _timeout_error(files: Sequence[File], ids: Sequence[str], timeout: float) -> WaitTimeout:
    waiting = [file for file in files if not file.status.final]
    name = waiting[0].name if waiting else ids[0]
    return PerseusWaitTimeout(
        f"{name!r} is not uploaded after {timeout:g} s",
        hint="wait again, or upload with repair=True if nobody is sending it",
        last=waiting[0] if len(ids) == 1 and waiting else list(files),
    )
