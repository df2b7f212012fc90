"""Forms of the argument of ``send_files``: source and destination cannot be confused."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any, Dict, List

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smartxfer.errors import UsageError
from smartxfer.jetstream import Destination, JetStream
from smartxfer.jetstream.send import validate_mappings
from smartxfer.jetstream.workflows import build_destination_params, build_mappings, sort_mappings

SEGMENTS = st.text(
    st.characters(blacklist_characters="/\\\0:", blacklist_categories=("Cs",)), min_size=1, max_size=6
)
PATHS = st.lists(SEGMENTS, min_size=1, max_size=3).map(lambda parts: "/" + "/".join(parts))


@pytest.mark.parametrize(
    ("files", "into", "mappings"),
    [
        ("/home/readme.txt", "/", {"/readme.txt": "/home/readme.txt"}),
        ("/home/readme.txt", "/data/docs", {"/data/docs/readme.txt": "/home/readme.txt"}),
        ("/home/folder/", "/data/", {"/data/folder": "/home/folder/"}),
        (PurePosixPath("/home/a"), "/", {"/a": "/home/a"}),
        (["/x/a", "/y/b"], "/", {"/a": "/x/a", "/b": "/y/b"}),
        ([("/x/a", "/far/b")], "/", {"/far/b": "/x/a"}),
        ([("/x/a", "/far/b")], "/into", {"/far/b": "/x/a"}),
        ([("/x/a", "b/c")], "/into", {"/into/b/c": "/x/a"}),
        ([["/x/a", "b"], "/y/c"], "/", {"/b": "/x/a", "/c": "/y/c"}),
        ((("/x/a", "/b"), ("/y/a", "/c")), "/", {"/b": "/x/a", "/c": "/y/a"}),
        ("C:\\Users\\ann\\report.txt", "/in", {"/in/report.txt": "C:\\Users\\ann\\report.txt"}),
        ([("/x/a", "D:\\in\\a")], "/", {"D:\\in\\a": "/x/a"}),
        ([("/x/a", "D:/in/a")], "/", {"D:/in/a": "/x/a"}),
        (iter(["/x/a"]), "/", {"/a": "/x/a"}),
        ("/home/Łódź ü", "/", {"/Łódź ü": "/home/Łódź ü"}),
    ],
)
def test_destination_to_source(files: Any, into: str, mappings: Dict[str, str]) -> None:
    assert build_mappings(files, into) == mappings


@pytest.mark.parametrize(
    ("files", "why"),
    [
        ({"/far/b": "/x/a"}, "it is not clear which side is the source"),
        (b"content", "not bytes"),
        ([], "no files"),
        ("", "non-empty text"),
        (["/a", ""], "non-empty text"),
        ([("/a",)], "invalid pair"),
        ([("/a", "/b", "/c")], "invalid pair"),
        ([("/a", "")], "invalid destination"),
        ([(1, "/b")], "invalid source"),
        ([7], "invalid source"),
        ("/", "does not end in a name"),
        ("C:\\", "does not end in a name"),
        ("/x/..", "does not end in a name"),
        ("/x/.", "does not end in a name"),
        (["/ok", ".."], "does not end in a name"),
        ("a\0b", "invalid source"),
        (["/x/a", "/y/a"], "two sources have the destination '/a': '/x/a', '/y/a'"),
        ([("/x", "/b"), ("/y", "b")], "two sources have the destination '/b'"),
    ],
)
def test_invalid_files(files: Any, why: str) -> None:
    with pytest.raises(UsageError, match=why):
        build_mappings(files)


def test_a_mapping_is_an_error_that_names_both_alternatives() -> None:
    with pytest.raises(UsageError) as raised:  # nothing is sent: no server answers at port 1
        JetStream().api("127.0.0.1", 1).send_files({"/far": "/near"}, "far")  # type: ignore[arg-type]
    assert "(source, destination) pairs" in raised.value.hint
    assert "createManifest" in raised.value.hint


@given(st.dictionaries(PATHS, PATHS, min_size=1, max_size=5))
def test_pairs_are_turned_round_and_nothing_else(mappings: Dict[str, str]) -> None:
    pairs = [(source, destination) for destination, source in mappings.items()]
    assert build_mappings(pairs) == mappings == validate_mappings(mappings)
    assert sort_mappings(mappings) == [list(pair) for pair in sorted(pairs, key=lambda pair: pair[1])]


@given(st.lists(PATHS, min_size=1, max_size=5), PATHS)
def test_a_source_keeps_its_last_name(sources: List[str], into: str) -> None:
    for source in sources:
        [(destination, kept)] = build_mappings(source, into).items()
        assert kept == source
        assert destination == f"{into}/{PurePosixPath(source).name}"


@pytest.mark.parametrize(
    "mappings", [{}, [], "/a", None, 7, [("/a", "/b")], {"": "/a"}, {"/a": ""}, {"/a": None}, {1: "/a"}]
)
def test_mappings_of_a_manifest_are_a_mapping(mappings: Any) -> None:
    with pytest.raises(UsageError):
        JetStream().api("127.0.0.1", 1).send.createManifest(mappings)


def test_paths_may_be_paths() -> None:
    assert validate_mappings({PurePosixPath("/a"): PurePosixPath("/b")}) == {"/a": "/b"}


@pytest.mark.parametrize(
    ("to", "params"),
    [
        ("far", {"destinationAddress": "far", "destinationPort": 8886}),
        ("far:9000", {"destinationAddress": "far", "destinationPort": 9000}),
        (("far", 9000), {"destinationAddress": "far", "destinationPort": 9000}),
        (("far", "9000"), {"destinationAddress": "far", "destinationPort": 9000}),
        (["far", 9000], {"destinationAddress": "far", "destinationPort": 9000}),
        ("[::1]:9000", {"destinationAddress": "::1", "destinationPort": 9000}),
        (Destination(destination_id="42"), {"destinationId": "42"}),
        (Destination.from_wire({"destinationId": 42}), {"destinationId": "42"}),
    ],
)
def test_where_to(to: Any, params: Dict[str, Any]) -> None:
    assert build_destination_params(to) == params


@pytest.mark.parametrize(
    "to", ["", None, 7, {}, ("far",), ("far", 1, 2), ("", 1), ("far", 0), ("far", "x"), "far:x", b"far"]
)
def test_an_invalid_destination(to: Any) -> None:
    with pytest.raises(UsageError):
        build_destination_params(to)


@pytest.mark.parametrize("into", ["", None, 3, "a\0"])
def test_into_is_text(into: Any) -> None:
    with pytest.raises(UsageError, match="invalid into"):
        JetStream().api("127.0.0.1", 1).send_files("/a", "far", into=into)
