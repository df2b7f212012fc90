"""A row of the signature tables, and its form as text."""

from __future__ import annotations

import inspect
from typing import Any, Callable, List, Mapping

import attrs

#: The settings that every client takes.
COMMON = (
    "timeout, retry, session, verify, cert, cert_origins, proxies, max_workers, profile, netrcfile, clock"
)


@attrs.frozen
class Row:
    """One name of a vendor's page.

    :param name: the page's own spelling; the part before the dot is the name of the class in the table.
    :param thing: the function or class.
    :param parameters: as :func:`describe` writes them.
    """

    name: str
    thing: Callable[..., Any]
    parameters: str


def describe(thing: Callable[..., Any]) -> str:
    """Return the parameters without ``self``: ``by, place=None | by, name, only``.

    A keyword-only parameter is optional unless ``(required)`` follows it.
    """
    by_place, by_name = [], []
    for one in inspect.signature(thing).parameters.values():
        assert one.kind is not one.POSITIONAL_ONLY, one
        if one.name == "self":
            continue
        if one.kind is one.VAR_KEYWORD:
            by_name.append(f"**{one.name}")
        elif one.kind is one.KEYWORD_ONLY:
            by_name.append(one.name if one.default is not one.empty else f"{one.name} (required)")
        elif one.kind is one.VAR_POSITIONAL:
            by_place.append(f"*{one.name}")
        else:
            by_place.append(one.name if one.default is one.empty else f"{one.name}={one.default!r}")
    return " | ".join(filter(None, [", ".join(by_place), ", ".join(by_name)]))


def parse_rows(table: str, module: Any, owners: Mapping[str, Any]) -> List[Row]:
    """Read a table: ``name: parameters`` in each line, COMMON for the settings of every client.

    :param module: has the names without a dot.
    :param owners: classes by the part of a name before its dot.
    """
    rows = []
    for line in table.strip().splitlines():
        name, _, parameters = line.partition(":")
        owner, _, method = name.rpartition(".")
        thing = getattr(owners[owner] if owner else module, method)
        rows.append(Row(name, thing, parameters.strip().replace("COMMON", COMMON)))
    return rows
