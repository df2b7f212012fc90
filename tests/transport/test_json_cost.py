"""JSON that is read needs at most eight times the memory of its text, and what services send is read."""

from __future__ import annotations

import json
import tracemalloc
from typing import Any, Dict
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smartxfer.errors import DecodeError
from smartxfer.transport import BufferedResponse, json_memory
from smartxfer.transport.json_codec import parse_json

SIZE = 20_000
TEXTS = st.text(st.sampled_from('ab"\\\\ \u20ac{[,:'))
VALUES = st.recursive(TEXTS, lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner))
#: In place of the package's own: the texts of these tests are small.
FREE, SMALL = 1 << 15, 1 << 10


def many(unit: str) -> str:
    return f"[{','.join([unit] * (SIZE // (len(unit) + 1)))}]"


def numbered(form: str, start: str = "[", end: str = "]") -> str:
    count = SIZE // (len(form.format(1_000)) + 1)
    return start + ",".join(form.format(number) for number in range(count)) + end


HOSTILE: Dict[str, str] = {
    "empty lists": many("[]"), "empty objects": many("{}"), "nested lists": many("[[[]]]"), "spaced": many("[ ]"),
    "small objects": many('{"a":1}'), "objects in objects": many('{"a":{"a":{}}}'), "small lists": many("[1]"),
    "members": numbered('"{:x}":1', "{", "}"), "members that are objects": numbered('"{:x}":{{}}', "{", "}"),
    "other keys": numbered('{{"k{}":1}}'), "short texts": numbered('"{:x}"'), "spaced keys": many('{"a" :1}'),
    "wide texts": many('"\u20ac\u20acx"'), "escaped texts": many(r'"\u20ac"'), "astral": many('"abcdefg\U0001f600"'),
    "numbers": many("12345"), "fractions": many("1.5"), "digits": many("1"), "literals": many("null"),
    "one text": json.dumps("a" * SIZE), "one wide text": f'"{"a" * SIZE}\U0001f600"',
    "brackets beside a long text": f'[{"[]," * 300}"{"x" * SIZE}"]', "escapes": f'[{"[]," * 300}"{chr(92)}n{chr(92) * SIZE}"]',
    "brackets and escapes": f'[{"[]," * 300}"{(chr(92) + "n") * (SIZE // 2)}"]', "unclosed": "[" + "[]," * (SIZE // 3),
}  # fmt: skip


@pytest.fixture(autouse=True)
def tight(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_memory, "_FREE_BYTES", FREE)
    monkeypatch.setattr(json_memory, "_SMALL_TEXT", SMALL)


def peak_of(text: str) -> int:
    tracemalloc.start()
    try:
        try:
            parse_json(text)
        except ValueError as error:
            assert len(str(error)) < 200
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_text_needs_at_most_eight_times_its_size(kind: str) -> None:
    text = HOSTILE[kind]
    assert peak_of(text) <= 8 * len(text) + FREE + (1 << 14)


@pytest.mark.parametrize("kind", ["empty lists", "empty objects", "small objects", "other keys", "members"])
def test_what_would_need_more_is_refused(kind: str) -> None:
    with pytest.raises(ValueError, match="8 times the memory"):
        parse_json(HOSTILE[kind])
    answer = BufferedResponse("GET x", 200, {}, HOSTILE[kind].encode())
    with pytest.raises(DecodeError, match="8 times the memory") as caught:
        answer.json()
    assert len(str(caught.value)) < 600


def _record(number: int) -> Any:
    links = {
        name: f"https://repository.example.org/api/records/{number}/{name}"
        for name in ("self", "files", "doi")
    }
    person = {"name": "Doe, Jane", "identifiers": [{"scheme": "orcid", "identifier": "0000-0000"}]}
    metadata = {
        "title": "A title, \u00fcber alles",
        "creators": [{"person_or_org": person, "affiliations": []}],
    }
    return {"id": f"r{number}", "links": links, "metadata": metadata, "files": {"enabled": True, "count": 1}}


def _entry(number: int) -> Any:
    acl = {"read": True, "write": True}
    return {
        "name": f"f{number}", "path": f"/d/f{number}", "size": number, "isdir": False, "acl": acl, "tags": [],
    }


@pytest.mark.parametrize(
    "value",
    [
        {"hits": {"hits": [_record(number) for number in range(2_000)], "total": 2_000}},
        [_entry(number) for number in range(2_000)],
        [{"name": f"f{number}", "size": number, "isDir": False, "mtime": 1700000000} for number in range(2_000)],
        [f"f{number}.dat" for number in range(10_000)],
        {f"f{number}.dat": {"size": number, "url": f"https://repository.example.org/files/{number}"} for number in range(2_000)},
    ],
    ids=["records", "directory", "small entries", "names", "by name"],
)  # fmt: skip
@pytest.mark.parametrize("ascii_only", [False, True])
def test_listings_are_read(value: Any, ascii_only: bool) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only)
    assert len(text) > 1 << 16
    assert parse_json(text) == value


@pytest.mark.parametrize("length", [10, 200_000])
def test_values_are_those_of_the_standard_library(length: int) -> None:
    value = {"a": [{"b": [1, 2.5, None, True, '\u20ac\\"[{', {}]}, []], "pad": "x" * length, "c": {"a": 1}}
    text = json.dumps(value, ensure_ascii=False)
    assert parse_json(text) == value
    assert parse_json('{"a": 1, "a": 2, "pad": "' + "x" * length + '"}')["a"] == 2


@given(VALUES, st.integers(1, 9))
def test_blocks_of_any_size_show_the_same(value: Any, size: int) -> None:
    """Fails if a block ends within an escape, or forgets that a text is open."""
    text = json.dumps(value, ensure_ascii=False)

    def shown(size: int) -> Any:
        with mock.patch.object(json_memory, "_BLOCK", size):
            blocks = list(json_memory._iter_blocks(text))
        return (
            sum(opened for opened, _, _ in blocks), "".join("".join(texts) for _, texts, _ in blocks),
            "".join(structure for _, _, structure in blocks),
        )

    found = shown(size)
    assert found == shown(1 << 20)
    assert found[0] == text.replace("\\\\", "").replace('\\"', "").count('"') // 2
