"""Files on their way down.

Source: SmartFile protocol, section 5.
"""

import threading
from typing import ContextManager, Optional, Tuple

import requests

from smartxfer.errors import ClientError, DecodeError, SourceChanged, TaskFailed, WaitTimeout
from smartxfer.smartfile.calls import Calls
from smartxfer.smartfile.models import Info
from smartxfer.transfer.download import Download
from smartxfer.transfer.protocols import Sink
from smartxfer.transfer.ranges import Incoming, open_range

__all__ = ["describe"]

#: Bytes per piece of a file that is fetched by ranges.
PIECE = 32 * 1024 * 1024


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
    same = _SameObject(info.path)

    def source(start: int, stop: Optional[int]) -> ContextManager[Incoming]:
        return open_range(calls.wire, call, start, stop, info.size, same)

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
    )


class _SameObject:
    """Sees to it that all answers are about one state of a file, where they say which."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._seen: Optional[Tuple[Optional[str], Optional[str]]] = None

    def __call__(self, response: requests.Response) -> None:
        """Compare one answer with those before."""
        state = (response.headers.get("ETag"), response.headers.get("Last-Modified"))
        with self._lock:
            if self._seen is None:
                self._seen = state
            elif self._seen != state:
                raise SourceChanged(f"{self._path} changed on the server while it was fetched")
