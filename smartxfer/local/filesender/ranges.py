"""Which bytes a ``Range`` header gets, with the faults of real servers or without.

Source: FileSender protocol, section 8.3; section 9 for encrypted files.
"""

import re
from typing import List, NamedTuple, Optional, Tuple

from smartxfer.local.http_ranges import satisfied

Stretch = Tuple[int, int]


class Range(NamedTuple):
    """One range.

    :param start: first byte.
    :param end: last byte as the headers say it.
    :param last: last byte as the server reads it; the same on a correct server.
    """

    start: int
    end: int
    last: int

    @property
    def length(self) -> int:
        """Bytes that the headers promise."""
        return self.end - self.start + 1


def read_ranges(header: str, size: int, *, strict: bool) -> Optional[List[Range]]:
    """The ranges of a header.

    :param header: value of ``Range``.
    :param size: bytes of the file.
    :param strict: with the faults of real servers: an open end is taken as ``size``, an end beyond
        is not clamped, a suffix is taken as a start of 0.
    :return: None where the answer is 416.
    """
    unit, equals, listed = header.partition("=")
    if unit.strip() != "bytes" or not equals:
        return None
    found = []
    for item in listed.split(","):
        match = re.fullmatch(r"\s*(\d{0,18})-(\d{0,18})\s*", item, re.ASCII)
        if match is None or match.groups() == ("", ""):
            return None
        one = (_faulty if strict else _correct)(match.group(1), match.group(2), size)
        if one is None:
            return None
        found.append(one)
    return found


# By hand: this is what real servers make of ranges.
def _faulty(first: str, last: str, size: int) -> Optional[Range]:
    start = int(first or 0)
    end = int(last) if last else size
    return None if start > end else Range(start, end, end)


def _correct(first: str, last: str, size: int) -> Optional[Range]:
    found = satisfied(first, last, size)
    return None if found is None else Range(*found, found[1])


def spans(start: int, last: int, size: int, step: int) -> List[Stretch]:
    """Stretches (offset, count) that the server's read loop sends for one faulty range.

    The loop goes from ``start`` while below ``last``, ``step`` bytes a time: where ``last -
    start`` is a multiple of ``step`` the byte at ``last`` is never reached.

    :param step: the server's chunk size.
    """
    stop = min(last + 1, size)
    if (last - start) % step == 0:
        stop = min(last, size)
    return [(start, stop - start)] if stop > start else []


def encrypted_spans(start: int, stop: int, wanted: int, size: int, chunk: int) -> List[Stretch]:
    """Stretches of an encrypted file: each step of the loop is mapped from plaintext to ciphertext.

    A whole file of several chunks comes out short and damaged, as on real servers.

    :param start: first byte as asked for, a plaintext offset.
    :param stop: where the loop ends: the last byte asked for, or the size for a whole file.
    :param wanted: bytes of ciphertext wanted.
    :param size: bytes of ciphertext.
    :param chunk: plaintext bytes of a chunk.
    """
    step, found = chunk + 32, []
    for at in range(start, stop, step):
        place = at // chunk * step + at % chunk
        count = min(step, start + wanted - at, size - place)
        if count > 0:
            found.append((place, count))
    return found
