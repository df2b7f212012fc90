"""The repository's files as objects of the storage.

Source: NRP protocol, sections 5 (download from S3) and 6 (multipart on S3).
"""

import re
from typing import Dict, Optional

from smartxfer.local.nrp import file_entries, file_storage
from smartxfer.local.nrp.backend import Backend
from smartxfer.local.nrp.file_entries import FileEntry
from smartxfer.local.nrp.file_serializers import STORAGE_BUCKET
from smartxfer.local.object_store import media_type
from smartxfer.local.request_body import RequestBody
from smartxfer.local.s3 import S3Error, StoredObject

_KEY = re.compile(r"([0-9a-f]{2})/([0-9a-f]{2})/([0-9a-f-]{32})/data")


class FileStorageBackend:
    """Files of the repository by bucket and key of the storage.

    :param backend: state of the repository.
    """

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def _entry(self, bucket: str, key: str) -> Optional[FileEntry]:
        if bucket != STORAGE_BUCKET:
            raise S3Error("NoSuchBucket", 404)
        match = _KEY.fullmatch(key)
        entries = file_entries.of_file(self._backend.database, "".join(match.groups())) if match else []
        return entries[0] if entries else None

    def find(self, bucket: str, key: str) -> Optional[StoredObject]:
        """Return an object, or None.

        :raises S3Error: the bucket does not exist.
        """
        entry = self._entry(bucket, key)
        if entry is None or entry.spans is None:
            return None
        ranges = entry.slices(self._backend.objects)
        return StoredObject(ranges, entry.is_stored, entry.etag, media_type(entry.key), entry.modified)

    def receive(self, bucket: str, key: str, query: Dict[str, str], body: RequestBody) -> str:
        """Store a part of an open upload.

        :return: the MD5 of the part, hex.
        :raises S3Error: the upload is not open.
        """
        self._open(bucket, key, query)
        part = int(query["partNumber"])
        database, objects = self._backend.database, self._backend.objects
        received = file_storage.receive(database, objects, body, length=body.length)
        with database.transaction():
            try:
                entry = self._open(bucket, key, query)
            except S3Error:
                # Committed or deleted during the upload.
                file_storage.discard(database, objects, [received.object])
                raise
            before = database.find("parts", file_id=entry.file_id, part=part)
            file_storage.save_part(database, entry.file_id, part, received)
            if before is not None:
                file_storage.discard(database, objects, [before["object"]])
        return received.md5

    def _open(self, bucket: str, key: str, query: Dict[str, str]) -> FileEntry:
        """Return the entry of an upload."""
        entry = self._entry(bucket, key)
        if entry is None or not entry.upload or query.get("uploadId") != entry.upload:
            raise S3Error("NoSuchUpload", 404)
        return entry
