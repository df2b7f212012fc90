"""Evaluation of ``Range`` headers, with or without the errors of real servers.

Source: FileSender protocol, section 8.3; section 9 for encrypted files.
"""

import re
from typing import List, NamedTuple, Optional, Tuple

from smartxfer.local.http_ranges import satisfied

Span = Tuple[int, int]


class Range(NamedTuple):
    """One range.

    :param start: first byte.
    :param end: last byte in the response headers.
    :param last: last byte that the server reads; the same on a correct server.
    """

    start: int
    end: int
    last: int

    @property
    def length(self) -> int:
        """Length in the response headers."""
        return self.end - self.start + 1


def read_ranges(header: str, size: int, *, strict: bool) -> Optional[List[Range]]:
    """Parse a ``Range`` header.

    :param header: value of ``Range``.
    :param size: bytes of the file.
    :param strict: with the errors of real servers: an open end is taken as ``size``, an end beyond
        is not clamped, a suffix is taken as a start of 0.
    :return: None if the response is 416.
    """
    unit, equals, ranges_text = header.partition("=")
    if unit.strip() != "bytes" or not equals:
        return None
    ranges = []
    for item in ranges_text.split(","):
        match = re.fullmatch(r"\s*(\d{0,18})-(\d{0,18})\s*", item, re.ASCII)
        if match is None or match.groups() == ("", ""):
            return None
        byte_range = (_as_real_servers if strict else _by_rfc)(match.group(1), match.group(2), size)
        if byte_range is None:
            return None
        ranges.append(byte_range)
    return ranges


# Not by werkzeug: this reproduces the errors of real servers.
def _as_real_servers(first: str, last: str, size: int) -> Optional[Range]:
    start = int(first or 0)
    end = int(last) if last else size
    return None if start > end else Range(start, end, end)


def _by_rfc(first: str, last: str, size: int) -> Optional[Range]:
    byte_range = satisfied(first, last, size)
    return None if byte_range is None else Range(*byte_range, byte_range[1])


def spans(start: int, last: int, size: int, step: int) -> List[Span]:
    """Yield the spans (offset, count) that the server's read loop sends for one faulty range.

    The loop runs from ``start`` in steps of ``step`` bytes while it is below ``last``.  Therefore it omits
    the byte at ``last`` if ``last - start`` is a multiple of ``step``.

    :param step: the server's chunk size.
    """
    stop = min(last + 1, size)
    if (last - start) % step == 0:
        stop = min(last, size)
    return [(start, stop - start)] if stop > start else []


def encrypted_spans(start: int, stop: int, requested: int, size: int, chunk: int) -> List[Span]:
    """Yield the spans of an encrypted file: each step of the loop maps plaintext to ciphertext.

    A whole file of several chunks is truncated and damaged, as on real servers.

    :param start: first requested byte, as an offset in the plaintext.
    :param stop: end of the loop: the last requested byte, or the size for a whole file.
    :param requested: requested number of ciphertext bytes.
    :param size: bytes of ciphertext.
    :param chunk: plaintext bytes of a chunk.
    """
    step, spans = chunk + 32, []
    for position in range(start, stop, step):
        place = position // chunk * step + position % chunk
        count = min(step, start + requested - position, size - place)
        if count > 0:
            spans.append((place, count))
    return spans
