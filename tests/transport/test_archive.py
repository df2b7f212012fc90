"""The end marks of archives: complete archives pass, and no prefix of an archive does."""

from __future__ import annotations

import hashlib
import io
import re
import struct
import tarfile
import zipfile
import zlib
from pathlib import Path
from typing import Any, Dict, List, Optional

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smartxfer.errors import IntegrityError, Truncated, UsageError
from smartxfer.transport.archive_check import create_archive_check

DATA = Path(__file__).parent.parent / "data"
FILES: Dict[str, bytes] = {"a.txt": b"ACGT" * 25, "d/b.bin": hashlib.shake_256(b"b").digest(3000), "d/é.txt": b"z", "empty": b""}
SIZES = [len(data) for data in FILES.values()]
FORMATS = {"ustar": tarfile.USTAR_FORMAT, "gnu": tarfile.GNU_FORMAT, "pax": tarfile.PAX_FORMAT}


def tar(files: Dict[str, bytes], form: str = "pax") -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=FORMATS[form]) as pack:
        folder = tarfile.TarInfo("d")
        folder.type = tarfile.DIRTYPE
        pack.addfile(folder)
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            pack.addfile(info, io.BytesIO(data))
    return made.getvalue()


def zipped(files: Dict[str, bytes], comment: bytes = b"", folder: bool = True) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as pack:
        if folder:
            pack.writestr("d/", b"")
        for name, data in files.items():
            pack.writestr(zipfile.ZipInfo(name), data)
        pack.comment = comment
    return made.getvalue()


def as_zip64(data: bytes) -> bytes:
    """The same archive with the records that large ones have; the old end record refers to them."""
    at = data.rindex(b"PK\x05\x06")
    _, _, _, here, count, size, offset, _ = struct.unpack_from("<4sHHHHIIH", data, at)
    wide = struct.pack("<4sQHHIIQQQQ", b"PK\x06\x06", 44, 45, 45, 0, 0, here, count, size, offset)
    locator = struct.pack("<4sIQI", b"PK\x06\x07", 0, at, 1)
    end = struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    return data[:at] + wide + locator + end


def check(form: str, data: bytes, sizes: Optional[List[int]] = SIZES, block: int = 700) -> None:
    """Feed the bytes in blocks, and finish."""
    one = create_archive_check(form, "all", sizes)
    for at in range(0, len(data), block):
        one.feed(memoryview(data)[at : at + block])
    one.verify()


WHOLE: Dict[str, Any] = {
    "zip": ("zip", zipped(FILES)),
    "zip without directories": ("zip", zipped(FILES, folder=False)),
    "zip with a comment": ("zip", zipped(FILES, comment=b"PK\x05\x06 is how an end begins")),
    "zip64": ("zip", as_zip64(zipped(FILES))),
    "tar ustar": ("tar", tar(FILES, "ustar")),
    "tar gnu": ("tar", tar({**FILES, "d/" + "n" * 300: b"long"}, "gnu")),
    "tar pax": ("tar", tar(FILES, "pax")),
    "tar with the shortest trailer": ("tar", tar(FILES).rstrip(b"\0")),
}


def _whole(kind: str) -> Any:
    form, data = WHOLE[kind]
    if kind == "tar with the shortest trailer":
        data += bytes(-len(data) % 512 + 1024)
    return form, data, [*SIZES, 4] if kind == "tar gnu" else SIZES


@pytest.mark.parametrize("block", [1, 511, 512, 1 << 20])
@pytest.mark.parametrize("kind", WHOLE)
def test_a_whole_archive_passes(kind: str, block: int) -> None:
    form, data, sizes = _whole(kind)
    check(form, data, sizes, block)
    check(form, data, None, block)


@pytest.mark.parametrize("kind", WHOLE)
def test_no_shorter_archive_passes(kind: str) -> None:
    """Of a tar, the end is the second block of zeros; the zeros after it may be missing."""
    form, data, sizes = _whole(kind)
    least = len(data)
    if form == "tar":
        filled = -(-len(data.rstrip(b"\0")) // 512) * 512
        least = filled + 1024
    for stop in {*range(0, least, 97), *range(max(0, least - 80), least), len(data) * 6 // 10}:
        with pytest.raises((Truncated, IntegrityError)):
            check(form, data[:stop], sizes)
        with pytest.raises((Truncated, IntegrityError)):
            check(form, data[:stop], None)


@pytest.mark.parametrize("form", ["zip", "tar"])
def test_an_archive_that_lacks_a_file_is_refused(form: str) -> None:
    make = zipped if form == "zip" else tar
    fewer = dict(list(FILES.items())[:3])
    with pytest.raises(IntegrityError, match="contains 3 files, not 4") as caught:
        check(form, make(fewer))
    assert "one by one" in caught.value.hint
    with pytest.raises(IntegrityError, match="contains 5 files, not 4"):
        check(form, make({**FILES, "more": b""}))


@pytest.mark.parametrize("form", ["zip", "tar"])
def test_a_file_that_is_shorter_in_the_archive_is_refused(form: str) -> None:
    make = zipped if form == "zip" else tar
    with pytest.raises(IntegrityError, match="2999 bytes, expected 3000"):
        check(form, make({**FILES, "d/b.bin": FILES["d/b.bin"][1:]}))


@pytest.mark.parametrize(
    "harm",
    [
        lambda data: data.replace(b"PK\x01\x02", b"PK\x01\x03", 1),
        lambda data: data + b"\0",
        lambda data: data[10:],
        lambda data: data[:-12] + struct.pack("<I", 5) + data[-8:],
        lambda data: data[:-14] + struct.pack("<HH", 4, 4) + data[-10:],
    ],
    ids=["directory", "a byte more", "cut at its start", "length", "count"],
)
def test_a_zip_that_contradicts_itself_is_refused(harm: Any) -> None:
    with pytest.raises((Truncated, IntegrityError)):
        check("zip", harm(zipped(FILES)), None)


def test_a_tar_with_a_hole_is_refused() -> None:
    """If a file is shorter than its header says, its padding is read as the next header."""
    data = tar(FILES)
    with pytest.raises(IntegrityError):
        check("tar", data[:2000] + data[2100:])
    with pytest.raises(IntegrityError, match="bytes after its end"):
        check("tar", data.rstrip(b"\0") + bytes(-len(data.rstrip(b"\0")) % 512 + 1024) + b"x" * 512)


# -- as a FileSender site packs them ------------------------------------------------------------------------

CAPTURED = {"d/a.txt": b"12345", "empty.bin": b"", "0": b"abc"}


def site_zip(files: Dict[str, bytes]) -> bytes:
    """A zip with 64-bit sizes in local headers and data descriptors, and 32-bit ones in its directory."""
    body, directory = b"", b""
    for name, data in files.items():
        crc, raw = zlib.crc32(data), name.encode()
        directory += struct.pack(
            "<4sHHHHIIIIHHHHHII", b"PK\x01\x02", 0x603, 45, 0x808, 0, 0, crc, len(data), len(data), len(raw), 0, 0, 0, 0, 0, len(body),
        ) + raw  # fmt: skip
        body += struct.pack("<4sHHHIIIIHH", b"PK\x03\x04", 45, 0x808, 0, 0, 0, 0xFFFFFFFF, 0xFFFFFFFF, len(raw), 20)
        body += raw + struct.pack("<HHQQ", 1, 16, 0, 0) + data
        body += struct.pack("<4sIQQ", b"PK\x07\x08", crc, len(data), len(data))
    count = len(files)
    end = struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, count, count, len(directory), len(body), 0)
    return body + directory + end


def site_tar(files: Dict[str, bytes]) -> bytes:
    """A tar with unpadded octal numbers, and sizes of 60 bytes and more in base 256."""
    made = b""
    for name, data in files.items():
        folder, _, base = name.rpartition("/")
        size = b"%o" % len(data) if len(data) < 60 else struct.pack(">IQ", 0x80000000, len(data))
        fields = [(base.encode(), 100), (b"0000777", 8), (b"0", 8), (b"0", 8), (size, 12), (b"15243701401", 12)]
        fields += [(b" " * 8, 8), (b"0", 1), (b"", 100), (b"ustar", 6), (b"00", 2), (b"", 80), (folder.encode(), 155)]
        header = b"".join(value.ljust(width, b"\0") for value, width in fields).ljust(512, b"\0")
        header = header[:148] + b"%06o\0 " % sum(header) + header[156:]
        made += header + data + bytes(-len(data) % 512)
    return made + bytes(1024)


def test_the_forms_have_the_lengths_that_real_sites_announced() -> None:
    """424 and 3584 bytes: the calls "dl zip" and "dl tar" of the capture of 3.8."""
    text = (DATA / "filesender-3.8-wire.txt").read_text("utf-8")
    for label, made in (("dl zip", site_zip(CAPTURED)), ("dl tar", site_tar(CAPTURED))):
        found = re.search(rf'=== {label}\n.*\n<<< .*"Content-Length": "(\d+)"', text)
        assert found is not None
        assert len(made) == int(found[1])


@pytest.mark.parametrize("files", [CAPTURED, FILES, {"a" * 99: bytes(59), "b": bytes(60), "c": bytes(100_000)}])
def test_an_archive_as_real_sites_pack_it_passes(files: Dict[str, bytes]) -> None:
    sizes = [len(data) for data in files.values()]
    for form, data in (("zip", site_zip(files)), ("tar", site_tar(files))):
        check(form, data, sizes)
        with pytest.raises((Truncated, IntegrityError)):
            check(form, data[: len(data) * 6 // 10], sizes)
    with zipfile.ZipFile(io.BytesIO(site_zip(files))) as pack:
        assert {name: pack.read(name) for name in pack.namelist()} == files
    with tarfile.open(fileobj=io.BytesIO(site_tar(files))) as tape:
        assert {member.name: tape.extractfile(member).read() for member in tape.getmembers()} == files


def test_the_size_of_a_large_file_comes_from_the_extended_header() -> None:
    """Above 8 GiB an octal field is too short: the size is in a pax record, or in base 256."""
    huge = 9 << 30
    for form in ("pax", "gnu"):
        info = tarfile.TarInfo("huge")
        info.size = huge
        one = create_archive_check("tar", "all", [huge])
        one.feed(info.tobuf(FORMATS[form]))
        block = memoryview(bytes(64 << 20))
        for _ in range(huge // len(block)):
            one.feed(block)
        one.feed(bytes(1024))
        one.verify()


def test_more_files_than_are_kept() -> None:
    """Memory is bounded: of a larger directory only the position is checked, not the entries."""
    count = 40_000
    name = "n" * 70
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as pack:
        for number in range(count):
            pack.writestr(f"{name}{number}", b"")
    data = made.getvalue()
    check("zip", data, [0] * count, 1 << 16)
    with pytest.raises((Truncated, IntegrityError)):
        check("zip", data[: len(data) * 6 // 10], [0] * count, 1 << 16)


def test_other_forms_are_refused() -> None:
    with pytest.raises(UsageError, match="unknown archive format"):
        create_archive_check("rar", "all")


@given(st.sampled_from(["zip", "tar"]), st.binary(max_size=2000), st.integers(1, 600))
def test_other_bytes_are_our_error(form: str, data: bytes, block: int) -> None:
    with pytest.raises((Truncated, IntegrityError)):
        check(form, data, [1], block)


@given(st.integers(0, len(WHOLE["zip64"][1]) - 1), st.integers(1, 255), st.sampled_from(sorted(WHOLE)))
def test_a_damaged_archive_is_accepted_or_our_error(at: int, flip: int, kind: str) -> None:
    """The checks read lengths and offsets from the archive; none may point outside of it."""
    form, data, sizes = _whole(kind)
    damaged = bytearray(data)
    damaged[-1 - at % len(data)] ^= flip
    try:
        check(form, bytes(damaged), sizes)
    except (Truncated, IntegrityError):
        pass


def test_a_tar_that_zeros_follow_without_end_is_refused() -> None:
    check, zeros = create_archive_check("tar", "all.tar", SIZES), bytes(1 << 16)
    check.feed(tar(FILES) + zeros)
    with pytest.raises(IntegrityError, match="too many zero blocks"):
        for _ in range(1 << 16):
            check.feed(zeros)


@pytest.mark.parametrize("data", [b"{}  ", b"<htm", b"PK\x01\x02", bytes(4)])
def test_what_does_not_begin_as_a_zip_is_refused_at_once(data: bytes) -> None:
    check = create_archive_check("zip", "all.zip", SIZES)
    check.feed(data[:2])
    with pytest.raises(IntegrityError, match="does not begin"):
        check.feed(data[2:])
