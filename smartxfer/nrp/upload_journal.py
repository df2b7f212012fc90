"""Journal of an upload for a later run: that it is ours, and which parts of which bytes arrived.

Source: NRP / Invenio protocol, sections 3 (Safety of repeating) and 6 (Multipart).
"""

import logging
import re
from typing import Any, Dict

from smartxfer.nrp.models import File
from smartxfer.transfer.file_parts import Part
from smartxfer.transfer.journal import Journal, clear_finished_journal
from smartxfer.transfer.local_files import LocalFile

__all__ = ["UploadJournal", "delete_completed_journal"]

log = logging.getLogger("smartxfer.nrp")

_PART_NUMBER_PATTERN = re.compile(r"[0-9]{1,9}", re.ASCII)
_MD5_PATTERN = re.compile(r"([0-9a-f]{32})?", re.ASCII)


class UploadJournal:
    """The journal of one key of a draft; only the process that has it sends there from this machine.

    :param files_url: address of the draft's files.
    :raises AlreadyInProgress: another process has it.
    """

    def __init__(self, files_url: str, key: str) -> None:
        self._journal = Journal(_build_journal_key(files_url, key), f"{key} to {files_url}")

    def owns_entry(self, entry: File) -> bool:
        """Return True if a run from here started this entry and never came to the end of its checks."""
        return bool(entry.created) and self._journal.state.get("created") == entry.created

    def record_start(self, entry: File) -> None:
        """Remember that the entry is ours, until :meth:`forget`."""
        if not self.owns_entry(entry):
            self._journal.state.clear()
            self._journal.update(created=entry.created)

    def load_completed_parts(self, local_file: LocalFile, entry: File) -> Dict[int, str]:
        """Hex MD5 (or "") of each part that is acknowledged, by its number from 0.

        Nothing is known of bytes that came from no file, nor of a pending upload that was begun anew.
        """
        about = [
            entry.version_id,
            entry.transfer.part_size,
            local_file.size,
            local_file.mtime_ns,
            str(local_file.path),
        ]
        if (
            not local_file.resumable
            or not self.owns_entry(entry)
            or self._journal.state.get("about") != about
        ):
            self._journal.state.clear()
            self._journal.update(created=entry.created, about=about, parts={})
        known = self._journal.state.get("parts", {})
        parts = {}
        for number, digests in known.items() if isinstance(known, dict) else ():
            if _PART_NUMBER_PATTERN.fullmatch(number) and _is_digest_list(digests):
                parts[int(number)] = digests[-1]
            else:
                log.warning("a journal is damaged: a part of %s is sent again", entry.key)
        return parts

    def add_part(self, part: Part, digest: str) -> None:
        """Remember an acknowledged part."""
        self._journal.append("parts", str(part.number), digest)

    def delete(self) -> None:
        """The upload is done."""
        self._journal.clear()

    def close(self) -> None:
        """Write down what is not yet, and let others at the key."""
        self._journal.close()


def delete_completed_journal(files_url: str, entry: File) -> None:
    """Remove the journal of a run from here that was ended after it had completed an entry.

    :param files_url: address of the draft's files.
    """
    clear_finished_journal(
        _build_journal_key(files_url, entry.key),
        f"{entry.key} to {files_url}",
        lambda state: bool(entry.created) and state.get("created") == entry.created,
    )


def _build_journal_key(files_url: str, key: str) -> Dict[str, str]:
    return {"service": "nrp", "files": files_url, "key": key}


def _is_digest_list(value: Any) -> bool:
    """Tell whether a value is a list whose last entry is a hex MD5 or empty."""
    if not isinstance(value, list) or not value or not isinstance(value[-1], str):
        return False
    return _MD5_PATTERN.fullmatch(value[-1]) is not None
