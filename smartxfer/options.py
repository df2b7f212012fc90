"""Checks of dictionaries whose keys are fixed by a protocol."""

import difflib
from typing import Any, Iterable, Mapping, Optional

from smartxfer.errors import UsageError

__all__ = ["check_keys", "nearest"]


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


def nearest(key: str, known: Iterable[str], synonyms: Optional[Mapping[str, str]] = None) -> Optional[str]:
    """Return the known key that a misspelt one most likely stands for, or None.

    :param synonyms: known keys by words that other services use for them.

    >>> nearest("Subjects", ["recipients", "subject"])
    'subject'
    """
    plain = {name.lower().replace("-", "_"): name for name in known}
    word = key.lower().replace("-", "_")
    if synonyms is not None and word in synonyms:
        return synonyms[word]
    found = difflib.get_close_matches(word, list(plain), n=1, cutoff=0.6)
    return plain[found[0]] if found else None
