from __future__ import annotations

import pickle
from typing import Any

import pytest

from smartxfer.errors import DecodeError
from smartxfer.transport import BufferedResponse


def answer(content: bytes, kind: str = "application/json") -> BufferedResponse:
    return BufferedResponse("GET http://h/x", 200, {"Content-Type": kind}, content)


def test_json() -> None:
    assert answer(b'{"a": [1, null]}').json() == {"a": [1, None]}
    assert answer(b"[]").json((dict, list)) == []


@pytest.mark.parametrize(
    ("content", "expect"),
    [
        (b"", None), (b"<html><title>Sign in</title>", None), (b"\xff\xfe", None), (b"[" * 100_000, None),
        (b"[]", dict), (b'"text"', (dict, list)), (b"9" * 10_000 + b"x", None),
    ],
)
def test_what_is_not_as_promised(content: bytes, expect: Any) -> None:
    with pytest.raises(DecodeError, match="GET http://h/x: the response cannot be decoded") as caught:
        answer(content, "text/html").json(expect)
    assert "text/html" in str(caught.value)
    assert "base URL" in caught.value.hint
    assert len(str(caught.value)) < 700
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None or caught.value.__suppress_context__
    pickle.loads(pickle.dumps(caught.value))


def test_the_excerpt_holds_200_characters_without_secrets() -> None:
    with pytest.raises(DecodeError) as caught:
        answer(b"see /x?token=SECRET " + b"y" * 1000).json()
    assert "SECRET" not in str(caught.value)
    assert 100 < str(caught.value).count("y") < 200


def test_repr_shows_no_body() -> None:
    assert "hunter2" not in repr(answer(b"hunter2"))
