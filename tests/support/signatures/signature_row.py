"""A row of the signature tables."""

from __future__ import annotations

import inspect
from typing import Any, Callable, Sequence, Tuple

import attrs

#: The default of a parameter without a default.
REQUIRED = inspect.Parameter.empty
Parameters = Sequence[Tuple[str, Any]]
#: The settings that every client takes.
COMMON = (
    "timeout", "retry", "session", "verify", "cert", "cert_origins", "proxies", "max_workers", "profile", "netrcfile",
    "clock",
)  # fmt: skip


@attrs.frozen
class Row:
    """One name of a vendor's page.

    :param name: dotted, as it is imported; the page's own spelling.
    :param parameters: (name, default) in the page's order, without ``self``; ``*name`` for further places.
    :param ours: keyword-only parameters that the page does not have.
    """

    name: str
    thing: Callable[..., Any]
    parameters: Parameters = ()
    ours: Tuple[str, ...] = ()
