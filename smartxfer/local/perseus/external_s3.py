"""An external S3 server for the contents, such as MinIO.

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
_TIMEOUT = 30.0


class ExternalBucket:
    """A bucket at an S3 server.

    :param site: names the server, the bucket and the keys.
    """

    def __init__(self, site: Site) -> None:
        self._base = f"{site.s3_endpoint.rstrip('/')}/{site.s3_bucket}"
        # The server runs on this machine: proxies must not be used.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        self._keys = Keys(site.s3_key, site.s3_secret, site.s3_region)

    def presign(
        self, method: str, path: str, seconds: int, now: float, headers: Optional[Mapping[str, str]] = None
    ) -> str:
        """Return a presigned URL of an object.

        :param path: encoded path of the object.
        """
        return presign(self._keys, method, f"{self._base}/{path}", seconds, now, headers=headers)

    def head(self, path: str, now: float) -> Optional[Tuple[str, int]]:
        """Return SHA-256 in hex and size of an object, or None if it does not exist."""
        running, size = hashlib.sha256(), 0
        try:
            with self._open("GET", path, now) as response:
                for piece in iter(lambda: response.read(1 << 20), b""):
                    running.update(piece)
                    size += len(piece)
        except OSError:  # missing object, or unreachable server
            return None
        return running.hexdigest(), size

    def read(self, path: str, now: float) -> bytes:
        """Return the bytes of an object.

        :raises OSError: the object does not exist.
        """
        with self._open("GET", path, now) as response:
            return bytes(response.read())

    def delete(self, path: str, now: float) -> None:
        """Delete an object, if it exists."""
        try:
            self._open("DELETE", path, now).close()
        except OSError as error:
            log.debug("nothing was deleted at the S3 server: %s", error)

    def _open(self, method: str, path: str, now: float) -> Any:
        request = urllib.request.Request(self.presign(method, path, 60, now), method=method)  # noqa: S310
        try:
            return self._opener.open(request, timeout=_TIMEOUT)
        except urllib.error.HTTPError as error:
            error.close()
            raise OSError(error.code, error.reason) from None
