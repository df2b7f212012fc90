"""Size of the costly tests: less in an ordinary run, all of it with SMARTXFER_TEST_EVERY=1."""

from __future__ import annotations

import os

EVERY = os.environ.get("SMARTXFER_TEST_EVERY") == "1"


def amount(usual: int, every: int) -> int:
    """Return how many rounds, files or bytes a test takes."""
    return every if EVERY else usual
