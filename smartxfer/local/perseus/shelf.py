"""Contents of files as the storage sees them.

Source: Perseus protocol, sections A.5 and A.11.
"""

import hashlib
import os
from typing import Dict, Optional

from smartxfer.local.body import Body
from smartxfer.local.database import Row
from smartxfer.local.http_messages import FileSlice
from smartxfer.local.objects import pour, write_all
from smartxfer.local.perseus.backend import BUCKET, Backend
from smartxfer.local.s3 import Problem, Stored


class FileShelf:
    """The objects of the own bucket.

    :param backend: what the service knows and keeps.
    """

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def _row(self, bucket: str, key: str) -> Row:
        if bucket != BUCKET:
            raise Problem("NoSuchBucket", 404)
        words = key.split("/", 2)
        row = self._backend.records.get(words[1]) if len(words) == 3 and words[0] == "file" else None
        if row is None:
            raise Problem("NoSuchKey", 404)
        return row

    def find(self, bucket: str, key: str) -> Optional[Stored]:
        """An object, or None.

        :raises Problem: there is no such bucket.
        """
        row = self._row(bucket, key)
        if row["arrived"] is None:
            return None
        path = self._backend.objects.path(row["number"])
        span = FileSlice(path, 0, row["size"])
        return Stored((span,), row["size"], row["md5"], modified=row["arrived"])

    def receive(self, bucket: str, key: str, query: Dict[str, str], body: Body) -> str:
        """Take in the bytes of an object; those that a PUT replaces go once it is complete.

        :return: the MD5 of the bytes, hex.
        """
        backend = self._backend
        row = self._row(bucket, key)
        limit = backend.site.max_size
        if limit and (body.length or 0) > limit:
            raise Problem("EntityTooLarge", 400)
        sha256, md5 = hashlib.sha256(), hashlib.md5()
        with backend.objects.spool() as spool:

            def take(view: memoryview, at: int) -> None:
                sha256.update(view)
                md5.update(view)
                write_all(spool.fileno(), view, at)

            size = pour(body, take, body.length)
            with backend.lock:
                backend.objects.delete(row["number"])
                os.close(backend.objects.open(row["number"]))
                backend.objects.adopt(row["number"], 0, spool, size)
                backend.records.arrived(row["id"], sha256.hexdigest(), size, backend.now(), md5.hexdigest())
        return md5.hexdigest()
