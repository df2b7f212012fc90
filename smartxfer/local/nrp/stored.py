"""Objects behind entries: taken in, shared by entries, given back when the last entry is gone.

Source: NRP protocol, section 5 (content).
"""

import hashlib
import os
import sys
from typing import Callable, List, NamedTuple, Optional, Set, Tuple

from smartxfer.local.database import Database
from smartxfer.local.http_messages import FileSlice
from smartxfer.local.nrp import entries
from smartxfer.local.nrp.entries import Entry
from smartxfer.local.objects import PIECE, Objects, Stream, pour, write_all


class Received(NamedTuple):
    """Bytes that came.

    :param object: number of the object that they are in.
    :param size: how many.
    :param md5: their md5, hex.
    """

    object: int
    size: int
    md5: str


class TooMuch(Exception):
    """More bytes came than are allowed."""


def new_object(database: Database, objects: Objects) -> Tuple[int, int]:
    """Make an empty object.

    :return: its number, and a descriptor to write it, which is the caller's to close.
    """
    number = database.run("INSERT INTO stored DEFAULT VALUES")
    descriptor = objects.open(number)
    # A transaction that was undone gives its numbers back, but not what it wrote under them.
    os.ftruncate(descriptor, 0)
    return number, descriptor


def receive(
    database: Database,
    objects: Objects,
    stream: Stream,
    *,
    length: Optional[int] = None,
    most: Optional[int] = None,
) -> Received:
    """Take bytes into a new object, their md5 reckoned on the way.

    :param stream: where they come from.
    :param length: how many are announced; None where nobody said.
    :param most: how many are allowed.
    :raises TooMuch: more came; nothing is kept, as with any other error.
    """
    number, descriptor = new_object(database, objects)
    digest = hashlib.md5()

    def take(piece: memoryview, at: int) -> None:
        if most is not None and at + len(piece) > most:
            raise TooMuch
        digest.update(piece)
        write_all(descriptor, piece, at)

    try:
        try:
            size = pour(stream, take, length)
        finally:
            os.close(descriptor)
    except BaseException:
        discard(database, objects, [number])
        raise
    return Received(number, size, digest.hexdigest())


def note_part(database: Database, file_id: str, part: int, received: Received) -> None:
    """Note that a part of a file came."""
    values = {"object": received.object, "size": received.size, "etag": received.md5}
    database.replace("parts", file_id=file_id, part=part, **values)


def discard(database: Database, objects: Objects, numbers: List[int]) -> None:
    """Remove objects that no entry has."""
    for number in numbers:
        objects.delete(number)
        database.delete("stored", number=number)


def free(database: Database, objects: Objects, entry: Entry) -> None:
    """Remove the bytes of an entry that is deleted or got others, unless another entry shares them.

    :param entry: as it was; its row is gone or names another file.
    """
    with database.transaction():
        if database.find("entries", file_id=entry.file_id) is not None:
            return
        numbers = [number for number, _ in entry.spans or ()]
        numbers += [row["object"] for row in database.select("parts", "part", file_id=entry.file_id)]
        database.delete("parts", file_id=entry.file_id)
        discard(database, objects, sorted(set(numbers)))


def assemble(database: Database, objects: Objects, entry: Entry) -> Tuple[int, int]:
    """Bring the bytes of an entry into one object, where they lie in several.

    :return: object and size.
    """
    with database.transaction():
        if entry.spans is not None and len(entry.spans) == 1:
            return entry.spans[0]
        (number, descriptor), at = new_object(database, objects), 0
        try:
            for span in entry.stretches(objects):
                for piece in span.pieces(PIECE):
                    write_all(descriptor, memoryview(piece), at)
                    at += len(piece)
        finally:
            os.close(descriptor)
        old = [former for former, _ in entry.spans or ()]
        for sharer in entries.of_file(database, entry.file_id):
            sharer.spans = [(number, at)]
            entries.save(database, sharer)
        discard(database, objects, old)
        return number, at


def sweep(database: Database, objects: Objects) -> None:
    """Remove what a killed process left: objects that nothing refers to."""
    with database.transaction():
        used: Set[int] = {row["object"] for row in database.select("parts", "part")}
        for entry in entries.everything(database):
            used.update(number for number, _ in entry.spans or ())
        lying = [row["number"] for row in database.select("stored", "number")]
        discard(database, objects, [number for number in lying if number not in used])


def hashed(path: str, update: Callable[[bytes], None], start: int, stop: Optional[int] = None) -> int:
    """Show a stretch of a stored file to a digest.

    :param update: takes in the next piece.
    :param start: offset of the first byte.
    :param stop: offset behind the last one; None: the end of the file.
    :return: offset behind the last byte that was there.
    """
    stop = sys.maxsize if stop is None else stop
    for piece in FileSlice(path, start, stop - start).pieces(PIECE):
        update(piece)
        start += len(piece)
    return start
