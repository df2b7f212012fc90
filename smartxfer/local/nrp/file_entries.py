"""Entries of file lists: table, rows and serialization.

Source: NRP protocol, section 5 (start, states) and section 4 (``files`` of a record).
"""

import datetime as dt
import json
import uuid
from typing import Any, Dict, List, Optional, Tuple

import attrs

from smartxfer.local.database import Database, Row
from smartxfer.local.http_messages import FileSlice
from smartxfer.local.nrp.file_keys import encode_key, extension
from smartxfer.local.object_store import ObjectStore, media_type

SCHEMA = """
CREATE TABLE IF NOT EXISTS buckets (id TEXT PRIMARY KEY, locked INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS entries (
    number INTEGER PRIMARY KEY AUTOINCREMENT, bucket TEXT NOT NULL, key TEXT NOT NULL,
    file_id TEXT NOT NULL, type TEXT NOT NULL, status TEXT NOT NULL, checksum TEXT, document TEXT NOT NULL,
    UNIQUE (bucket, key)
);
CREATE INDEX IF NOT EXISTS entries_by_file ON entries (file_id);
CREATE TABLE IF NOT EXISTS stored (number INTEGER PRIMARY KEY AUTOINCREMENT);
CREATE TABLE IF NOT EXISTS parts (
    file_id TEXT NOT NULL, part INTEGER NOT NULL, object INTEGER NOT NULL, size INTEGER NOT NULL,
    etag TEXT NOT NULL, PRIMARY KEY (file_id, part)
);
CREATE TABLE IF NOT EXISTS remotes (
    url TEXT PRIMARY KEY, file_id TEXT NOT NULL, size INTEGER NOT NULL, checksum TEXT
);
"""


def _uuid() -> str:
    return str(uuid.uuid4())


@attrs.define
class FileEntry:
    """A file of a record, since its initialization.

    :param bucket: bucket of the file.
    :param key: its name there.
    :param created: time of initialization, as shown.
    :param updated: time of the latest change, as shown.
    :param metadata: metadata; None until it is set, or the completed file is read.
    :param given: names of the values of the initialization, in the shown order.
    :param type: transfer type: L, M, F or R.
    :param status: pending, completed or failed.
    :param size: bytes as shown; None if unknown.
    :param checksum: checksum as shown, with algorithm.
    :param parts: parts of type M.
    :param part_size: bytes of each part but the last.
    :param upload: id of the multipart upload at the storage; empty if the server itself receives the parts.
    :param url: source of types F and R.
    :param error: error of a failed fetch.
    :param spans: stored bytes: (object, count), in order; None without content.
    :param md5: hex digest of the bytes; None if not computed.
    :param etag: entity tag at the storage, without quotes.
    :param modified: time of the upload, seconds since 1970.
    :param file_id: id of the bytes, which several entries can share.
    :param version_id: id of this entry.
    """

    bucket: str
    key: str
    created: str
    updated: str
    metadata: Optional[Dict[str, Any]] = None
    hidden: bool = False
    given: Tuple[str, ...] = ()
    type: str = "L"
    status: str = "pending"
    size: Optional[int] = None
    checksum: Optional[str] = None
    parts: int = 0
    part_size: int = 0
    upload: str = ""
    url: str = ""
    error: str = ""
    spans: Optional[List[Tuple[int, int]]] = None
    md5: Optional[str] = None
    etag: str = ""
    modified: float = 0.0
    file_id: str = attrs.field(factory=_uuid)
    version_id: str = attrs.field(factory=_uuid)
    number: int = 0

    @property
    def is_size_known(self) -> bool:
        """True if file ids, type and storage class are shown."""
        return self.status == "completed" or self.type == "M"

    @property
    def is_stored(self) -> int:
        """Number of bytes that are stored here."""
        return sum(count for _, count in self.spans or ())

    def slices(
        self, objects: ObjectStore, start: int = 0, count: Optional[int] = None
    ) -> Tuple[FileSlice, ...]:
        """Return the slices of a range of its bytes.

        :param start: offset of the first.
        :param count: number of bytes; None: up to the end.
        """
        left = self.is_stored - start if count is None else count
        slices: List[FileSlice] = []
        for number, size in self.spans or ():
            accepted = min(size - start, left)
            if accepted > 0:
                slices.append(FileSlice(objects.path(number), start, accepted))
                left -= accepted
            start = max(0, start - size)
        return tuple(slices)


_COLUMNS = ("number", "bucket", "key", "file_id", "type", "status", "checksum")


def _entry(row: Row) -> FileEntry:
    values = json.loads(row["document"])
    slices = values.pop("spans")
    return FileEntry(
        **{name: row[name] for name in _COLUMNS}, **{**values, "given": tuple(values["given"])},
        spans=None if slices is None else [(number, count) for number, count in slices],
    )


def _changed_columns(entry: FileEntry) -> Dict[str, Any]:
    """Return the columns of an entry except key and number."""
    values = attrs.asdict(entry)
    columns = {name: values.pop(name) for name in _COLUMNS}
    return {**{name: columns[name] for name in _COLUMNS[3:]}, "document": json.dumps(values)}


def find(database: Database, bucket: str, key: str) -> Optional[FileEntry]:
    """Return the entry of a key, or None."""
    row = database.find("entries", bucket=bucket, key=key)
    return None if row is None else _entry(row)


def in_bucket(database: Database, bucket: str) -> List[FileEntry]:
    """Return every entry of a bucket, oldest first."""
    return [_entry(row) for row in database.select("entries", "number", bucket=bucket)]


def of_file(database: Database, file_id: str) -> List[FileEntry]:
    """Return every entry with these bytes, oldest first."""
    return [_entry(row) for row in database.select("entries", "number", file_id=file_id)]


def remote(
    database: Database, url: str, first: Tuple[str, int, Optional[str]]
) -> Tuple[str, int, Optional[str]]:
    """Return the record of a remote file: file id, size and checksum.

    :param url: URL of the file.
    :param first: the entry to record for a new URL.
    """
    database.execute(
        "INSERT OR IGNORE INTO remotes (url, file_id, size, checksum) VALUES (?,?,?,?)", url, *first
    )
    row = database.select("remotes", "url", url=url)[0]
    return row["file_id"], row["size"], row["checksum"]


def all_entries(database: Database) -> List[FileEntry]:
    """Return every entry of every bucket, oldest first."""
    return [_entry(row) for row in database.select("entries", "number")]


def add(database: Database, entry: FileEntry) -> None:
    """Insert an entry and set its number."""
    key = {"bucket": entry.bucket, "key": entry.key}
    entry.number = database.insert("entries", **key, **_changed_columns(entry))


def save(database: Database, entry: FileEntry) -> bool:
    """Update a changed entry.

    :return: False if it was deleted.
    """
    columns = _changed_columns(entry)
    marks = ", ".join(f"{name}=?" for name in columns)
    sql = f"UPDATE entries SET {marks} WHERE number=?"  # noqa: S608 - names of columns
    return database.execute_count(sql, *columns.values(), entry.number) > 0


def serialize(entry: FileEntry, base: str, links: Dict[str, Any]) -> Dict[str, Any]:
    """Return an entry as the API shows it.

    :param base: URL of the file list.
    :param links: links besides ``self``.
    """
    body: Dict[str, Any] = {"created": entry.created, "updated": entry.updated}
    if entry.is_size_known:
        body.update(mimetype=media_type(entry.key), version_id=entry.version_id)
        body.update(file_id=entry.file_id, bucket_id=entry.bucket)
    body["metadata"] = entry.metadata
    body["access"] = {"hidden": entry.hidden}
    body["links"] = {"self": f"{base}/{encode_key(entry.key)}", **links}
    body["key"] = entry.key
    for name in entry.given:
        body[name] = getattr(entry, name)
    body["transfer"] = _transfer(entry)
    body["status"] = entry.status
    if entry.is_size_known:
        # Values of the initialization keep their position.
        body.update(checksum=entry.checksum, size=entry.size, storage_class="L")
    return body


def _transfer(entry: FileEntry) -> Dict[str, Any]:
    body: Dict[str, Any] = {"type": entry.type}
    if entry.type == "M":
        if entry.part_size:
            body["part_size"] = entry.part_size
        body["parts"] = entry.parts
    if entry.error:
        body["error"] = entry.error
    return body


def summary_fields(entry: FileEntry) -> Dict[str, Any]:
    """Return an entry as in the ``files`` member of a record."""
    fields: Dict[str, Any] = {}
    if entry.is_size_known:
        fields["id"] = entry.file_id
        if entry.checksum is not None:
            fields["checksum"] = entry.checksum
        fields.update(ext=extension(entry.key) or "bin", size=entry.size)
        fields.update(mimetype=media_type(entry.key), storage_class="L")
    return {**fields, "key": entry.key, "metadata": entry.metadata, "access": {"hidden": entry.hidden}}


def format_time(seconds: float) -> str:
    """Return a time as the API shows it.

    :param seconds: since 1970.
    """
    return dt.datetime.fromtimestamp(seconds, dt.timezone.utc).isoformat(timespec="microseconds")
