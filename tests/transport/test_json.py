"""JSON that is read: whatever the standard library reads, but never so deep that its stack runs out."""

import datetime as dt
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smartxfer.errors import UsageError
from smartxfer.transport.json_codec import encode_json, parse_json

SCALARS = st.none() | st.booleans() | st.integers() | st.text()
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner))


@given(VALUES)
def test_any_value(value: object) -> None:
    assert parse_json(json.dumps(value)) == value


@pytest.mark.parametrize("depth", [1, 199, 200])
def test_nesting_that_is_read(depth: int) -> None:
    text = "[" * depth + "]" * depth
    assert json.dumps(parse_json(text)) == text


@pytest.mark.parametrize("text", ["[" * 201 + "]" * 201, "[" * 100_000, '{"a":' * 201 + "1" + "}" * 201])
def test_nesting_that_is_not(text: str) -> None:
    with pytest.raises(ValueError, match="nested too deeply"):
        parse_json(text)


def test_brackets_in_texts_do_not_count() -> None:
    names = ['[draft "' + "[{" * 300, "\\", "{" * 300, "]"]
    assert parse_json(json.dumps(names)) == names
    assert parse_json("[" + ",".join(["[]"] * 1000) + "]") == [[]] * 1000


def test_a_text_that_never_ends() -> None:
    with pytest.raises(ValueError, match="Unterminated"):
        parse_json("[" * 199 + '"' + "[" * 1000)


class _Endless(list):  # type: ignore[type-arg]
    """A list that contains itself."""

    def __init__(self) -> None:
        super().__init__()
        self.append(self)


@pytest.mark.parametrize(
    "value", [{1}, b"x", object(), {"when": dt.date(2026, 1, 1)}, float("nan"), _Endless(), "\ud800"]
)
def test_a_value_that_json_does_not_have(value: object) -> None:
    """Detect the TypeError or ValueError of the standard library."""
    with pytest.raises(UsageError, match=r"not JSON serializable|not valid Unicode") as caught:
        encode_json({"metadata": value})
    assert caught.value.hint
