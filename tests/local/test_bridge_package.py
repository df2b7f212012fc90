"""Detection of the vendor's package by the bridge, and conversion of its results and exceptions."""

from __future__ import annotations

import enum
import json
import sys
from collections import namedtuple
from pathlib import Path
from typing import Any, Dict, Iterator, Optional

import pytest

from smartxfer.errors import UsageError
from smartxfer.jetstream_bridge import load_api_factory
from smartxfer.jetstream_bridge.error_text import format_error
from smartxfer.jetstream_bridge.serialization import to_json_value
from smartxfer.local.jsonrpc import RpcError


@pytest.fixture(autouse=True)
def not_imported(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Remove modules of that name, so that they are imported again."""
    monkeypatch.delitem(sys.modules, "jetstream", raising=False)
    yield
    sys.modules.pop("jetstream", None)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (None, "is not installed"),
        ("VERSION = '0.1.0'", "is not the vendor's"),
        ("class JetStream: pass", "is not the vendor's"),
        ("import no_such_dependency", "cannot be imported: No module named 'no_such_dependency'"),
        ("print 'python 2'", "cannot be imported: SyntaxError"),
    ],
)
def test_packages_that_will_not_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: Optional[str], words: str
) -> None:
    if source is not None:
        (tmp_path / "jetstream.py").write_text(source, "utf-8")
        monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(UsageError, match=words) as caught:
        load_api_factory("localhost", 8886)
    assert "PyPI" in caught.value.hint


def test_the_class_of_1_9(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "jetstream.py").write_text(
        "class Jetstream:\n    def api(self, host, port): return host, port\n", "utf-8"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    assert load_api_factory("here", 1)() == ("here", 1)


def test_a_mere_directory_is_no_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "jetstream").mkdir()
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(UsageError, match="is not installed"):
        load_api_factory("localhost", 8886)


class Slotted:
    __slots__ = ("_private", "size")

    def __init__(self) -> None:
        self.size, self._private = 3, 4


class Colour(enum.Enum):
    RED = "red"


def test_whatever_the_package_answers_as_json() -> None:
    pair = namedtuple("pair", "left right")
    seen = to_json_value(
        {1: (1, 2.5), "nan": float("nan"), "b": b"\xffx", "slots": Slotted(), "pair": pair(1, None),
         "enum": Colour.RED, "lazy": (n for n in "ab"), "yes": True}
    )  # fmt: skip
    assert json.loads(json.dumps(seen)) == {
        "1": [1, 2.5], "nan": None, "b": "\ufffdx", "slots": {"size": 3}, "pair": {"left": 1, "right": None},
        "enum": "red", "lazy": ["a", "b"], "yes": True,
    }  # fmt: skip
    circle: Dict[str, Any] = {}
    circle["self"] = circle
    for odd in (object(), circle):
        with pytest.raises(RpcError):
            to_json_value(odd)


def test_what_an_exception_may_say() -> None:
    assert format_error(ValueError()) == "ValueError"
    assert format_error(ValueError("a\n b\n")) == "a b"
    assert format_error(ValueError("x" * 1000)) == "x" * 500
    assert format_error(ValueError("Error: p\\'w, p'w and \"p'w\""), ["p'w"]) == 'Error: p\\\'w, *** and "***"'
    assert format_error(ValueError('tried "\\u00e4\\"" and ä"'), ['ä"']) == 'tried "***" and ***'
