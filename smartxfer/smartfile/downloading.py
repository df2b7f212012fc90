"""Files on their way down.

Source: SmartFile protocol, section 5.
"""

import datetime as dt
from typing import ContextManager, Optional, Tuple

import requests

from smartxfer.errors import ClientError, DecodeError, TaskFailed, WaitTimeout
from smartxfer.smartfile.calls import Calls
from smartxfer.smartfile.models import Info
from smartxfer.transfer.download import Download
from smartxfer.transfer.protocols import Sink
from smartxfer.transfer.ranges import Incoming, open_range
from smartxfer.transfer.same import SameState

__all__ = ["changed", "describe"]

#: Hours by which the zones of the world are behind and ahead of UTC.
_BEHIND, _AHEAD = 12, 14

#: Bytes per piece of a file that is fetched by ranges.
PIECE = 32 * 1024 * 1024


def changed(info: Info) -> Optional[Tuple[float, float]]:
    """The earliest and the latest moment that a file can have changed, for its time comes without a zone."""
    if info.modified is None:
        return None
    moment = info.modified.replace(tzinfo=dt.timezone.utc).timestamp()
    return moment - _AHEAD * 3600, moment + _BEHIND * 3600


def describe(calls: Calls, info: Info, sink: Sink, digest: Optional[Tuple[str, str]] = None) -> Download:
    """The download of a file, as the engine wants it.

    Times come in whole seconds: a file that an earlier run began to fetch may have been replaced within one,
    by another of its size.  So the server is asked for its checksum where a run goes on.

    :param digest: (algorithm, hex) that the server reckoned.
    """

    def doubt() -> Tuple[str, str]:
        try:
            return "md5", calls.checksums([info.path], "MD5")[info.path]
        except (ClientError, DecodeError, TaskFailed, WaitTimeout):
            return "md5", "unknown"  # which no file has: it is fetched whole

    call = calls.content(info.path)
    same = SameState(info.path, digest_known=digest is not None)

    def seen(response: requests.Response) -> None:
        same.see((response.headers.get("ETag"), response.headers.get("Last-Modified")))

    def source(start: int, stop: Optional[int]) -> ContextManager[Incoming]:
        return open_range(calls.wire, call, start, stop, info.size, seen)

    return Download(
        name=info.path,
        sink=sink,
        identity={
            "service": "smartfile",
            "api": calls.api,
            "path": info.path,
            "size": info.size,
            "time": info.time,
        },
        open_range=source,
        size=info.size,
        step=PIECE,
        digest=digest,
        doubt=doubt,
        mismatch=same.mismatch,
    )
