"""How files come to a repository: the names of the transfer types, and how a multipart upload is cut.

Source: NRP / Invenio protocol, section 6.
"""

from typing import Any, Dict, Mapping, Optional, Tuple

import attrs

from smartxfer.errors import UsageError
from smartxfer.nrp.defaults import AUTO
from smartxfer.options import DELIBERATE, check_keys, with_extra

__all__ = ["How", "how", "part_size_for"]

MIB = 1 << 20
#: Bounds of S3: only the last part may be smaller.
SMALLEST_PART = 5 * MIB
LARGEST_PART = 5 << 30
MOST_PARTS = 10_000
LARGEST_FILE = 5 << 40
#: Parts of this size, unless there would be too many of them.
USUAL_PART = 16 * MIB
#: ``auto`` sends files in parts from this size on: less is not worth the further requests.
AUTO_FROM = 64 * MIB

_LETTERS = {"local-file": "L", "url-fetch": "F", "multipart": "M", "remote": "R"}

#: Members of ``transfer`` by type; repositories refuse others (section 6).  Size and checksum of a remote
#: file are written beside it.
_MEMBERS: Mapping[str, Tuple[str, ...]] = {
    "L": (),
    "M": ("parts", "part_size"),
    AUTO: ("parts", "part_size"),
    "F": ("url",),
    "R": ("url", "size", "checksum"),
}


@attrs.frozen
class How:
    """How one file is to come.

    :param letter: ``L``, ``F``, ``M``, ``R`` or ``auto``.
    :param extra: further members of the start's ``transfer``.
    :param parts: how many, for M.
    :param part_size: bytes, for M; it goes before ``parts``.
    """

    letter: str
    extra: Mapping[str, Any] = attrs.field(factory=dict)
    parts: Optional[int] = None
    part_size: Optional[int] = None

    @property
    def by_url(self) -> bool:
        """Whether the repository gets the bytes itself."""
        return self.letter in "FR"

    def settled(self, size: int, supported: Any) -> "How":
        """The same, but with ``auto`` decided by the file's size and by what the repository can do.

        An empty file has no parts: repositories refuse it as a multipart upload.

        Source: NRP / Invenio protocol, section 9.
        """
        if self.letter == "M" and not size:
            return attrs.evolve(self, letter="L", parts=None, part_size=None)
        if self.letter != AUTO:
            return self
        cut = self.parts or self.part_size or size >= AUTO_FROM
        return attrs.evolve(self, letter="M" if cut and "M" in supported and size else "L")

    def cut(self, size: int) -> int:
        """Bytes per part."""
        return part_size_for(size, self.parts, self.part_size)

    def payload(self, size: int) -> Dict[str, Any]:
        """The ``transfer`` member of the start."""
        known: Dict[str, Any] = {"type": self.letter}
        if self.letter == "M":
            part_size = self.cut(size)
            known.update(parts=max(1, -(-size // part_size)), part_size=part_size)
        return {**known, **self.extra}


def how(
    transfer_type: str,
    transfer_metadata: Optional[Mapping[str, Any]] = None,
    parts: Optional[int] = None,
    part_size: Optional[int] = None,
    extra: Optional[Mapping[str, Any]] = None,
) -> How:
    """What the arguments of an upload mean.

    >>> how("multipart", part_size=6 << 20).payload(13 << 20)
    {'type': 'M', 'parts': 3, 'part_size': 6291456}

    :param transfer_type: ``local-file``, ``url-fetch``, ``multipart``, ``remote``, one of their letters, or
        ``auto``.
    :param transfer_metadata: goes into the start's ``transfer``; ``parts`` and ``part_size`` are read of it.
    :param extra: members of ``transfer`` that this version does not know.
    :raises UsageError: a type that there is not, a member that the type does not have, or numbers that do
        not go together.
    """
    word = str(transfer_type)
    letter = _LETTERS.get(word.lower(), word.upper() if len(word) == 1 else word.lower())
    if letter not in (*_LETTERS.values(), AUTO):
        types = ", ".join(f"{name!r}" for name in (*_LETTERS, AUTO))
        raise UsageError(f"there is no transfer type {transfer_type!r}", hint=f"there are {types}")
    known = ("type", *_MEMBERS[letter])
    check_keys(transfer_metadata, known, "transfer_metadata", hint=DELIBERATE)
    given = dict(transfer_metadata or {})
    stray = given.pop("type", None)
    if stray is not None and how(stray).letter != letter:
        raise UsageError(f"transfer_metadata says type {stray!r}, transfer_type {transfer_type!r}")
    if letter in ("M", AUTO):
        parts = _count("parts", given.pop("parts", None) if parts is None else parts)
        part_size = _count("part_size", given.pop("part_size", None) if part_size is None else part_size)
    elif parts is not None or part_size is not None:
        raise UsageError("only a multipart upload has parts", hint="transfer_type='multipart'")
    return How(letter, with_extra(given, extra, known), parts, part_size)


def part_size_for(size: int, parts: Optional[int] = None, part_size: Optional[int] = None) -> int:
    """Bytes of every part but the last.

    :raises UsageError: beyond the bounds of S3, which are asked of every repository: 5 MiB to 5 GiB a part,
        10,000 parts, 5 TiB.
    """
    if size > LARGEST_FILE:
        raise UsageError(f"{size} bytes are more than a repository takes in parts (5 TiB)")
    if part_size is None and parts is not None:
        part_size = max(1, -(-size // parts))
    if part_size is None:
        least = -(-size // MOST_PARTS)
        return max(USUAL_PART, -(-least // MIB) * MIB)
    if size > part_size < SMALLEST_PART:
        raise UsageError(f"parts of {part_size} bytes are too small", hint="5 MiB is the least")
    if part_size > LARGEST_PART:
        raise UsageError(f"parts of {part_size} bytes are too large", hint="5 GiB is the most")
    if size > part_size * MOST_PARTS:
        raise UsageError(f"{size} bytes in parts of {part_size} are more than {MOST_PARTS} parts")
    return part_size


def _count(name: str, value: Any) -> Optional[int]:
    if value is None:
        return None
    if type(value) is not int or value < 1:
        raise UsageError(f"{name} is a number of at least 1, not {value!r}")
    return value
