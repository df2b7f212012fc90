"""How files come to a repository: the names of the transfer types, and how a multipart upload is cut.

Source: NRP / Invenio protocol, section 6.
"""

from typing import Any, Dict, Mapping, Optional, Tuple

import attrs

from smartxfer.errors import UsageError
from smartxfer.nrp.defaults import AUTO
from smartxfer.validation import EXTRA_HINT, merge_extra, validate_keys

__all__ = ["TransferMode", "compute_part_size", "parse_transfer_mode"]

MIB = 1 << 20
#: Bounds of S3: only the last part may be smaller.
MIN_PART_SIZE = 5 * MIB
MAX_PART_SIZE = 5 << 30
MAX_PARTS = 10_000
MAX_FILE_SIZE = 5 << 40
#: Parts of this size, unless there would be too many of them.
DEFAULT_PART_SIZE = 16 * MIB
#: ``auto`` sends files in parts from this size on: less is not worth the further requests.
MULTIPART_THRESHOLD = 64 * MIB

_TRANSFER_CODES = {"local-file": "L", "url-fetch": "F", "multipart": "M", "remote": "R"}

#: Members of ``transfer`` by type; repositories refuse others (section 6).  Size and checksum of a remote
#: file are written beside it.
_TRANSFER_FIELDS: Mapping[str, Tuple[str, ...]] = {
    "L": (),
    "M": ("parts", "part_size"),
    AUTO: ("parts", "part_size"),
    "F": ("url",),
    "R": ("url", "size", "checksum"),
}


@attrs.frozen
class TransferMode:
    """How one file is to come.

    :param letter: ``L``, ``F``, ``M``, ``R`` or ``auto``.
    :param extra: further members of the start's ``transfer``.
    :param parts: how many, for M.
    :param part_size: bytes, for M; it goes before ``parts``.
    """

    code: str
    extra: Mapping[str, Any] = attrs.field(factory=dict)
    parts: Optional[int] = None
    part_size: Optional[int] = None

    @property
    def has_source_url(self) -> bool:
        """Whether the repository gets the bytes itself."""
        return self.code in "FR"

    def resolve(self, size: int, supported_codes: Any) -> "TransferMode":
        """The same, but with ``auto`` decided by the file's size and by what the repository can do.

        An empty file has no parts: repositories refuse it as a multipart upload.

        Source: NRP / Invenio protocol, section 9.
        """
        if self.code == "M" and not size:
            return attrs.evolve(self, code="L", parts=None, part_size=None)
        if self.code != AUTO:
            return self
        cut = self.parts or self.part_size or size >= MULTIPART_THRESHOLD
        return attrs.evolve(self, code="M" if cut and "M" in supported_codes and size else "L")

    def get_part_size(self, size: int) -> int:
        """Bytes per part."""
        return compute_part_size(size, self.parts, self.part_size)

    def build_payload(self, size: int) -> Dict[str, Any]:
        """The ``transfer`` member of the start."""
        known: Dict[str, Any] = {"type": self.code}
        if self.code == "M":
            part_size = self.get_part_size(size)
            known.update(parts=max(1, -(-size // part_size)), part_size=part_size)
        return {**known, **self.extra}


def parse_transfer_mode(
    transfer_type: str,
    transfer_metadata: Optional[Mapping[str, Any]] = None,
    parts: Optional[int] = None,
    part_size: Optional[int] = None,
    extra: Optional[Mapping[str, Any]] = None,
) -> TransferMode:
    """What the arguments of an upload mean.

    >>> parse_transfer_mode("multipart", part_size=6 << 20).build_payload(13 << 20)
    {'type': 'M', 'parts': 3, 'part_size': 6291456}

    :param transfer_type: ``local-file``, ``url-fetch``, ``multipart``, ``remote``, one of their letters, or
        ``auto``.
    :param transfer_metadata: goes into the start's ``transfer``; ``parts`` and ``part_size`` are read of it.
    :param extra: members of ``transfer`` that this version does not know.
    :raises UsageError: a type that there is not, a member that the type does not have, or numbers that do
        not go together.
    """
    word = str(transfer_type)
    letter = _TRANSFER_CODES.get(word.lower(), word.upper() if len(word) == 1 else word.lower())
    if letter not in (*_TRANSFER_CODES.values(), AUTO):
        types = ", ".join(f"{name!r}" for name in (*_TRANSFER_CODES, AUTO))
        raise UsageError(f"there is no transfer type {transfer_type!r}", hint=f"there are {types}")
    known = ("type", *_TRANSFER_FIELDS[letter])
    validate_keys(transfer_metadata, known, "transfer_metadata", hint=EXTRA_HINT)
    given = dict(transfer_metadata or {})
    stray = given.pop("type", None)
    if stray is not None and parse_transfer_mode(stray).code != letter:
        raise UsageError(
            f"transfer_metadata says type {stray!r}, transfer_type {transfer_type!r}",
            hint="leave 'type' out of transfer_metadata",
        )
    if letter in ("M", AUTO):
        parts = _validate_count("parts", given.pop("parts", None) if parts is None else parts)
        part_size = _validate_count(
            "part_size", given.pop("part_size", None) if part_size is None else part_size
        )
    elif parts is not None or part_size is not None:
        raise UsageError("only a multipart upload has parts", hint="transfer_type='multipart'")
    return TransferMode(letter, merge_extra(given, extra, known), parts, part_size)


def compute_part_size(size: int, parts: Optional[int] = None, part_size: Optional[int] = None) -> int:
    """Bytes of every part but the last.

    :raises UsageError: beyond the bounds of S3, which are asked of every repository: 5 MiB to 5 GiB a part,
        10,000 parts, 5 TiB.
    """
    if size > MAX_FILE_SIZE:
        raise UsageError(
            f"{size} bytes are more than a repository takes in parts (5 TiB)", hint="split the file"
        )
    if part_size is None and parts is not None:
        part_size = max(1, -(-size // parts))
    if part_size is None:
        least = -(-size // MAX_PARTS)
        return max(DEFAULT_PART_SIZE, -(-least // MIB) * MIB)
    if size > part_size < MIN_PART_SIZE:
        raise UsageError(f"parts of {part_size} bytes are too small", hint="5 MiB is the least")
    if part_size > MAX_PART_SIZE:
        raise UsageError(f"parts of {part_size} bytes are too large", hint="5 GiB is the most")
    if size > part_size * MAX_PARTS:
        raise UsageError(
            f"{size} bytes in parts of {part_size} are more than {MAX_PARTS} parts",
            hint="pass a larger part_size=",
        )
    return part_size


def _validate_count(name: str, value: Any) -> Optional[int]:
    if value is None:
        return None
    if type(value) is not int or value < 1:
        raise UsageError(f"{name} is a number of at least 1, not {value!r}", hint=f"pass {name}=1 or more")
    return value
