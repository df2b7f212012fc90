"""The lists of mutations, joined."""

from __future__ import annotations

from . import (
    promises_1_and_2,
    promises_3_to_7,
    promises_8,
    promises_9_and_10,
    promises_11_and_12,
    promises_13_and_14,
)

MUTATIONS = [
    *promises_1_and_2.MUTATIONS,
    *promises_3_to_7.MUTATIONS,
    *promises_8.MUTATIONS,
    *promises_9_and_10.MUTATIONS,
    *promises_11_and_12.MUTATIONS,
    *promises_13_and_14.MUTATIONS,
]
