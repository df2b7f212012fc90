"""Choice of the transfer type (one request, multipart, by URL), and the part sizes of multipart uploads.

Source: NRP / Invenio protocol, section 6.
"""

from typing import Any, Dict, Mapping, Optional, Tuple

import attrs

from smartxfer.errors import UsageError
from smartxfer.nrp.defaults import AUTO
from smartxfer.validation import EXTRA_HINT, merge_extra, validate_keys

__all__ = ["TransferMode", "compute_part_size", "parse_transfer_mode"]

MIB = 1 << 20
#: Limits of S3; only the last part may be smaller.
MIN_PART_SIZE = 5 * MIB
MAX_PART_SIZE = 5 << 30
MAX_PARTS = 10_000
MAX_FILE_SIZE = 5 << 40
#: Default part size, unless there would be too many parts.
DEFAULT_PART_SIZE = 16 * MIB
#: ``auto`` selects a multipart upload from this size on; less is not worth the additional requests.
MULTIPART_THRESHOLD = 64 * MIB

_TRANSFER_CODES = {"local-file": "L", "url-fetch": "F", "multipart": "M", "remote": "R"}

#: Members of ``transfer`` by type; repositories reject others (section 6).  Size and checksum of a remote
#: file are sent next to ``transfer``.
_TRANSFER_FIELDS: Mapping[str, Tuple[str, ...]] = {
    "L": (),
    "M": ("parts", "part_size"),
    AUTO: ("parts", "part_size"),
    "F": ("url",),
    "R": ("url", "size", "checksum"),
}


@attrs.frozen
class TransferMode:
    """Transfer type of an upload, and its parameters.

    :param code: ``L``, ``F``, ``M``, ``R`` or ``auto``.
    :param extra: further members of ``transfer`` in the request.
    :param parts: number of parts, for M.
    :param part_size: size of a part in bytes, for M; takes precedence over ``parts``.
    """

    code: str
    extra: Mapping[str, Any] = attrs.field(factory=dict)
    parts: Optional[int] = None
    part_size: Optional[int] = None

    @property
    def has_source_url(self) -> bool:
        """True if the repository fetches the bytes from a URL, or refers to it."""
        return self.code in "FR"

    def resolve(self, size: int, supported_codes: Any) -> "TransferMode":
        """Return the mode with ``auto`` replaced, based on the file size and the supported transfer types.

        Repositories reject a multipart upload of an empty file, so it becomes ``L``.

        Source: NRP / Invenio protocol, section 9.
        """
        if self.code == "M" and not size:
            return attrs.evolve(self, code="L", parts=None, part_size=None)
        if self.code != AUTO:
            return self
        use_parts = self.parts or self.part_size or size >= MULTIPART_THRESHOLD
        return attrs.evolve(self, code="M" if use_parts and "M" in supported_codes and size else "L")

    def get_part_size(self, size: int) -> int:
        """Return the part size in bytes for a file of ``size`` bytes."""
        return compute_part_size(size, self.parts, self.part_size)

    def build_payload(self, size: int) -> Dict[str, Any]:
        """Return the member ``transfer`` of the request that initiates an upload."""
        payload: Dict[str, Any] = {"type": self.code}
        if self.code == "M":
            part_size = self.get_part_size(size)
            payload.update(parts=max(1, -(-size // part_size)), part_size=part_size)
        return {**payload, **self.extra}


def parse_transfer_mode(
    transfer_type: str,
    transfer_metadata: Optional[Mapping[str, Any]] = None,
    parts: Optional[int] = None,
    part_size: Optional[int] = None,
    extra: Optional[Mapping[str, Any]] = None,
) -> TransferMode:
    """Return the transfer mode for the arguments of an upload.

    >>> parse_transfer_mode("multipart", part_size=6 << 20).build_payload(13 << 20)
    {'type': 'M', 'parts': 3, 'part_size': 6291456}

    :param transfer_type: ``local-file``, ``url-fetch``, ``multipart``, ``remote``, one of their codes, or
        ``auto``.
    :param transfer_metadata: members of ``transfer``; may contain ``parts`` and ``part_size``.
    :param extra: further members of ``transfer``.
    :raises UsageError: the type is unknown, a member is not supported by the type, or parameters contradict
        each other.
    """
    name = str(transfer_type)
    code = _TRANSFER_CODES.get(name.lower(), name.upper() if len(name) == 1 else name.lower())
    if code not in (*_TRANSFER_CODES.values(), AUTO):
        types = ", ".join(f"{each!r}" for each in (*_TRANSFER_CODES, AUTO))
        raise UsageError(f"unknown transfer_type: {transfer_type!r}", hint=f"pass one of {types}")
    known = ("type", *_TRANSFER_FIELDS[code])
    validate_keys(transfer_metadata, known, "transfer_metadata", hint=EXTRA_HINT)
    members = dict(transfer_metadata or {})
    type_member = members.pop("type", None)
    if type_member is not None and parse_transfer_mode(type_member).code != code:
        raise UsageError(
            f"transfer_metadata has type {type_member!r}, but transfer_type is {transfer_type!r}",
            hint="remove 'type' from transfer_metadata",
        )
    if code in ("M", AUTO):
        parts = _validate_count("parts", members.pop("parts", None) if parts is None else parts)
        part_size = _validate_count(
            "part_size", members.pop("part_size", None) if part_size is None else part_size
        )
    elif parts is not None or part_size is not None:
        raise UsageError(
            "parts= and part_size= require a multipart upload", hint="pass transfer_type='multipart'"
        )
    return TransferMode(code, merge_extra(members, extra, known), parts, part_size)


def compute_part_size(size: int, parts: Optional[int] = None, part_size: Optional[int] = None) -> int:
    """Return the size of all parts except the last, in bytes.

    :raises UsageError: the limits of S3, which apply to every repository, are exceeded: 5 MiB to 5 GiB per
        part, 10,000 parts, 5 TiB.
    """
    if size > MAX_FILE_SIZE:
        raise UsageError(
            f"the file is too large for an upload: {size} bytes", hint="split the file: 5 TiB is the maximum"
        )
    if part_size is None and parts is not None:
        part_size = max(1, -(-size // parts))
    if part_size is None:
        least = -(-size // MAX_PARTS)
        return max(DEFAULT_PART_SIZE, -(-least // MIB) * MIB)
    if size > part_size < MIN_PART_SIZE:
        raise UsageError(f"parts of {part_size} bytes are too small", hint="pass part_size=5 << 20 or more")
    if part_size > MAX_PART_SIZE:
        raise UsageError(f"parts of {part_size} bytes are too large", hint="pass part_size=5 << 30 or less")
    if size > part_size * MAX_PARTS:
        raise UsageError(
            f"{size} bytes in parts of {part_size} are more than {MAX_PARTS} parts",
            hint=f"pass part_size={-(-size // MAX_PARTS)} or more",
        )
    return part_size


def _validate_count(name: str, value: Any) -> Optional[int]:
    if value is None:
        return None
    if type(value) is not int or value < 1:
        raise UsageError(
            f"{name} must be a number of at least 1, not {value!r}", hint=f"pass {name}=1 or more"
        )
    return value
