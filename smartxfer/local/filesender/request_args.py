"""Query arguments and JSON bodies: decoding, sanitizing, and flattening for signatures.

Source: FileSender protocol, sections 2 (sanitiser) and 3 (string to sign).
"""

import html
import re
from typing import Any, Dict, List, Tuple, Union
from urllib.parse import unquote_plus

_KEY = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])*)")

Value = Union[str, Dict[str, Any]]


def clean(value: Any) -> Any:
    """Return a JSON value with every string sanitized: entities decoded, a space after each ``<``.

    :param value: any JSON value.
    """
    if isinstance(value, str):
        return html.unescape(value).replace("<", "< ") if "<" in value or "&" in value else value
    if isinstance(value, list):
        return [clean(item) for item in value]
    if isinstance(value, dict):
        return {key: clean(item) for key, item in value.items()}
    return value


class RequestArguments:
    """The arguments of a query string.

    :param query: query string, still encoded. A second ``?`` at its start, as the site's own
        redirect has it, is ignored (section 8.2).
    """

    def __init__(self, query: str) -> None:
        self._values: Dict[str, Value] = {}
        for pair in query.lstrip("?").split("&"):
            if pair:
                key, _, value = pair.partition("=")
                self._put(_decode_text(key), clean(_decode_text(value)))

    def _put(self, key: str, value: str) -> None:
        match = _KEY.fullmatch(key)
        if match is None or not match.group(2):
            self._values[key] = value
            return
        names: List[str] = [match.group(1), *re.findall(r"\[([^\[\]]*)\]", match.group(2))]
        level: Dict[str, Any] = self._values
        for name in names[:-1]:
            inner = level.setdefault(name or str(len(level)), {})
            if not isinstance(inner, dict):
                return
            level = inner
        level[names[-1] or str(len(level))] = value

    def get(self, name: str, default: str = "") -> str:
        """Return an argument; ``default`` if it is missing or an array."""
        value = self._values.get(name, default)
        return value if isinstance(value, str) else default

    def get_list(self, name: str) -> List[str]:
        """Return an argument with several values: an array, or text with commas."""
        value = self._values.get(name, "")
        if isinstance(value, str):
            return [item.strip() for item in value.split(",") if item.strip()]
        return [item for item in value.values() if isinstance(item, str)]

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def to_sign(self) -> str:
        """Return the arguments in the form for signatures: decoded, sorted by key on each level."""
        unsigned = ("signature", "_")
        values = {key: value for key, value in self._values.items() if key not in unsigned}
        return "&".join(key + "=" + value for key, value in _flat(values, ""))


def _flat(values: Dict[str, Any], prefix: str) -> List[Tuple[str, str]]:
    pairs: List[Tuple[str, str]] = []
    for key in sorted(values, key=lambda name: name.encode("utf-8", "surrogateescape")):
        name = f"{prefix}[{key}]" if prefix else key
        value = values[key]
        pairs += _flat(value, name) if isinstance(value, dict) else [(name, value)]
    return pairs


def _decode_text(encoded: str) -> str:
    # Bytes that are not UTF-8 must stay unchanged, because they are signed.
    return unquote_plus(encoded, errors="surrogateescape")
