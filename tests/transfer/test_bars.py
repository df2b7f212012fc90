"""Progress bars: safe names, and useful estimates."""

from __future__ import annotations

import io
from typing import Optional

import pytest

from smartxfer.transfer import progress
from smartxfer.transfer.progress import ProgressEvent

NAME = "a\r\x1b[2Kall 7 files verified\n\u202egpj"


@pytest.mark.parametrize("label", [None, NAME])
def test_a_name_in_a_bar(monkeypatch: pytest.MonkeyPatch, label: Optional[str]) -> None:
    """Fails if a name goes to the terminal as it came."""
    shown = io.StringIO()
    shown.isatty = lambda: True  # type: ignore[method-assign]
    monkeypatch.setattr("sys.stderr", shown)
    bar = progress._ProgressBar(progress._build_bar_class(), label)
    bar(ProgressEvent(NAME + "x" * 100, 5, 10, "moving"))
    bar.close()
    for line in shown.getvalue().replace("\r", "\n").split("\n"):
        assert line.isprintable(), line
    assert "all 7 files" in shown.getvalue()
    assert "x" * 41 not in shown.getvalue()


@pytest.mark.parametrize(
    ("rate", "left", "estimated"), [(10.0, 100, True), (1.0, 24 * 3600, True), (1.0, 90_000, False), (0.0, 1, False)]
)
def test_an_estimate(rate: float, left: int, estimated: bool) -> None:
    """Detect ``3785:41:10``, worked out from the first few bytes."""
    facts = {"rate": rate, "elapsed": 1.0, "n": 5, "initial": 5, "total": 5 + left}
    assert progress._has_usable_estimate(facts) is estimated


def test_a_bar_without_an_estimate() -> None:
    held = io.StringIO()
    bar = progress._build_bar_class()(total=10**15, unit="B", file=held, mininterval=0)
    bar.start_t -= 10
    bar.update(100)
    bar.refresh()
    assert "<?" in held.getvalue().split("\r")[-1]
    bar.update(10**15 // 2)
    bar.refresh()
    assert "<00:" in held.getvalue().split("\r")[-1]
    bar.close()
