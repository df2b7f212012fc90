"""Search queries: words, phrases, fields, ranges and groups, in the syntax of query strings.

Source: NRP protocol, section 4 (search page).
"""

import fnmatch
import json
import re
from typing import Any, Callable, List, Optional

from smartxfer.local.nrp.views import Shown

Matcher = Callable[[Shown], bool]

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<mark>[()]|AND(?![^\s()])|OR(?![^\s()])|NOT(?![^\s()])|&&|\|\||[-+!](?=\S))
      | (?:(?P<field>[A-Za-z_][\w.]*):)?
        (?: (?P<open>[\[{])\s*(?P<low>[^\s\]}]+)\s+TO\s+(?P<high>[^\s\]}]+)\s*(?P<close>[\]}])
          | "(?P<phrase>(?:[^"\\]|\\.)*)"
          | (?P<word>(?:[^\s"()\[\]{}\\]|\\.)+) ) )\s*""",
    re.VERBOSE,
)
#: How deep groups may lie in each other.
_DEPTH = 50


class BadQuery(Exception):
    """The query is not understood."""


def matcher(query: str) -> Matcher:
    """What tells whether a record matches a query; terms are joined by AND unless ``OR`` stands between.

    :raises BadQuery: it is not understood.
    """
    reader = _Reader(query)
    found = reader.choices(0)
    if reader.token is not None:
        raise BadQuery(query)
    return found


class _Reader:
    """Reads a query from left to right; ``token`` is what comes next."""

    def __init__(self, query: str) -> None:
        self._query, self._at = query, 0
        self.token: Optional[re.Match[str]] = None
        self._step()

    def _step(self) -> None:
        if not self._query[self._at :].strip():
            self.token = None
            return
        self.token = _TOKEN.match(self._query, self._at)
        if self.token is None:
            raise BadQuery(self._query)
        self._at = self.token.end()

    @property
    def _mark(self) -> Optional[str]:
        return None if self.token is None else self.token["mark"]

    def choices(self, depth: int) -> Matcher:
        """Terms with OR between them, to the end of a group."""
        found = [self._terms(depth)]
        while self._mark in ("OR", "||"):
            self._step()
            found.append(self._terms(depth))
        return lambda view: any(choice(view) for choice in found)

    def _terms(self, depth: int) -> Matcher:
        found: List[Matcher] = []
        while self.token is not None and self._mark not in (")", "OR", "||"):
            if self._mark in ("AND", "&&", "+"):
                self._step()
                continue
            found.append(self._term(depth))
        return lambda view: all(term(view) for term in found)

    def _term(self, depth: int) -> Matcher:
        if self.token is None or depth > _DEPTH:
            raise BadQuery(self._query)
        mark, token = self._mark, self.token
        self._step()
        if mark in ("NOT", "-", "!"):
            denied = self._term(depth + 1)
            return lambda view: not denied(view)
        if mark == "(":
            group = self.choices(depth + 1)
            if self._mark != ")":
                raise BadQuery(self._query)
            self._step()
            return group
        if mark is not None:
            raise BadQuery(self._query)
        return _single(token)


def _single(token: "re.Match[str]") -> Matcher:
    field = token["field"] or ""
    if token["open"]:
        return _range(field, token)
    text = token["phrase"] if token["phrase"] is not None else token["word"]
    text = re.sub(r"\\(.)", r"\1", text)
    if field == "_exists_":
        return lambda view: bool(_values(view, text))
    return _text(field, text)


def _range(field: str, token: "re.Match[str]") -> Matcher:
    low, high = _bound(token["low"]), _bound(token["high"])
    with_low, with_high = token["open"] == "[", token["close"] == "]"

    def test(view: Shown) -> bool:
        for value in map(str, _values(view, field)):
            above = low == "*" or value > low or (with_low and value == low)
            # A day as upper bound stands for the whole of it.
            below = high == "*" or value < high or (with_high and value.startswith(high))
            if above and below and (with_low or not value.startswith(low)):
                return True
        return False

    return test


def _bound(text: str) -> str:
    """A bound as times are shown, so that they compare as text."""
    text = text.strip('"').replace("\\", "")
    return text[:-1] + "+00:00" if text.endswith("Z") and "T" in text else text


def _text(field: str, text: str) -> Matcher:
    wanted = text.lower()
    if wanted == "*":
        return (lambda view: bool(_values(view, field))) if field else (lambda view: True)

    def test(view: Shown) -> bool:
        if field:
            return any(_same(str(value).lower(), wanted) for value in _values(view, field))
        within = [view.item.id, view.half.values["metadata"]]
        return wanted.strip("*") in json.dumps(within, ensure_ascii=False).lower()

    return test


def _same(value: str, wanted: str) -> bool:
    if "*" in wanted or "?" in wanted:
        return fnmatch.fnmatchcase(value, wanted)
    # Text fields are searched by words.
    return value == wanted or re.search(rf"(?<!\w){re.escape(wanted)}(?!\w)", value) is not None


def _values(view: Shown, path: str) -> List[Any]:
    """Values of a field; lists on the way are gone through."""
    half = view.half
    document = {
        "id": view.item.id,
        "created": half.created,
        "updated": half.updated,
        "is_published": str(view.item.record is not None).lower(),
        "parent": {"id": view.parent.id},
        "versions": {"index": view.item.position},
        **half.values,
    }
    found: List[Any] = [document]
    for name in path.split("."):
        found = [one[name] for one in _flat(found) if isinstance(one, dict) and name in one]
    return _flat(found)


def _flat(values: List[Any]) -> List[Any]:
    return [one for value in values for one in (value if isinstance(value, list) else [value])]
