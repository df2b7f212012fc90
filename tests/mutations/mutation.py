"""The form of an entry in the lists of mutations."""

from __future__ import annotations

from typing import Tuple

import attrs


@attrs.frozen
class Mutation:
    """Break one promise by changing one line of the package."""

    #: Unique, in kebab-case.
    id: str
    #: Number of the promise in ``docs/promises.rst`` that no longer holds.
    promise: int
    #: Path below the root of the tree, with slashes.
    file: str
    #: The line to replace, without its indentation. It occurs exactly once in the file.
    old: str
    #: What replaces it, indented alike. May be several lines, each indented relative to the first.
    new: str
    #: The pytest node ids that are run. At least one of them must fail.
    tests: Tuple[str, ...]
    #: What a user loses, in one line.
    why: str
    #: True if a test run that does not end is how the mutation shows itself.
    hangs: bool = False
