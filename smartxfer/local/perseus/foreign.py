"""An S3 server of somebody else's behind the addresses: it is signed for, and asked what has come.

Source: Perseus protocol, sections A.6 and A.11.
"""

import hashlib
import logging
import urllib.error
import urllib.request
from typing import Any, Mapping, Optional, Tuple

from smartxfer.local.perseus.site import Site
from smartxfer.local.s3 import Keys, presign

log = logging.getLogger("smartxfer.local")

#: Seconds to wait for the server.
_PATIENCE = 30.0


class Foreign:
    """A bucket at an S3 server.

    :param site: names the server, the bucket and the keys.
    """

    def __init__(self, site: Site) -> None:
        self._base = f"{site.s3_endpoint.rstrip('/')}/{site.s3_bucket}"
        # It is this machine's own, whatever proxies there are.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        self._keys = Keys(site.s3_key, site.s3_secret, site.s3_region)

    def presign(
        self, method: str, path: str, seconds: int, now: float, headers: Optional[Mapping[str, str]] = None
    ) -> str:
        """A signed address of an object.

        :param path: of the object, encoded.
        """
        return presign(self._keys, method, f"{self._base}/{path}", seconds, now, headers=headers)

    def look(self, path: str, now: float) -> Optional[Tuple[str, int]]:
        """SHA-256 in hex and bytes of an object, None where there is none."""
        running, size = hashlib.sha256(), 0
        try:
            with self._open("GET", path, now) as answer:
                for piece in iter(lambda: answer.read(1 << 20), b""):
                    running.update(piece)
                    size += len(piece)
        except OSError:  # not there, or the server cannot be reached
            return None
        return running.hexdigest(), size

    def read(self, path: str, now: float) -> bytes:
        """The bytes of an object.

        :raises OSError: there is none.
        """
        with self._open("GET", path, now) as answer:
            return bytes(answer.read())

    def delete(self, path: str, now: float) -> None:
        """Remove an object; one that is not there is none the less gone."""
        try:
            self._open("DELETE", path, now).close()
        except OSError as error:
            log.debug("nothing was deleted at the S3 server: %s", error)

    def _open(self, method: str, path: str, now: float) -> Any:
        request = urllib.request.Request(self.presign(method, path, 60, now), method=method)  # noqa: S310
        try:
            return self._opener.open(request, timeout=_PATIENCE)
        except urllib.error.HTTPError as error:
            error.close()
            raise OSError(error.code, error.reason) from None
