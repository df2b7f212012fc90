"""Parser of the fault language; :mod:`smartxfer.local.faults` describes it."""

import re
import shlex
from typing import Callable, Dict, List, Tuple

import attrs

from smartxfer.errors import UsageError

_STATUS_OPTIONS = "[retry-after=SECONDS|DATE|date+SECONDS] [body=empty|html|json:MESSAGE|file:PATH]"
#: The form of each effect that has parameters, as shown in usage errors.
_SYNTAX = {
    "status": f"status CODE {_STATUS_OPTIONS}",
    "replace": f"replace CODE {_STATUS_OPTIONS}",
    "interim": "interim CODE [N]",
    "redirect": "redirect URL [CODE]",
    "no-length": "no-length [chunked|close] [truncate BYTES]",
    "drip": "drip BYTES/SECONDS",
    "wrong-range": "wrong-range [start|total]",
    **{
        kind: f"{kind} BYTES, such as {kind} 256K"
        for kind in ("reset-after", "reset-after-sent", "stall-after", "truncate", "flip", "flip-in", "rate")
    },
}

_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


@attrs.frozen
class Effect:
    """Effect of a fault.

    :param text: the effect as written.
    :param kind: its first word.
    :param amount: number of bytes of some kinds, -1 for none; number of responses for ``interim``.
    :param status: HTTP status, of ``status``, ``replace``, ``interim`` and ``redirect``.
    :param seconds: pause between two pieces, of ``drip``.
    :param retry_after: value of ``Retry-After`` as written.
    :param detail: body of ``status``, URL of ``redirect``, mode of ``no-length`` and
        ``wrong-range``.
    """

    text: str
    kind: str
    amount: int = -1
    status: int = 0
    seconds: float = 0.0
    retry_after: str = ""
    detail: str = ""


class FaultSyntaxError(Exception):
    """Invalid word in an effect."""


def parse_effect(text: str) -> Effect:
    """Parse an effect.

    :param text: such as ``"reset-after 256K"``.
    :raises UsageError: the text is not a valid effect; the hint shows valid ones.
    """
    kind = ""
    try:
        kind, *words = shlex.split(text) or [""]
        if kind not in _FORMS:
            raise FaultSyntaxError("unknown effect")
        form, minimum, maximum = _FORMS[kind]
        if not minimum <= len(words) <= maximum:
            raise FaultSyntaxError("wrong number of words")
        return form(text, kind, words)
    except (FaultSyntaxError, ValueError) as error:
        known = f"one of: {', '.join(_FORMS)}" if kind not in _FORMS else _SYNTAX.get(kind, kind)
        raise UsageError(f"invalid fault {text!r}: {error}", hint=f"write {known}") from None


def parse_size(word: str) -> int:
    """Parse a number of bytes: ``1000``, ``256K``, ``4M``, ``1G``."""
    match = re.fullmatch(r"(\d+)([KMG]?)", word)
    if not match:
        raise FaultSyntaxError(f"invalid number of bytes: {word!r}")
    return int(match.group(1)) * _UNITS[match.group(2)]


def _status_code(word: str) -> int:
    if not re.fullmatch(r"[1-5]\d\d", word):
        raise FaultSyntaxError(f"invalid HTTP status: {word!r}")
    return int(word)


def _plain(text: str, kind: str, words: List[str]) -> Effect:
    amount = parse_size(words[0]) if words else -1
    if kind == "rate" and not amount:
        raise FaultSyntaxError("a rate must be above 0")
    return Effect(text, kind, amount)


def _status(text: str, kind: str, words: List[str]) -> Effect:
    options = {}
    for word in words[1:]:
        key, equals, value = word.partition("=")
        if key not in ("retry-after", "body") or not equals or key in options:
            raise FaultSyntaxError(f"unexpected word: {word!r}")
        options[key] = value
    body = options.get("body", "empty")
    if body not in ("empty", "html") and not body.startswith(("json:", "file:")):
        raise FaultSyntaxError(f"invalid body: {body!r}")
    retry_after = options.get("retry-after", "")
    if retry_after.startswith("date"):
        int(retry_after[4:])
    return Effect(text, kind, status=_status_code(words[0]), retry_after=retry_after, detail=body)


def _interim(text: str, kind: str, words: List[str]) -> Effect:
    code = _status_code(words[0])
    if not 100 <= code < 200:
        raise FaultSyntaxError(f"status {code} is not in the range 100 to 199")
    return Effect(text, kind, parse_size(words[1]) if len(words) > 1 else 1, status=code)


def _redirect(text: str, kind: str, words: List[str]) -> Effect:
    code = _status_code(words[1]) if len(words) > 1 else 302
    return Effect(text, kind, status=code, detail=words[0])


def _no_length(text: str, kind: str, words: List[str]) -> Effect:
    mode = words.pop(0) if words and words[0] in ("chunked", "close") else "chunked"
    if not words:
        return Effect(text, kind, detail=mode)
    if len(words) != 2 or words[0] != "truncate":
        raise FaultSyntaxError("unexpected words: {!r}".format(" ".join(words)))
    return Effect(text, kind, parse_size(words[1]), detail=mode)


def _drip(text: str, kind: str, words: List[str]) -> Effect:
    amount, slash, seconds = words[0].partition("/")
    if not slash or parse_size(amount) < 1 or not 0 <= float(seconds) < 3600:
        raise FaultSyntaxError(f"{words[0]!r} is not BYTES/SECONDS")
    return Effect(text, kind, parse_size(amount), seconds=float(seconds))


def _wrong_range(text: str, kind: str, words: List[str]) -> Effect:
    if words and words[0] not in ("start", "total"):
        raise FaultSyntaxError(f"unexpected word: {words[0]!r}")
    return Effect(text, kind, detail=words[0] if words else "start")


#: Parser of each kind of effect, with the least and largest number of words after the first.
_FORMS: Dict[str, Tuple[Callable[[str, str, List[str]], Effect], int, int]] = {
    "status": (_status, 1, 3),
    "replace": (_status, 1, 3),
    "interim": (_interim, 1, 2),
    "redirect": (_redirect, 1, 2),
    "no-length": (_no_length, 0, 3),
    "drip": (_drip, 1, 1),
    "wrong-range": (_wrong_range, 0, 1),
    **dict.fromkeys(
        ("reset-before", "extra-byte", "stall", "lose-answer", "no-answer", "ignore-range"), (_plain, 0, 0)
    ),
    **dict.fromkeys(("reset-after", "reset-after-sent", "truncate", "flip", "flip-in"), (_plain, 1, 1)),
    **dict.fromkeys(("rate", "stall-after"), (_plain, 1, 1)),
}
