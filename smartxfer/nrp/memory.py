"""Journal of an upload for a later run: that it is ours, and which parts of which bytes arrived.

Source: NRP / Invenio protocol, sections 3 (Safety of repeating) and 6 (Multipart).
"""

import logging
import re
from typing import Any, Dict

from smartxfer.nrp.models import File
from smartxfer.transfer.journal import Journal, forget_finished
from smartxfer.transfer.plan import Part
from smartxfer.transfer.tree import Item

__all__ = ["Memory", "forget_completed"]

log = logging.getLogger("smartxfer.nrp")

_NUMBER = re.compile(r"[0-9]{1,9}", re.ASCII)
_MD5 = re.compile(r"([0-9a-f]{32})?", re.ASCII)


class Memory:
    """The journal of one key of a draft; only the process that has it sends there from this machine.

    :param base: address of the draft's files.
    :raises InProgress: another process has it.
    """

    def __init__(self, base: str, key: str) -> None:
        self._journal = Journal(_key(base, key), f"{key} to {base}")

    def began(self, entry: File) -> bool:
        """Return True if a run from here started this entry and never came to the end of its checks."""
        return bool(entry.created) and self._journal.state.get("created") == entry.created

    def begin(self, entry: File) -> None:
        """Remember that the entry is ours, until :meth:`forget`."""
        if not self.began(entry):
            self._journal.state.clear()
            self._journal.note(created=entry.created)

    def resumed(self, item: Item, entry: File) -> Dict[int, str]:
        """Hex MD5 (or "") of each part that is acknowledged, by its number from 0.

        Nothing is known of bytes that came from no file, nor of a pending upload that was begun anew.
        """
        about = [entry.version_id, entry.transfer.part_size, item.size, item.mtime_ns, str(item.path)]
        if not item.resumable or not self.began(entry) or self._journal.state.get("about") != about:
            self._journal.state.clear()
            self._journal.note(created=entry.created, about=about, parts={})
        known = self._journal.state.get("parts", {})
        parts = {}
        for number, digests in known.items() if isinstance(known, dict) else ():
            if _NUMBER.fullmatch(number) and _is_digests(digests):
                parts[int(number)] = digests[-1]
            else:
                log.warning("a journal is damaged: a part of %s is sent again", entry.key)
        return parts

    def note(self, part: Part, digest: str) -> None:
        """Remember an acknowledged part."""
        self._journal.append("parts", str(part.number), digest)

    def forget(self) -> None:
        """The upload is done."""
        self._journal.forget()

    def close(self) -> None:
        """Write down what is not yet, and let others at the key."""
        self._journal.close()


def forget_completed(base: str, entry: File) -> None:
    """Remove the journal of a run from here that was ended after it had completed an entry.

    :param base: address of the draft's files.
    """
    forget_finished(
        _key(base, entry.key),
        f"{entry.key} to {base}",
        lambda state: bool(entry.created) and state.get("created") == entry.created,
    )


def _key(base: str, key: str) -> Dict[str, str]:
    return {"service": "nrp", "files": base, "key": key}


def _is_digests(value: Any) -> bool:
    """Tell whether a value is a list whose last entry is a hex MD5 or empty."""
    if not isinstance(value, list) or not value or not isinstance(value[-1], str):
        return False
    return _MD5.fullmatch(value[-1]) is not None
