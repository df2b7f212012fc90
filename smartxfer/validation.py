"""Checks of arguments: dictionaries whose keys are fixed by a protocol, and numbers of seconds."""

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


#: The hint of :func:`validate_keys` where a call has ``extra=``.
EXTRA_HINT = "extra={...} sends a field that is not known here"
#: Likeness of two words from which one is named for the other.
_SIMILARITY_CUTOFF = 0.6


def validate_keys(
    value: Any,
    known_keys: Iterable[str],
    name: str,
    *,
    synonyms: Optional[Mapping[str, str]] = None,
    hint: str = "",
) -> None:
    """Check that a mapping holds known keys only.

    :param value: the mapping, or an iterable of keys; None is an empty one.
    :param known_keys: keys that the protocol defines.
    :param name: what the mapping is, for the message, such as ``"transfer_args"``.
    :param synonyms: known keys by words that other services use for them.
    :param hint: how to send a key deliberately that is not known here.
    :raises UsageError: not a mapping, or a key that is not known; it names the nearest known key.

    >>> validate_keys({"recipient": []}, ["recipients", "subject"], "transfer_args")
    Traceback (most recent call last):
    smartxfer.errors.UsageError: transfer_args has no key 'recipient' (write 'recipients')
    """
    if value is None:
        return
    if isinstance(value, (str, bytes)) or not isinstance(value, (Mapping, Iterable)):
        raise UsageError(
            f"{name} is a dictionary, not a {type(value).__name__}",
            hint="pass a dictionary, such as {'key': value}",
        )
    keys = list(known_keys)
    unknown = [key for key in value if not isinstance(key, str) or key not in keys]
    if not unknown:
        return
    remedies = []
    for key in unknown:
        found = find_nearest_key(str(key), keys, synonyms)
        if found is not None:
            remedies.append(f"write {found!r}" if len(unknown) == 1 else f"{key!r}: write {found!r}")
    if not remedies:
        remedies.append(f"known keys: {', '.join(sorted(keys))}")
    named = ", ".join(repr(key) for key in unknown)
    plural = "key" if len(unknown) == 1 else "keys"
    if hint:
        remedies.append(hint)
    raise UsageError(f"{name} has no {plural} {named}", hint="; ".join(remedies))


def validate_seconds(value: Any, name: str, *, minimum: float = 0.0, hint: str = "") -> float:
    """Return a number of seconds.

    :param name: of the parameter, for the message.
    :param minimum: the least number that is taken; ``float("inf")`` is taken, too.
    :raises UsageError: not a number, or less.

    >>> validate_seconds("/b", "timeout", hint="one path at a time")
    Traceback (most recent call last):
    smartxfer.errors.UsageError: timeout is a number of seconds, 0 or more, not '/b' (one path at a time)
    """
    seconds = math.nan
    if not isinstance(value, bool) and isinstance(value, Real):
        try:
            seconds = float(value)
        except OverflowError:  # an integer that no float holds
            seconds = -math.inf if f"{value!r:.1}" == "-" else math.inf
    if not seconds >= minimum:
        bound = "" if minimum == -math.inf else f", {minimum:g} or more"
        raise UsageError(
            f"{name} is a number of seconds{bound}, not {value!r:.80}",
            hint=hint or f"pass a number, such as {name}=60",
        )
    return seconds


def validate_count(value: Any, name: str) -> int:
    """Return a number of at least 1.

    :param name: of the parameter, for the message.
    :raises UsageError: not an integer, or less.

    >>> validate_count(0, "max_workers")
    Traceback (most recent call last):
    smartxfer.errors.UsageError: max_workers is a number of at least 1, not 0 (pass max_workers=1 or more)
    """
    if type(value) is not int or value < 1:
        raise UsageError(
            f"{name} is a number of at least 1, not {value!r:.80}", hint=f"pass {name}=1 or more"
        )
    return value


def merge_extra(
    body: Mapping[str, Any], extra: Optional[Mapping[str, Any]], known_keys: Iterable[str] = ()
) -> Dict[str, Any]:
    """Return a body with the fields of ``extra=`` added: those that this version does not know.

    :param extra: such fields; a dictionary under a name that the body has, too, is merged into that.
    :param known_keys: further fields that are known, though the body does not have them.
    :raises UsageError: not a dictionary, or it has a field that is known or given already.

    >>> merge_extra({"name": "a", "options": {"b": 1}}, {"options": {"c": 2}})
    {'name': 'a', 'options': {'b': 1, 'c': 2}}
    """
    if extra is not None and not isinstance(extra, Mapping):
        raise UsageError(
            f"extra is a dictionary, not a {type(extra).__name__}", hint="pass extra={'field': value}"
        )
    found, named = dict(body), set(known_keys)
    for name, value in (extra or {}).items():
        if isinstance(value, Mapping) and isinstance(found.get(name), Mapping):
            found[name] = merge_extra(found[name], value)
        elif name in found:
            raise UsageError(f"extra holds {name!r}, which is given already", hint="give it once")
        elif name in named:
            raise UsageError(f"extra holds {name!r}, which is known here", hint=f"give {name!r} itself")
        else:
            found[name] = value
    return found


def find_nearest_key(
    key: str,
    known_keys: Iterable[str],
    synonyms: Optional[Mapping[str, str]] = None,
) -> Optional[str]:
    """Return the known key that a misspelt one most likely stands for, or None.

    :param synonyms: known keys by words that other services use for them.

    >>> find_nearest_key("Subjects", ["recipients", "subject"])
    'subject'
    """
    plain = {name.lower().replace("-", "_"): name for name in known_keys}
    word = key.lower().replace("-", "_")
    if synonyms is not None and word in synonyms:
        return synonyms[word]
    found = difflib.get_close_matches(word, list(plain), n=1, cutoff=_SIMILARITY_CUTOFF)
    return plain[found[0]] if found else None
