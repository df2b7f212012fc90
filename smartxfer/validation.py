"""Validation of arguments: dictionaries with the keys of a protocol, counts, and seconds."""

import difflib
import math
from numbers import Real
from typing import Any, Dict, Iterable, Mapping, Optional

from smartxfer.errors import UsageError

__all__ = [
    "EXTRA_HINT",
    "find_nearest_key",
    "merge_extra",
    "validate_count",
    "validate_keys",
    "validate_seconds",
]


#: Hint of :func:`validate_keys` for calls that have ``extra=``.
EXTRA_HINT = "extra={...} sends a field that is not known here"
#: Minimum similarity of a key and its suggested replacement.
_SIMILARITY_CUTOFF = 0.6


def validate_keys(
    value: Any,
    known_keys: Iterable[str],
    name: str,
    *,
    synonyms: Optional[Mapping[str, str]] = None,
    hint: str = "",
) -> None:
    """Check that a mapping contains only known keys.

    :param value: the mapping, or an iterable of keys; None is an empty one.
    :param known_keys: keys that the protocol defines.
    :param name: name of the parameter, for messages, such as ``"transfer_args"``.
    :param synonyms: known keys by the names that other services use.
    :param hint: how to send an unknown key on purpose.
    :raises UsageError: the value is not a mapping, or has an unknown key; the hint is the nearest known key.

    >>> validate_keys({"recipient": []}, ["recipients", "subject"], "transfer_args")
    Traceback (most recent call last):
    smartxfer.errors.UsageError: transfer_args has no key 'recipient' (write 'recipients')
    """
    if value is None:
        return
    if isinstance(value, (str, bytes)) or not isinstance(value, (Mapping, Iterable)):
        raise UsageError(
            f"{name} must be a dictionary, not a {type(value).__name__}",
            hint=f"pass {name}={{'key': value}}",
        )
    keys = list(known_keys)
    unknown = [key for key in value if not isinstance(key, str) or key not in keys]
    if not unknown:
        return
    remedies = []
    for key in unknown:
        nearest = find_nearest_key(str(key), keys, synonyms)
        if nearest is not None:
            remedies.append(f"write {nearest!r}" if len(unknown) == 1 else f"{key!r}: write {nearest!r}")
    if not remedies:
        remedies.append(f"write one of: {', '.join(sorted(keys))}")
    named = ", ".join(repr(key) for key in unknown)
    plural = "key" if len(unknown) == 1 else "keys"
    if hint:
        remedies.append(hint)
    raise UsageError(f"{name} has no {plural} {named}", hint="; ".join(remedies))


def validate_seconds(value: Any, name: str, *, minimum: float = 0.0, hint: str = "") -> float:
    """Return a number of seconds.

    :param name: of the parameter, for messages.
    :param minimum: smallest valid number; ``float("inf")`` is valid, too.
    :raises UsageError: the value is not a number, or less than ``minimum``.

    >>> validate_seconds("/b", "timeout", hint="one path at a time")
    Traceback (most recent call last):
    smartxfer.errors.UsageError: timeout must be a number of seconds, 0 or more, not '/b' (one path at a time)
    """
    seconds = math.nan
    if not isinstance(value, bool) and isinstance(value, Real):
        try:
            seconds = float(value)
        except OverflowError:  # an integer that is larger than any float
            seconds = -math.inf if f"{value!r:.1}" == "-" else math.inf
    if not seconds >= minimum:
        bound = "" if minimum == -math.inf else f", {minimum:g} or more"
        raise UsageError(
            f"{name} must be a number of seconds{bound}, not {value!r:.80}",
            hint=hint or f"pass a number, such as {name}=60",
        )
    return seconds


def validate_count(value: Any, name: str) -> int:
    """Return a number of at least 1.

    :param name: of the parameter, for messages.
    :raises UsageError: the value is not an integer, or less than 1.

    >>> validate_count(0, "parts")
    Traceback (most recent call last):
    smartxfer.errors.UsageError: parts must be a number of at least 1, not 0 (pass parts=1 or more)
    """
    if type(value) is not int or value < 1:
        raise UsageError(
            f"{name} must be a number of at least 1, not {value!r:.80}", hint=f"pass {name}=1 or more"
        )
    return value


def merge_extra(
    body: Mapping[str, Any], extra: Optional[Mapping[str, Any]], known_keys: Iterable[str] = ()
) -> Dict[str, Any]:
    """Return a request body with the additional fields of ``extra=``, which this version does not know.

    :param extra: the additional fields; a dictionary is merged with one of the same name in the body.
    :param known_keys: further known fields, which the body need not contain.
    :raises UsageError: ``extra`` is not a dictionary, or contains a field that is known or in the body.

    >>> merge_extra({"name": "a", "options": {"b": 1}}, {"options": {"c": 2}})
    {'name': 'a', 'options': {'b': 1, 'c': 2}}
    """
    if extra is not None and not isinstance(extra, Mapping):
        raise UsageError(
            f"extra must be a dictionary, not a {type(extra).__name__}", hint="pass extra={'field': value}"
        )
    merged, known_names = dict(body), set(known_keys)
    for name, value in (extra or {}).items():
        if isinstance(value, Mapping) and isinstance(merged.get(name), Mapping):
            merged[name] = merge_extra(merged[name], value)
        elif name in merged:
            raise UsageError(
                f"extra contains {name!r}, which is passed already", hint=f"remove {name!r} from extra="
            )
        elif name in known_names:
            raise UsageError(f"extra contains the known field {name!r}", hint=f"pass {name!r} without extra=")
        else:
            merged[name] = value
    return merged


def find_nearest_key(
    key: str,
    known_keys: Iterable[str],
    synonyms: Optional[Mapping[str, str]] = None,
) -> Optional[str]:
    """Return the known key that is most similar to a misspelt one, or None.

    :param synonyms: known keys by the names that other services use.

    >>> find_nearest_key("Subjects", ["recipients", "subject"])
    'subject'
    """
    plain = {name.lower().replace("-", "_"): name for name in known_keys}
    word = key.lower().replace("-", "_")
    if synonyms is not None and word in synonyms:
        return synonyms[word]
    matches = difflib.get_close_matches(word, list(plain), n=1, cutoff=_SIMILARITY_CUTOFF)
    return plain[matches[0]] if matches else None
