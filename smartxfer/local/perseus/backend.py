"""What the service knows and keeps: configuration, key, records, contents, and its clock.

Source: Perseus protocol, sections A.3 and A.11.
"""

import secrets
from typing import Any, List, Optional, Sequence
from urllib.parse import quote

from smartxfer.local import service
from smartxfer.local.database import Row
from smartxfer.local.perseus.foreign import Foreign
from smartxfer.local.perseus.records import SCHEMA, Records
from smartxfer.local.perseus.site import Site

__all__ = ["BUCKET", "Backend"]

#: Bucket of the own storage.
BUCKET = "perseus-files"


class Backend(service.Backend):
    """What every call works on."""

    site: Site
    schema = SCHEMA
    #: Presigned storage beside the service; there once the service has made it.
    storage: Any

    def set_up(self) -> None:
        """Prepare records and contents, and the API key."""
        self.objects = self.object_store()
        self.records = Records(self.database)
        known = self.site.api_key or self.records.setting("api_key")
        #: The API key.
        self.api_key = self.records.setting("api_key", known or "sk-perseus-" + secrets.token_hex(20)) or ""
        #: The S3 server that stands behind the addresses, where one was named.
        self.foreign: Optional[Foreign] = Foreign(self.site) if self.site.s3_endpoint else None

    # -- addresses --------------------------------------------------------------------------------------

    def key(self, row: Row) -> str:
        """Key of a record's content at the storage."""
        return f"file/{row['id']}/{row['name']}"

    def address(self, row: Row) -> str:
        """Where the content of a record goes."""
        signed = {"content-type": self.site.signed_type} if self.site.signed_type else None
        if self.foreign is not None:
            path = quote(self.key(row))
            return self.foreign.presign("PUT", path, self.site.url_seconds, self.now(), signed)
        url: str = self.storage.presign("PUT", BUCKET, self.key(row), self.site.url_seconds, headers=signed)
        return url

    def content(self, row: Row) -> bytes:
        """The bytes that came for a record.

        :raises OSError: none did.
        """
        if self.foreign is not None:
            return self.foreign.read(quote(self.key(row)), self.now())
        with open(self.objects.path(row["number"]), "rb") as stream:
            return stream.read()

    # -- records ----------------------------------------------------------------------------------------

    def of_hash(self, source_hash: str) -> List[Row]:
        """The records of one content, as they are now."""
        return [row for row in map(self._settled, self.records.of_hash(source_hash)) if row is not None]

    def matching(self, ids: Optional[Sequence[str]], hashes: Optional[Sequence[str]]) -> List[Row]:
        """The records that match, as they are now."""
        return [row for row in map(self._settled, self.records.matching(ids, hashes)) if row is not None]

    def _settled(self, row: Row) -> Optional[Row]:
        """A record, made final where its content came long enough ago."""
        if row["status"] != "pending":
            return row
        if row["arrived"] is None and self.foreign is not None:
            found = self.foreign.look(quote(self.key(row)), self.now())
            if found is not None:
                self.records.arrived(row["id"], found.sha256, found.size, self.now())
                row = self.records.get(row["id"]) or row
        if row["arrived"] is not None and self.now() >= row["arrived"] + self.site.upload_delay:
            good = row["sha256"] == row["hash"] or not self.site.compare_hash
            self.records.settle(row["id"], "uploaded" if good else "failed")
        return self.records.get(row["id"])

    def delete(self, id: str) -> bool:
        """Remove a record and its content; whether there was one."""
        with self.lock:
            row = self.records.get(id)
            if row is None:
                return False
            self.records.delete(id)
            self.objects.delete(row["number"])
            if self.foreign is not None:
                self.foreign.delete(quote(self.key(row)), self.now())
            return True
