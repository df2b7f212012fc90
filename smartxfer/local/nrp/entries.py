"""Entries of file lists: the table, its rows, and how they are shown.

Source: NRP protocol, section 5 (start, states) and section 4 (``files`` of a record).
"""

import datetime as dt
import json
import uuid
from typing import Any, Dict, List, Optional, Tuple

import attrs

from smartxfer.local.database import Database, Row
from smartxfer.local.http_messages import FileSlice
from smartxfer.local.nrp.keys import encoded, extension
from smartxfer.local.objects import Objects, media_type

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
class Entry:
    """A file of a record, from the start call on.

    :param bucket: bucket that it lies in.
    :param key: its name there.
    :param created: time of the start call, as shown.
    :param updated: time of the latest change, as shown.
    :param metadata: its metadata; None until it is set or the file is read after its completion.
    :param given: names of the values that the start call gave, in the order in which they are shown.
    :param type: transfer type: L, M, F or R.
    :param status: pending, completed or failed.
    :param size: bytes as shown; None where nobody said.
    :param checksum: checksum as shown, with its algorithm.
    :param parts: parts of type M.
    :param part_size: bytes of each part but the last.
    :param upload: id of the multipart upload at the storage; empty where parts come to the server itself.
    :param url: where types F and R have the bytes.
    :param error: why a fetch failed.
    :param spans: the bytes that are there: (object, count), in order; None where there are none.
    :param md5: hex digest of those bytes; None where it was not reckoned.
    :param etag: the storage's tag of them, without quotes.
    :param modified: when they came, seconds since 1970.
    :param file_id: id of those bytes; entries that share them share it.
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
    def known(self) -> bool:
        """Whether the file behind it is shown: its ids, its type, its storage."""
        return self.status == "completed" or self.type == "M"

    @property
    def held(self) -> int:
        """Bytes that lie here."""
        return sum(count for _, count in self.spans or ())

    def stretches(
        self, objects: Objects, start: int = 0, count: Optional[int] = None
    ) -> Tuple[FileSlice, ...]:
        """Where some of its bytes lie.

        :param start: offset of the first.
        :param count: how many; None: all from there on.
        """
        left = self.held - start if count is None else count
        found: List[FileSlice] = []
        for number, size in self.spans or ():
            taken = min(size - start, left)
            if taken > 0:
                found.append(FileSlice(objects.path(number), start, taken))
                left -= taken
            start = max(0, start - size)
        return tuple(found)


_COLUMNS = ("number", "bucket", "key", "file_id", "type", "status", "checksum")


def _entry(row: Row) -> Entry:
    values = json.loads(row["document"])
    spans = values.pop("spans")
    return Entry(
        **{name: row[name] for name in _COLUMNS},
        **{**values, "given": tuple(values["given"])},
        spans=None if spans is None else [(number, count) for number, count in spans],
    )


def _changing(entry: Entry) -> Dict[str, Any]:
    """The columns of an entry, but for its key and number."""
    values = attrs.asdict(entry)
    columns = {name: values.pop(name) for name in _COLUMNS}
    return {**{name: columns[name] for name in _COLUMNS[3:]}, "document": json.dumps(values)}


def find(database: Database, bucket: str, key: str) -> Optional[Entry]:
    """The entry of a key, None where there is none."""
    row = database.find("entries", bucket=bucket, key=key)
    return None if row is None else _entry(row)


def in_bucket(database: Database, bucket: str) -> List[Entry]:
    """Every entry of a bucket, oldest first."""
    return [_entry(row) for row in database.select("entries", "number", bucket=bucket)]


def of_file(database: Database, file_id: str) -> List[Entry]:
    """Every entry that has the same bytes, oldest first."""
    return [_entry(row) for row in database.select("entries", "number", file_id=file_id)]


def remote(
    database: Database, url: str, first: Tuple[str, int, Optional[str]]
) -> Tuple[str, int, Optional[str]]:
    """Return the record of a remote file: file id, size and checksum.

    :param url: where the file lies.
    :param first: what is recorded where the URL is new.
    """
    database.run("INSERT OR IGNORE INTO remotes (url, file_id, size, checksum) VALUES (?,?,?,?)", url, *first)
    row = database.select("remotes", "url", url=url)[0]
    return row["file_id"], row["size"], row["checksum"]


def everything(database: Database) -> List[Entry]:
    """Every entry of every bucket, oldest first."""
    return [_entry(row) for row in database.select("entries", "number")]


def add(database: Database, entry: Entry) -> None:
    """Write a new entry, which gets its number."""
    key = {"bucket": entry.bucket, "key": entry.key}
    entry.number = database.insert("entries", **key, **_changing(entry))


def save(database: Database, entry: Entry) -> bool:
    """Write a changed entry.

    :return: whether it is still there.
    """
    columns = _changing(entry)
    marks = ", ".join(f"{name}=?" for name in columns)
    sql = f"UPDATE entries SET {marks} WHERE number=?"  # noqa: S608 - names of columns
    return database.change(sql, *columns.values(), entry.number) > 0


def view(entry: Entry, base: str, links: Dict[str, Any]) -> Dict[str, Any]:
    """An entry as the API shows it.

    :param base: URL of the file list.
    :param links: links besides ``self``.
    """
    shown: Dict[str, Any] = {"created": entry.created, "updated": entry.updated}
    if entry.known:
        shown.update(mimetype=media_type(entry.key), version_id=entry.version_id)
        shown.update(file_id=entry.file_id, bucket_id=entry.bucket)
    shown["metadata"] = entry.metadata
    shown["access"] = {"hidden": entry.hidden}
    shown["links"] = {"self": f"{base}/{encoded(entry.key)}", **links}
    shown["key"] = entry.key
    for name in entry.given:
        shown[name] = getattr(entry, name)
    shown["transfer"] = _transfer(entry)
    shown["status"] = entry.status
    if entry.known:
        # Values that the start call gave keep their place.
        shown.update(checksum=entry.checksum, size=entry.size, storage_class="L")
    return shown


def _transfer(entry: Entry) -> Dict[str, Any]:
    shown: Dict[str, Any] = {"type": entry.type}
    if entry.type == "M":
        if entry.part_size:
            shown["part_size"] = entry.part_size
        shown["parts"] = entry.parts
    if entry.error:
        shown["error"] = entry.error
    return shown


def summary_entry(entry: Entry) -> Dict[str, Any]:
    """An entry as the ``files`` member of a record shows it."""
    shown: Dict[str, Any] = {}
    if entry.known:
        shown["id"] = entry.file_id
        if entry.checksum is not None:
            shown["checksum"] = entry.checksum
        shown.update(ext=extension(entry.key) or "bin", size=entry.size)
        shown.update(mimetype=media_type(entry.key), storage_class="L")
    return {**shown, "key": entry.key, "metadata": entry.metadata, "access": {"hidden": entry.hidden}}


def moment(seconds: float) -> str:
    """A time as the API shows it.

    :param seconds: since 1970.
    """
    return dt.datetime.fromtimestamp(seconds, dt.timezone.utc).isoformat(timespec="microseconds")
