"""Search queries: words, phrases, fields, ranges and groups, in the syntax of query strings.

Source: NRP protocol, section 4 (search page).
"""

import fnmatch
import json
import re
from typing import Any, Callable, List, Optional

from smartxfer.local.nrp.record_serializers import RecordView

Matcher = Callable[[RecordView], bool]

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<mark>[()]|AND(?![^\s()])|OR(?![^\s()])|NOT(?![^\s()])|&&|\|\||[-+!](?=\S))
      | (?:(?P<field>[A-Za-z_][\w.]*):)?
        (?: (?P<open>[\[{])\s*(?P<low>[^\s\]}]+)\s+TO\s+(?P<high>[^\s\]}]+)\s*(?P<close>[\]}])
          | "(?P<phrase>(?:[^"\\]|\\.)*)"
          | (?P<word>(?:[^\s"()\[\]{}\\]|\\.)+) ) )\s*""",
    re.VERBOSE,
)
#: Largest nesting depth of groups.
_DEPTH = 50


class InvalidQuery(Exception):
    """Invalid query."""


def matcher(query: str) -> Matcher:
    """Return a function that matches records with a query; terms without ``OR`` between them are ANDed.

    :raises InvalidQuery: invalid syntax.
    """
    reader = _Reader(query)
    matcher = reader.choices(0)
    if reader.token is not None:
        raise InvalidQuery(query)
    return matcher


class _Reader:
    """Parses a query from left to right; ``token`` is the next token."""

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
            raise InvalidQuery(self._query)
        self._at = self.token.end()

    @property
    def _mark(self) -> Optional[str]:
        return None if self.token is None else self.token["mark"]

    def choices(self, depth: int) -> Matcher:
        """Parse terms with OR between them, to the end of a group."""
        choices = [self._terms(depth)]
        while self._mark in ("OR", "||"):
            self._step()
            choices.append(self._terms(depth))
        return lambda view: any(choice(view) for choice in choices)

    def _terms(self, depth: int) -> Matcher:
        matchers: List[Matcher] = []
        while self.token is not None and self._mark not in (")", "OR", "||"):
            if self._mark in ("AND", "&&", "+"):
                self._step()
                continue
            matchers.append(self._term(depth))
        return lambda view: all(term(view) for term in matchers)

    def _term(self, depth: int) -> Matcher:
        if self.token is None or depth > _DEPTH:
            raise InvalidQuery(self._query)
        mark, token = self._mark, self.token
        self._step()
        if mark in ("NOT", "-", "!"):
            denied = self._term(depth + 1)
            return lambda view: not denied(view)
        if mark == "(":
            group = self.choices(depth + 1)
            if self._mark != ")":
                raise InvalidQuery(self._query)
            self._step()
            return group
        if mark is not None:
            raise InvalidQuery(self._query)
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
    low, high = _parse_bound(token["low"]), _parse_bound(token["high"])
    with_low, with_high = token["open"] == "[", token["close"] == "]"

    def test(view: RecordView) -> bool:
        for value in map(str, _values(view, field)):
            above = low == "*" or value > low or (with_low and value == low)
            # A day as upper bound includes the whole day.
            below = high == "*" or value < high or (with_high and value.startswith(high))
            if above and below and (with_low or not value.startswith(low)):
                return True
        return False

    return test


def _parse_bound(text: str) -> str:
    """Convert a bound to the format of shown times, which compare as text."""
    text = text.strip('"').replace("\\", "")
    return text[:-1] + "+00:00" if text.endswith("Z") and "T" in text else text


def _text(field: str, text: str) -> Matcher:
    requested = text.lower()
    if requested == "*":
        return (lambda view: bool(_values(view, field))) if field else (lambda view: True)

    def test(view: RecordView) -> bool:
        if field:
            return any(_same(str(value).lower(), requested) for value in _values(view, field))
        within = [view.item.id, view.state.values["metadata"]]
        return requested.strip("*") in json.dumps(within, ensure_ascii=False).lower()

    return test


def _same(value: str, requested: str) -> bool:
    if "*" in requested or "?" in requested:
        return fnmatch.fnmatchcase(value, requested)
    # Text fields match single words.
    return value == requested or re.search(rf"(?<!\w){re.escape(requested)}(?!\w)", value) is not None


def _values(view: RecordView, path: str) -> List[Any]:
    """Return the values of a field, including those in lists."""
    state = view.state
    document = {
        "id": view.item.id, "created": state.created, "updated": state.updated,
        "is_published": str(view.item.record is not None).lower(), "parent": {"id": view.parent.id},
        "versions": {"index": view.item.position}, **state.values,
    }
    values: List[Any] = [document]
    for name in path.split("."):
        values = [item[name] for item in _flat(values) if isinstance(item, dict) and name in item]
    return _flat(values)


def _flat(values: List[Any]) -> List[Any]:
    return [item for value in values for item in (value if isinstance(value, list) else [value])]
