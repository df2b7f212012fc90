"""Disturbances of a run.  ``runs.py`` carries them out, and ``child.py`` those at exact moments."""

from __future__ import annotations

import random
from typing import List, NamedTuple, Tuple

#: Kinds and weights.  ``twin``: the same call in a second process; ``full``: the disk takes no more;
#: ``change``: a source file changes; ``server``: the server is killed and started again on its data.
_KINDS = {"kill": 8, "int": 3, "term": 2, "stop": 1, "twin": 5, "full": 1, "change": 2, "server": 2}
#: How many disturbances a case has.
_NUMBERS = (0, 0, 1, 1, 1, 1, 2, 2, 3, 4)


class Disturbance(NamedTuple):
    """One disturbance of one run.

    :param event: number of the request, answer or file operation of the client at which it happens; 0: by time.
    :param seconds: after which it happens, from the start of the run.
    :param pause: seconds that a stop, or the server's absence, lasts.
    :param variant: for ``term``: a handler that raises; for ``twin``: the first process is stopped
        during the second one, and the second has another state directory.
    :param room: bytes that the disk takes.
    """

    kind: str
    event: int
    seconds: float
    pause: float
    variant: Tuple[bool, bool]
    room: int


def some_disturbances(
    chance: random.Random, *, size: int, files: int, sources: bool, targets: bool
) -> List[Disturbance]:
    """Draw the disturbances of a case, one for each run that is disturbed.

    :param size: bytes of the case.
    :param files: their number.
    :param sources: whether a source may change.
    :param targets: whether local files are written.
    """
    weights = dict(_KINDS)
    if not sources:
        del weights["change"]
    if not targets:
        del weights["full"]
    kinds = chance.choices(list(weights), list(weights.values()), k=chance.choice(_NUMBERS))
    # About as many events as a call has.
    events = 20 + 12 * files + size // 8192
    return [_some(chance, kind, size, events) for kind in kinds]


def _some(chance: random.Random, kind: str, size: int, events: int) -> Disturbance:
    by_event = chance.random() < (1.0 if kind in ("change", "twin") else 0.75)
    return Disturbance(
        kind,
        event=int(chance.choice((chance.uniform(1, events), events ** chance.random()))) if by_event else 0,
        seconds=2 ** chance.uniform(-8, 0),
        pause=chance.uniform(0.0, 0.2),
        variant=(chance.random() < 0.7, chance.random() < 0.3),
        room=chance.randrange(size + 1),
    )
