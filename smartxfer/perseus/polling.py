"""Waiting for the status ``uploaded`` of records.

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
    """Wait until all records are uploaded; return them in the order of the ids.

    Each request polls all records that are not final.  Retryable errors count as ``pending``.

    :param first_interval: seconds between the first two requests; later intervals grow by half, up to 10 s.
    :param timeout: seconds; at least one request is sent, even with 0.
    :param on_poll: called with the known records after each request.
    """
    records: Dict[str, File] = {}
    # Not a variable of fetch(): the error and the frames in its traceback would refer to each other.
    failure: Optional[CommunicationError] = None

    def fetch() -> None:
        nonlocal failure
        try:
            pending = [id for id in ids if id not in records or not records[id].status.final]
            _update_records(api, pending, records)
            failure = None
        except CommunicationError as error:
            if not error.retryable:
                raise
            failure = error
        on_poll([records[id] for id in ids if id in records])
        _raise_for_failed(records)

    def all_uploaded(_: None = None) -> bool:
        return all(id in records and records[id].status == FileStatus.UPLOADED for id in ids)

    poll(
        fetch,
        all_uploaded,
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
    if not all_uploaded():
        raise _timeout_error([records[id] for id in ids if id in records], ids, timeout) from failure
    return [records[id] for id in ids]


def _update_records(api: PerseusApi, ids: Sequence[str], records: Dict[str, File]) -> None:
    by_id = {file.id: file for file in api.find(ids=ids)}
    for id in ids:
        if id not in by_id:
            raise PerseusNotFound(f"file {id!r} does not exist", hint="upload it again", status=404)
    records.update(by_id)


def _raise_for_failed(records: Dict[str, File]) -> None:
    failed = [file for file in records.values() if file.status == FileStatus.FAILED]
    if failed:
        raise PerseusUploadFailed(
            f"the service reports that the upload of {failed[0].name!r} failed",
            hint="upload it again: upload_file() replaces a failed record",
            file=failed[0],
        )


def _timeout_error(files: Sequence[File], ids: Sequence[str], timeout: float) -> WaitTimeout:
    pending = [file for file in files if not file.status.final]
    name = pending[0].name if pending else ids[0]
    return PerseusWaitTimeout(
        f"{name!r} is not uploaded after {timeout:g} s",
        hint="wait again, or upload with repair=True if no other client is sending it",
        last=pending[0] if len(ids) == 1 and pending else list(files),
    )
