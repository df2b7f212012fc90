"""Types and the checksum that the tests of the NRP page use."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Callable, Dict

import pytest

from smartxfer.nrp import RepositoryClient

Capture = pytest.CaptureFixture[str]
Client = RepositoryClient
Contents = Dict[str, bytes]
Local = Callable[[str, bytes], Path]


def md5(data: bytes) -> str:
    """The checksum as the repository writes it."""
    return f"md5:{hashlib.md5(data).hexdigest()}"
