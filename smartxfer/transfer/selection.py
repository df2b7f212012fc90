"""Selection of files in a directory tree by glob patterns for relative paths."""

import functools
import re
from typing import Any, Iterable, Pattern, Sequence, Tuple, Union

from smartxfer.errors import UsageError

__all__ = ["EVERYTHING", "Patterns", "Selection"]

Patterns = Union[None, str, Sequence[str]]
"""Values of ``include=`` and ``exclude=``: one pattern or several, or None.

``*`` and ``?`` match within a name, ``**`` across directories, ``[abc]`` and ``[!abc]`` one character.  A
pattern with a slash (also a leading one) is compared with the whole path relative to the directory, a pattern
without a slash with every name in the path.  A pattern that matches a directory selects all files in it.
"""


class Selection:
    """Files that match ``include`` and do not match ``exclude``.

    :param include: None for every file.
    :raises UsageError: a pattern is empty or not text, or the list of patterns is empty.

    >>> selection = Selection(include="*.csv", exclude=["tmp", "run1/raw/**"])
    >>> [selection.includes(path) for path in ("a.csv", "d/b.csv", "c.txt", "tmp/a.csv", "run1/raw/x/a.csv")]
    [True, True, False, False, False]
    """

    def __init__(self, include: Patterns = None, exclude: Patterns = None) -> None:
        self._include = None if include is None else _compile_patterns(include, "include")
        self._exclude = () if exclude is None else _compile_patterns(exclude, "exclude")

    def includes(self, path: str) -> bool:
        """Return True for a selected file.

        :param path: relative to the directory, with slashes.
        """
        if self._include is not None and not _any_matches(self._include, path):
            return False
        return not self.excludes(path)

    def excludes(self, path: str) -> bool:
        """Return True for a file or directory that ``exclude`` matches."""
        return bool(self._exclude) and _any_matches(self._exclude, path)


def _compile_patterns(patterns: Any, name: str) -> Tuple[Pattern[str], ...]:
    pattern_list = [patterns] if isinstance(patterns, str) else patterns
    if isinstance(pattern_list, bytes) or not isinstance(pattern_list, Iterable):
        raise UsageError(
            f"{name} must be a pattern or a list of patterns, not {patterns!r:.80}",
            hint=f'pass {name}="*.csv", for example',
        )
    several = list(pattern_list)
    if not several:
        raise UsageError(f"{name} is an empty list", hint=f"leave {name}= out")
    for pattern in several:
        if not isinstance(pattern, str) or not pattern.strip("/"):
            raise UsageError(
                f"invalid pattern in {name}: {pattern!r:.80}", hint=f'pass {name}="*.csv", for example'
            )
    return tuple(_build_regex(pattern.strip("/"), "/" in pattern.rstrip("/")) for pattern in several)


def _any_matches(patterns: Iterable[Pattern[str]], path: str) -> bool:
    return any(pattern.match(path) for pattern in patterns)


@functools.lru_cache(maxsize=256)
def _build_regex(pattern: str, match_whole_path: bool) -> Pattern[str]:
    """Return a regular expression for paths whose file, or a directory above it, matches the pattern.

    :param match_whole_path: False compares the pattern with each name in the path.
    """
    start = "" if match_whole_path else "(?:.*/)?"
    try:
        return re.compile(f"{start}(?:{_translate_glob(pattern)})(?:/|\\Z)", re.DOTALL)
    except re.error as error:
        raise UsageError(f"invalid pattern {pattern!r}: {error}", hint="write ranges as in [a-z]") from None


def _translate_glob(pattern: str) -> str:
    """Return the regular expression of a glob pattern."""
    regex, at = "", 0
    while at < len(pattern):
        rest = pattern[at:]
        if rest.startswith("**/") and (at == 0 or pattern[at - 1] == "/"):
            regex, at = regex + "(?:[^/]+/)*", at + 3
        elif rest.startswith("**"):
            regex, at = regex + ".*", at + 2
        elif rest[0] == "*":
            regex, at = regex + "[^/]*", at + 1
        elif rest[0] == "?":
            regex, at = regex + "[^/]", at + 1
        else:
            piece, count = _translate_character(rest)
            regex, at = regex + piece, at + count
    return regex


def _translate_character(pattern: str) -> Tuple[str, int]:
    """Return the regular expression of the first character or class of a pattern, and its length."""
    end = pattern.find("]", 3 if pattern[1:2] == "!" else 2) if pattern[0] == "[" else -1
    if end == -1:
        return re.escape(pattern[0]), 1
    members = pattern[1:end]
    negated = members[0] == "!"
    members = members[1:] if negated else members
    escaped = re.sub(r"([\\^\[\]&~|])", r"\\\1", members)
    return f"(?!/)[{'^' if negated else ''}{escaped}]", end + 1


#: Every file.
EVERYTHING: Selection = Selection()
