"""Ctrl-C within the constructor of an answer: Python closes the incomplete object without an error."""

from __future__ import annotations

import gc
import http.client
import io
import socket
import sys
from pathlib import Path
from typing import Any, Callable, List

import pytest
import requests

import smartxfer
from smartxfer.transport.response_reader import FinalHTTPResponse
from smartxfer.transport.streamed_response import StreamedResponse

_OURS = (str(Path(smartxfer.__file__).parent), http.client.__file__)


def _answer() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        FinalHTTPResponse(ours, method="GET").close()


def _stream() -> None:
    response = requests.Response()
    response.raw = io.BytesIO(b"data")
    StreamedResponse(lambda what, step, *arguments: step(*arguments), "x", response).close()


def _broken_at(step: int, make: Callable[[], None]) -> bool:
    """Raise KeyboardInterrupt before a line of a constructor; return whether there are so many lines."""
    left = step

    def trace(frame: Any, event: str, argument: Any) -> Any:
        nonlocal left
        if not frame.f_code.co_filename.startswith(_OURS) or frame.f_code.co_name != "__init__":
            return trace
        if event == "line":
            left -= 1
            if left < 0:
                sys.settrace(None)
                raise KeyboardInterrupt
        return trace

    sys.settrace(trace)
    try:
        make()
        return False
    except KeyboardInterrupt:
        return True
    finally:
        sys.settrace(None)


@pytest.mark.parametrize("make", [_answer, _stream])
def test_nothing_is_printed_at_its_end(make: Callable[[], None], monkeypatch: pytest.MonkeyPatch) -> None:
    unraisable: List[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", unraisable.append)
    steps = 0
    while _broken_at(steps, make):
        steps += 1
        assert unraisable == [], f"broken at line {steps}"
    gc.collect()
    assert unraisable == []
    assert steps > 5
