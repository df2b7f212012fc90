"""The lists of mutations, joined."""

from __future__ import annotations

from . import promises_1_and_2, promises_3_to_7, promises_8_to_14

MUTATIONS = [
    *promises_1_and_2.MUTATIONS,
    *promises_3_to_7.MUTATIONS,
    *promises_8_to_14.MUTATIONS,
]
