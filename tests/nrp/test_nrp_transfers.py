"""Transfer types, and the division of multipart uploads into parts."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smartxfer.errors import UsageError
from smartxfer.nrp.transfer_modes import MULTIPART_THRESHOLD, compute_part_size, parse_transfer_mode
from smartxfer.transfer.file_parts import split_into_parts

MIB = 1 << 20
LETTERS = ("L", "F", "R", "M")


@pytest.mark.parametrize(
    ("word", "letter"),
    [
        ("local-file", "L"), ("L", "L"), ("l", "L"), ("url-fetch", "F"), ("F", "F"),
        ("multipart", "M"), ("M", "M"), ("remote", "R"), ("R", "R"), ("auto", "auto"),
    ],
)  # fmt: skip
def test_both_spellings_are_known(word: str, letter: str) -> None:
    assert parse_transfer_mode(word).code == letter


@pytest.mark.parametrize("word", ["", "X", "s3", "local", "None"])
def test_an_unknown_type_is_refused(word: str) -> None:
    with pytest.raises(UsageError, match="unknown transfer_type"):
        parse_transfer_mode(word)


@pytest.mark.parametrize(
    "given",
    [{"parts": 0}, {"parts": -1}, {"parts": True}, {"parts": 1.5}, {"part_size": 0}, {"part_size": "5"}],
)
def test_invalid_numbers_are_rejected(given: "dict[str, object]") -> None:
    with pytest.raises(UsageError):
        parse_transfer_mode("M", None, **given)  # type: ignore[arg-type]


def test_parts_are_a_multipart_uploads_alone() -> None:
    with pytest.raises(UsageError, match="require a multipart upload"):
        parse_transfer_mode("L", None, 3)


def test_transfer_metadata_is_merged_and_read() -> None:
    mode = parse_transfer_mode("multipart", {"part_size": 6 * MIB}, extra={"note": "x"})
    assert mode.build_payload(13 * MIB) == {"type": "M", "parts": 3, "part_size": 6 * MIB, "note": "x"}
    with pytest.raises(UsageError, match="has type"):
        parse_transfer_mode("L", {"type": "M"})
    assert parse_transfer_mode("L", {"type": "local-file"}).build_payload(3) == {"type": "L"}


@pytest.mark.parametrize(
    ("transfer_type", "given", "remedy"),
    [
        ("multipart", {"partsize": 6 * MIB}, "write 'part_size'"),
        ("multipart", {"part": 3}, "write 'parts'"),
        ("auto", {"part-size": 6 * MIB}, "write 'part_size'"),
        ("local-file", {"parts": 3}, "write one of: type"),
        ("url-fetch", {"URL": "https://x"}, "write 'url'"),
        ("url-fetch", {"checksum": "md5:x"}, "write one of"),
        ("remote", {"check_sum": "md5:x"}, "write 'checksum'"),
    ],
)
def test_misspelt_transfer_metadata_names_the_nearest(transfer_type: str, given: Any, remedy: str) -> None:
    """The repository would refuse an unknown member, or cut the file otherwise than was meant."""
    with pytest.raises(UsageError, match="transfer_metadata has no key") as caught:
        parse_transfer_mode(transfer_type, given)
    assert caught.value.hint.startswith(remedy)
    assert "extra={...}" in caught.value.hint


@pytest.mark.parametrize("extra", [[1], "x", {"type": "L"}, {"parts": 3}])
def test_extra_holds_what_is_not_known(extra: Any) -> None:
    with pytest.raises(UsageError, match="extra"):
        parse_transfer_mode("multipart", extra=extra)


def test_auto_is_decided_by_size_and_by_what_the_repository_has() -> None:
    auto = parse_transfer_mode("auto")
    assert auto.resolve(MULTIPART_THRESHOLD - 1, LETTERS).code == "L"
    assert auto.resolve(MULTIPART_THRESHOLD, LETTERS).code == "M"
    assert auto.resolve(MULTIPART_THRESHOLD, ("L",)).code == "L"
    assert parse_transfer_mode("auto", None, 2).resolve(12 * MIB, LETTERS).code == "M"
    assert parse_transfer_mode("auto", None, 2).resolve(0, LETTERS).code == "L"


@pytest.mark.parametrize(
    ("size", "part_size"),
    [(6 * MIB, 5 * MIB - 1), (6 << 30, (5 << 30) + 1), ((5 << 40) + 1, None), (10_001 * 5 * MIB, 5 * MIB)],
)
def test_bounds_of_parts(size: int, part_size: "int | None") -> None:
    with pytest.raises(UsageError):
        compute_part_size(size, None, part_size)


@given(st.integers(0, 5 << 40))
def test_every_size_can_be_cut(size: int) -> None:
    part_size = compute_part_size(size)
    count = max(1, -(-size // part_size))
    assert 5 * MIB <= part_size <= 5 << 30
    assert count <= 10_000
    assert parse_transfer_mode("M").build_payload(size) == {"type": "M", "parts": count, "part_size": part_size}


@given(st.integers(1, 60), st.integers(1, 12))
def test_parts_asked_for_are_the_parts_made(mib: int, parts: int) -> None:
    size = mib * MIB + 1
    try:
        part_size = compute_part_size(size, parts)
    except UsageError:
        assert size / parts <= 5 * MIB
        return
    assert len(split_into_parts(size, part_size)) <= parts
