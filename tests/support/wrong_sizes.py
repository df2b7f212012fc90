"""Files of which ``stat`` tells a wrong size, as on ``/proc``, ``/sys`` and some network file systems."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Dict, Tuple

import pytest


class _State:
    """A state with another size."""

    def __init__(self, state: os.stat_result, size: int) -> None:
        self._state = state
        self.st_size = size

    def __getattr__(self, name: str) -> Any:
        return getattr(self._state, name)


class WrongSizes:
    """Has ``os.stat`` and ``os.fstat`` tell wrong sizes of some files; the system reads them as they are."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._sizes: Dict[Tuple[int, int], int] = {}
        self._stat = os.stat
        for name in ("stat", "fstat"):
            real = getattr(os, name)
            monkeypatch.setattr(os, name, lambda *given, real=real, **named: self._of(real(*given, **named)))

    def tell(self, path: Path, size: int) -> None:
        """Tell ``size`` bytes of a file from now on."""
        found = self._stat(str(path))
        self._sizes[found.st_dev, found.st_ino] = size

    def _of(self, state: Any) -> Any:
        size = self._sizes.get((state.st_dev, state.st_ino))
        return state if size is None else _State(state, size)
