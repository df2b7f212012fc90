"""Encrypted transfers on their way down: F04 to F07, F13 to F16, F18, F49."""

from __future__ import annotations

import io
import shutil
from typing import Any, List

import pytest

from smartxfer import errors
from smartxfer.transfer import MemorySink
from smartxfer.transport import RetryPolicy
from tests.support.encrypted_harness import FRESH, MORE, ONCE, PASSWORD, SITE, STORED, broken_off, down, left  # noqa: F401
from tests.support.encrypted_harness import nothing_wrong_left, published
from tests.support.filesender_harness import CHUNK_SIZE, DOWNLOAD, noise
from tests.support.stopwatch import Stopwatch
from tests.support.timeouts import patient
