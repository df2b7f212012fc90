"""What a later run needs to know of an upload: which parts of which bytes were acknowledged.

Source: NRP / Invenio protocol, section 6, Multipart.
"""

from typing import Dict

from smartxfer.nrp.models import File
from smartxfer.transfer.journal import Journal
from smartxfer.transfer.plan import Part
from smartxfer.transfer.tree import Item

__all__ = ["Memory"]


class Memory:
    """The journal of one key of a draft: whoever has it is the only one on this machine to send there.

    :param base: address of the draft's files.
    :raises InProgress: somebody else has it.
    """

    def __init__(self, base: str, key: str) -> None:
        self._journal = Journal({"service": "nrp", "files": base, "key": key}, f"{key} to {base}")

    def resumed(self, item: Item, entry: File) -> Dict[int, str]:
        """Hex MD5 (or "") of each part that is acknowledged, by its number from 0.

        Nothing is known of bytes that came from no file, nor of a pending upload that was begun anew.
        """
        about = [
            entry.created,
            entry.version_id,
            entry.transfer.part_size,
            item.size,
            item.mtime_ns,
            str(item.path),
        ]
        if item.path is None or self._journal.state.get("about") != about:
            self._journal.state.clear()
            self._journal.note(about=about, parts={})
        known = self._journal.state.get("parts", {})
        return {int(number): str(digests[-1]) for number, digests in known.items()}

    def note(self, part: Part, digest: str) -> None:
        """Remember an acknowledged part."""
        self._journal.append("parts", str(part.number), digest)

    def forget(self) -> None:
        """The upload is done."""
        self._journal.forget()

    def close(self) -> None:
        """Write down what is not yet, and let others at the key."""
        self._journal.close()
