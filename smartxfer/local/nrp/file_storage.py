"""Stored objects of entries, which several entries can share.

Source: NRP protocol, section 5 (content).
"""

import hashlib
import os
import sys
from typing import Callable, List, NamedTuple, Optional, Set, Tuple

from smartxfer.local.database import Database
from smartxfer.local.http_messages import FileSlice
from smartxfer.local.nrp import file_entries
from smartxfer.local.nrp.file_entries import FileEntry
from smartxfer.local.object_store import PIECE, ObjectStore, Readable, copy_body, write_all


class StoredBody(NamedTuple):
    """Received bytes.

    :param object: number of the object.
    :param size: number of bytes.
    :param md5: md5 in hex.
    """

    object: int
    size: int
    md5: str


class SizeLimitExceeded(Exception):
    """More bytes were received than allowed."""


def new_object(database: Database, objects: ObjectStore) -> Tuple[int, int]:
    """Create an empty object.

    :return: its number, and a descriptor for writing, which the caller closes.
    """
    number = database.execute("INSERT INTO stored DEFAULT VALUES")
    descriptor = objects.open(number)
    # After a rollback numbers are reused, but objects with these numbers may exist.
    os.ftruncate(descriptor, 0)
    return number, descriptor


def receive(
    database: Database,
    objects: ObjectStore,
    stream: Readable,
    *,
    length: Optional[int] = None,
    maximum: Optional[int] = None,
) -> StoredBody:
    """Store bytes in a new object, and compute their md5.

    :param stream: source of the bytes.
    :param length: announced number of bytes, None if unknown.
    :param maximum: largest number of bytes.
    :raises SizeLimitExceeded: more bytes were received; nothing is stored, as with other errors.
    """
    number, descriptor = new_object(database, objects)
    digest = hashlib.md5()

    def take(piece: memoryview, position: int) -> None:
        if maximum is not None and position + len(piece) > maximum:
            raise SizeLimitExceeded
        digest.update(piece)
        write_all(descriptor, piece, position)

    try:
        try:
            size = copy_body(stream, take, length)
        finally:
            os.close(descriptor)
    except BaseException:
        discard(database, objects, [number])
        raise
    return StoredBody(number, size, digest.hexdigest())


def save_part(database: Database, file_id: str, part: int, received: StoredBody) -> None:
    """Record a received part."""
    values = {"object": received.object, "size": received.size, "etag": received.md5}
    database.replace("parts", file_id=file_id, part=part, **values)


def discard(database: Database, objects: ObjectStore, numbers: List[int]) -> None:
    """Delete unused objects."""
    for number in numbers:
        objects.delete(number)
        database.delete("stored", number=number)


def release(database: Database, objects: ObjectStore, entry: FileEntry) -> None:
    """Delete the former bytes of an entry, unless another entry shares them.

    :param entry: former state of the entry.
    """
    with database.transaction():
        if database.find("entries", file_id=entry.file_id) is not None:
            return
        numbers = [number for number, _ in entry.spans or ()]
        numbers += [row["object"] for row in database.select("parts", "part", file_id=entry.file_id)]
        database.delete("parts", file_id=entry.file_id)
        discard(database, objects, sorted(set(numbers)))


def assemble(database: Database, objects: ObjectStore, entry: FileEntry) -> Tuple[int, int]:
    """Move the bytes of an entry into one object, if they are in several.

    :return: object and size.
    """
    with database.transaction():
        if entry.spans is not None and len(entry.spans) == 1:
            return entry.spans[0]
        (number, descriptor), position = new_object(database, objects), 0
        try:
            for file_slice in entry.slices(objects):
                for piece in file_slice.pieces(PIECE):
                    write_all(descriptor, memoryview(piece), position)
                    position += len(piece)
        finally:
            os.close(descriptor)
        old = [former for former, _ in entry.spans or ()]
        for sharer in file_entries.of_file(database, entry.file_id):
            sharer.spans = [(number, position)]
            file_entries.save(database, sharer)
        discard(database, objects, old)
        return number, position


def sweep(database: Database, objects: ObjectStore) -> None:
    """Delete unreferenced objects that a killed process left."""
    with database.transaction():
        used: Set[int] = {row["object"] for row in database.select("parts", "part")}
        for entry in file_entries.all_entries(database):
            used.update(number for number, _ in entry.spans or ())
        stored = [row["number"] for row in database.select("stored", "number")]
        discard(database, objects, [number for number in stored if number not in used])


def hash_file(path: str, update: Callable[[bytes], None], start: int, stop: Optional[int] = None) -> int:
    """Pass a range of a stored file to a digest.

    :param update: receives the next piece.
    :param start: offset of the first byte.
    :param stop: offset after the last byte; None: the end of the file.
    :return: offset after the last byte that exists.
    """
    stop = sys.maxsize if stop is None else stop
    for piece in FileSlice(path, start, stop - start).pieces(PIECE):
        update(piece)
        start += len(piece)
    return start
