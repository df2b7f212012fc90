"""A row of the signature tables."""

from __future__ import annotations

import inspect
from typing import Any, Callable, Sequence, Tuple

import attrs

#: Stands for a parameter without a default.
REQUIRED = inspect.Parameter.empty
Parameters = Sequence[Tuple[str, Any]]


@attrs.frozen
class Row:
    """One name of a vendor's page.

    :param name: dotted, as it is imported; the page's own spelling.
    :param parameters: (name, default) in the page's order, without ``self``; ``*name`` for further places.
    :param ours: keyword-only parameters that the page does not have; ``**options`` for a catch-all.
    """

    name: str
    thing: Callable[..., Any]
    parameters: Parameters = ()
    ours: Tuple[str, ...] = ()
