"""The arguments of a call, wherever they travelled: query string, form body or JSON body.

Source: SmartFile protocol, section 1.
"""

import json
from typing import Any, Dict, Iterator, List, Tuple
from urllib.parse import parse_qsl

__all__ = ["Fields", "form_pairs", "json_pairs"]

#: Words that switch something on; ``on`` is what forms send.
_ON = ("true", "on", "1", "yes")

Pairs = List[Tuple[str, str]]


class Fields:
    """Names with one or several values each, in the order in which they came.

    :param pairs: names and values.
    """

    def __init__(self, pairs: Pairs) -> None:
        self._values: Dict[str, List[str]] = {}
        for name, value in pairs:
            self._values.setdefault(name, []).append(value)

    def get(self, name: str, default: str = "") -> str:
        """The last value of a name, ``default`` where there is none."""
        values = self._values.get(name)
        return values[-1] if values else default

    def all(self, name: str) -> List[str]:
        """Every value of a name; a list value of the client is a repeated name on the wire."""
        return list(self._values.get(name, ()))

    def on(self, name: str) -> bool:
        """Whether a switch is on: ``true``, ``on``, ``1`` or ``yes``, in any case."""
        return self.get(name).lower() in _ON

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def last(self) -> Dict[str, str]:
        """Every name with its last value."""
        return {name: values[-1] for name, values in self._values.items()}


def form_pairs(text: str) -> Pairs:
    """Pairs of a query string or of an ``application/x-www-form-urlencoded`` body.

    :param text: still encoded.
    """
    return parse_qsl(text, keep_blank_values=True, errors="replace")


def json_pairs(raw: bytes) -> Pairs:
    """Pairs of a JSON object: lists are repeated names, ``true`` and numbers are their text.

    :raises ValueError: it is no JSON object.
    """
    value = json.loads(raw.decode("utf-8"))
    if not isinstance(value, dict):
        raise ValueError("not an object")
    pairs: Pairs = []
    for name, item in value.items():
        pairs += [(name, _text(one)) for one in (item if isinstance(item, list) else [item])]
    return pairs


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return "" if value is None else json.dumps(value)
