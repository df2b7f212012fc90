"""Transfer types, and the cut of multipart uploads."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smartxfer.errors import UsageError
from smartxfer.nrp.transfers import AUTO_FROM, how, part_size_for
from smartxfer.transfer.plan import cut

MIB = 1 << 20
LETTERS = ("L", "F", "R", "M")


@pytest.mark.parametrize(
    ("word", "letter"),
    [
        ("local-file", "L"),
        ("L", "L"),
        ("l", "L"),
        ("url-fetch", "F"),
        ("F", "F"),
        ("multipart", "M"),
        ("M", "M"),
        ("remote", "R"),
        ("R", "R"),
        ("auto", "auto"),
    ],
)
def test_both_spellings_are_known(word: str, letter: str) -> None:
    assert how(word).letter == letter


@pytest.mark.parametrize("word", ["", "X", "s3", "local", "None"])
def test_an_unknown_type_is_refused(word: str) -> None:
    with pytest.raises(UsageError, match="no transfer type"):
        how(word)


@pytest.mark.parametrize(
    "given",
    [
        {"parts": 0},
        {"parts": -1},
        {"parts": True},
        {"parts": 1.5},
        {"part_size": 0},
        {"part_size": "5"},
    ],
)
def test_numbers_that_are_none_are_refused(given: "dict[str, object]") -> None:
    with pytest.raises(UsageError):
        how("M", None, **given)  # type: ignore[arg-type]


def test_parts_are_a_multipart_uploads_alone() -> None:
    with pytest.raises(UsageError, match="only a multipart upload"):
        how("L", None, 3)


def test_transfer_metadata_is_merged_and_read() -> None:
    mode = how("multipart", {"part_size": 6 * MIB}, extra={"note": "x"})
    assert mode.payload(13 * MIB) == {"type": "M", "parts": 3, "part_size": 6 * MIB, "note": "x"}
    with pytest.raises(UsageError, match="says type"):
        how("L", {"type": "M"})
    assert how("L", {"type": "local-file"}).payload(3) == {"type": "L"}


@pytest.mark.parametrize(
    ("transfer_type", "given", "remedy"),
    [
        ("multipart", {"partsize": 6 * MIB}, "write 'part_size'"),
        ("multipart", {"part": 3}, "write 'parts'"),
        ("auto", {"part-size": 6 * MIB}, "write 'part_size'"),
        ("local-file", {"parts": 3}, "known keys: type"),
        ("url-fetch", {"URL": "https://x"}, "write 'url'"),
        ("url-fetch", {"checksum": "md5:x"}, "known keys"),
        ("remote", {"check_sum": "md5:x"}, "write 'checksum'"),
    ],
)
def test_misspelt_transfer_metadata_names_the_nearest(transfer_type: str, given: Any, remedy: str) -> None:
    """The repository would refuse an unknown member, or cut the file otherwise than was meant."""
    with pytest.raises(UsageError, match="transfer_metadata has no key") as caught:
        how(transfer_type, given)
    assert caught.value.hint.startswith(remedy)
    assert "extra={...}" in caught.value.hint


@pytest.mark.parametrize("extra", [[1], "x", {"type": "L"}, {"parts": 3}])
def test_extra_holds_what_is_not_known(extra: Any) -> None:
    with pytest.raises(UsageError, match="extra"):
        how("multipart", extra=extra)


def test_auto_is_decided_by_size_and_by_what_the_repository_has() -> None:
    auto = how("auto")
    assert auto.settled(AUTO_FROM - 1, LETTERS).letter == "L"
    assert auto.settled(AUTO_FROM, LETTERS).letter == "M"
    assert auto.settled(AUTO_FROM, ("L",)).letter == "L"
    assert how("auto", None, 2).settled(12 * MIB, LETTERS).letter == "M"
    assert how("auto", None, 2).settled(0, LETTERS).letter == "L"


@pytest.mark.parametrize(
    ("size", "part_size"),
    [(6 * MIB, 5 * MIB - 1), (6 << 30, (5 << 30) + 1), ((5 << 40) + 1, None), (10_001 * 5 * MIB, 5 * MIB)],
)
def test_bounds_of_parts(size: int, part_size: "int | None") -> None:
    with pytest.raises(UsageError):
        part_size_for(size, None, part_size)


@given(st.integers(0, 5 << 40))
def test_every_size_can_be_cut(size: int) -> None:
    part_size = part_size_for(size)
    count = max(1, -(-size // part_size))
    assert 5 * MIB <= part_size <= 5 << 30
    assert count <= 10_000
    assert how("M").payload(size) == {"type": "M", "parts": count, "part_size": part_size}


@given(st.integers(1, 60), st.integers(1, 12))
def test_parts_asked_for_are_the_parts_made(mib: int, parts: int) -> None:
    size = mib * MIB + 1
    try:
        part_size = part_size_for(size, parts)
    except UsageError:
        assert size / parts <= 5 * MIB
        return
    assert len(cut(size, part_size)) <= parts
