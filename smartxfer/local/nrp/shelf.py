"""The repository's files as its storage sees them: where they lie, and where their parts go.

Source: NRP protocol, sections 5 (download from S3) and 6 (multipart on S3).
"""

import re
from typing import Dict, Optional

from smartxfer.local.body import Body
from smartxfer.local.nrp import entries, stored
from smartxfer.local.nrp.backend import Backend
from smartxfer.local.nrp.entries import Entry
from smartxfer.local.nrp.showing import STORAGE_BUCKET
from smartxfer.local.objects import media_type
from smartxfer.local.s3 import Problem, Stored

_KEY = re.compile(r"([0-9a-f]{2})/([0-9a-f]{2})/([0-9a-f-]{32})/data")


class FileShelf:
    """Files of the repository by their place at the storage.

    :param backend: whose files they are.
    """

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def _entry(self, bucket: str, key: str) -> Optional[Entry]:
        if bucket != STORAGE_BUCKET:
            raise Problem("NoSuchBucket", 404)
        match = _KEY.fullmatch(key)
        found = entries.of_file(self._backend.database, "".join(match.groups())) if match else []
        return found[0] if found else None

    def find(self, bucket: str, key: str) -> Optional[Stored]:
        """An object, or None.

        :raises Problem: there is no such bucket.
        """
        entry = self._entry(bucket, key)
        if entry is None or entry.spans is None:
            return None
        stretches = entry.stretches(self._backend.objects)
        return Stored(stretches, entry.held, entry.etag, media_type(entry.key), entry.modified)

    def receive(self, bucket: str, key: str, query: Dict[str, str], body: Body) -> str:
        """Take in a part of an open upload.

        :return: the MD5 of the part, hex.
        :raises Problem: the upload is not open.
        """
        self._open(bucket, key, query)
        part = int(query["partNumber"])
        database, objects = self._backend.database, self._backend.objects
        received = stored.receive(database, objects, body, length=body.length)
        with database.transaction():
            try:
                entry = self._open(bucket, key, query)
            except Problem:
                # Committed or deleted while the part came.
                stored.discard(database, objects, [received.object])
                raise
            before = database.find("parts", file_id=entry.file_id, part=part)
            stored.note_part(database, entry.file_id, part, received)
            if before is not None:
                stored.discard(database, objects, [before["object"]])
        return received.md5

    def _open(self, bucket: str, key: str, query: Dict[str, str]) -> Entry:
        """The entry whose upload a request belongs to."""
        entry = self._entry(bucket, key)
        if entry is None or not entry.upload or query.get("uploadId") != entry.upload:
            raise Problem("NoSuchUpload", 404)
        return entry
