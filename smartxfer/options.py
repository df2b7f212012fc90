"""Checks of arguments: dictionaries whose keys are fixed by a protocol, and numbers of seconds."""

import difflib
import math
from numbers import Real
from typing import Any, Iterable, Mapping, Optional

from smartxfer.errors import UsageError

__all__ = ["check_keys", "check_seconds", "check_spelling", "nearest"]


#: Likeness of two words from which one is named for the other, and from which it is taken for it.
_LIKE, _NEARLY = 0.6, 0.8


def check_keys(
    given: Any,
    known: Iterable[str],
    what: str,
    *,
    synonyms: Optional[Mapping[str, str]] = None,
    hint: str = "",
) -> None:
    """Check that a mapping holds known keys only.

    :param given: the mapping, or an iterable of keys; None is an empty one.
    :param known: keys that the protocol defines.
    :param what: what the mapping is, for the message, such as ``"transfer_args"``.
    :param synonyms: known keys by words that other services use for them.
    :param hint: how to send a key deliberately that is not known here.
    :raises UsageError: not a mapping, or a key that is not known; it names the nearest known key.

    >>> check_keys({"recipient": []}, ["recipients", "subject"], "transfer_args")
    Traceback (most recent call last):
    smartxfer.errors.UsageError: transfer_args has no key 'recipient' (write 'recipients')
    """
    if given is None:
        return
    if isinstance(given, (str, bytes)) or not isinstance(given, (Mapping, Iterable)):
        raise UsageError(f"{what} is a dictionary, not a {type(given).__name__}")
    keys = list(known)
    unknown = [key for key in given if not isinstance(key, str) or key not in keys]
    if not unknown:
        return
    remedies = []
    for key in unknown:
        found = nearest(str(key), keys, synonyms)
        if found is not None:
            remedies.append(f"write {found!r}" if len(unknown) == 1 else f"{key!r}: write {found!r}")
    if not remedies:
        remedies.append(f"known keys: {', '.join(sorted(keys))}")
    named = ", ".join(repr(key) for key in unknown)
    plural = "key" if len(unknown) == 1 else "keys"
    if hint:
        remedies.append(hint)
    raise UsageError(f"{what} has no {plural} {named}", hint="; ".join(remedies))


def check_seconds(value: Any, name: str, *, least: float = 0.0, hint: str = "") -> float:
    """Return a number of seconds.

    :param name: of the parameter, for the message.
    :param least: the least number that is taken; ``float("inf")`` is taken, too.
    :raises UsageError: not a number, or less.

    >>> check_seconds("/b", "timeout", hint="one path at a time")
    Traceback (most recent call last):
    smartxfer.errors.UsageError: timeout is a number of seconds, 0 or more, not '/b' (one path at a time)
    """
    seconds = math.nan
    if not isinstance(value, bool) and isinstance(value, Real):
        try:
            seconds = float(value)
        except OverflowError:  # an integer that no float holds
            seconds = -math.inf if f"{value!r:.1}" == "-" else math.inf
    if not seconds >= least:
        bound = "" if least == -math.inf else f", {least:g} or more"
        raise UsageError(f"{name} is a number of seconds{bound}, not {value!r:.80}", hint=hint)
    return seconds


def check_spelling(given: Iterable[str], known: Iterable[str], what: str) -> None:
    """Check keys that a protocol does not list to the end: one that is nearly a known key is refused.

    :param given: keys beside the known ones.
    :param known: keys that are documented.
    :param what: what they belong to, for the message.
    :raises UsageError: a key that is most likely a misspelt one.

    >>> check_spelling(["passwrd"], ["password"], "createSharedToken")
    Traceback (most recent call last):
    smartxfer.errors.UsageError: createSharedToken has no 'passwrd' (write 'password')
    """
    keys = list(known)
    for key in given:
        found = nearest(key, keys, cutoff=_NEARLY)
        if found is not None and found != key:
            raise UsageError(f"{what} has no {key!r}", hint=f"write {found!r}")


def nearest(
    key: str,
    known: Iterable[str],
    synonyms: Optional[Mapping[str, str]] = None,
    cutoff: float = _LIKE,
) -> Optional[str]:
    """Return the known key that a misspelt one most likely stands for, or None.

    :param synonyms: known keys by words that other services use for them.
    :param cutoff: least likeness, from 0 to 1.

    >>> nearest("Subjects", ["recipients", "subject"])
    'subject'
    """
    plain = {name.lower().replace("-", "_"): name for name in known}
    word = key.lower().replace("-", "_")
    if synonyms is not None and word in synonyms:
        return synonyms[word]
    found = difflib.get_close_matches(word, list(plain), n=1, cutoff=cutoff)
    return plain[found[0]] if found else None
