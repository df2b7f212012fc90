"""The contents of files as objects of the storage.

Source: Perseus protocol, sections A.5 and A.11.
"""

import hashlib
import os
from typing import Dict, Optional

from smartxfer.local.database import Row
from smartxfer.local.http_messages import FileSlice
from smartxfer.local.object_store import copy_body, write_all
from smartxfer.local.perseus.backend import BUCKET, Backend
from smartxfer.local.request_body import RequestBody
from smartxfer.local.s3 import S3Error, StoredObject


class FileStorageBackend:
    """The objects in the service's own bucket.

    :param backend: state of the service.
    """

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def _row(self, bucket: str, key: str) -> Row:
        if bucket != BUCKET:
            raise S3Error("NoSuchBucket", 404)
        words = key.split("/", 2)
        row = self._backend.records.get(words[1]) if len(words) == 3 and words[0] == "file" else None
        if row is None:
            raise S3Error("NoSuchKey", 404)
        return row

    def find(self, bucket: str, key: str) -> Optional[StoredObject]:
        """Return an object, or None.

        :raises S3Error: the bucket does not exist.
        """
        row = self._row(bucket, key)
        if row["arrived"] is None:
            return None
        path = self._backend.objects.path(row["number"])
        file_slice = FileSlice(path, 0, row["size"])
        return StoredObject((file_slice,), row["size"], row["md5"], modified=row["arrived"])

    def receive(self, bucket: str, key: str, query: Dict[str, str], body: RequestBody) -> str:
        """Store an object; the previous content is removed once the PUT is complete.

        :return: the MD5 of the bytes, hex.
        """
        backend = self._backend
        row = self._row(bucket, key)
        limit = backend.site.max_size
        if limit and (body.length or 0) > limit:
            raise S3Error("EntityTooLarge", 400)
        sha256, md5 = hashlib.sha256(), hashlib.md5()
        with backend.objects.spool() as spool:

            def take(view: memoryview, position: int) -> None:
                sha256.update(view)
                md5.update(view)
                write_all(spool.fileno(), view, position)

            size = copy_body(body, take, body.length)
            with backend.lock:
                backend.objects.delete(row["number"])
                os.close(backend.objects.open(row["number"]))
                backend.objects.copy_from_spool(row["number"], 0, spool, size)
                backend.records.record_upload(
                    row["id"], sha256.hexdigest(), size, backend.now(), md5.hexdigest()
                )
        return md5.hexdigest()
