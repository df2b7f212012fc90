"""A file of three parts, the least that a repository takes, and how it is sent."""

from __future__ import annotations

from typing import Any

from tests.support.filesender_harness import noise
from tests.support.nrp_harness import MIB, PART, STORAGE_PART, NRPHarness

__all__ = ["DATA", "STEP", "part_of", "send"]

STEP = 5 * MIB
#: Two whole parts and a short one.
DATA = noise(2 * STEP + 1000)


def part_of(harness: NRPHarness) -> str:
    """Return the pattern of the requests of parts."""
    return STORAGE_PART if harness.site.backend.site.storage == "s3" else PART


def send(harness: NRPHarness, record: str, source: Any = DATA, **options: Any) -> Any:
    """The file in parts of the least size."""
    settings = {"transfer_type": "multipart", "part_size": STEP, **options}
    client = settings.pop("client", None) or harness.client()
    return client.files.upload(record, "a.bin", None, source, **settings)
