"""Journal of an upload for a later run: the entry that was initiated, and its acknowledged parts.

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
    """Journal of one key of a draft, which is also a lock: only one process per machine uploads to the key.

    :param files_url: URL of the draft's files.
    :raises AlreadyInProgress: another process holds the lock.
    """

    def __init__(self, files_url: str, key: str) -> None:
        self._journal = Journal(_build_journal_key(files_url, key), f"{key} to {files_url}")

    def owns_entry(self, entry: File) -> bool:
        """Return True if a run on this machine initiated this entry, and did not finish its verification."""
        return bool(entry.created) and self._journal.state.get("created") == entry.created

    def record_start(self, entry: File) -> None:
        """Record that this machine initiated the entry, until :meth:`delete`."""
        if not self.owns_entry(entry):
            self._journal.state.clear()
            self._journal.update(created=entry.created)

    def load_completed_parts(self, local_file: LocalFile, entry: File) -> Dict[int, str]:
        """Return the hex MD5 (or "") of each acknowledged part, by its number from 0.

        The result is empty if the source is not a regular file, or if the upload was initiated again.
        """
        identity = [
            entry.version_id,
            entry.transfer.part_size,
            local_file.size,
            local_file.mtime_ns,
            str(local_file.path),
        ]
        if (
            not local_file.resumable
            or not self.owns_entry(entry)
            or self._journal.state.get("about") != identity
        ):
            self._journal.state.clear()
            self._journal.update(created=entry.created, about=identity, parts={})
        saved_parts = self._journal.state.get("parts", {})
        parts = {}
        for number, digests in saved_parts.items() if isinstance(saved_parts, dict) else ():
            if _PART_NUMBER_PATTERN.fullmatch(number) and _is_digest_list(digests):
                parts[int(number)] = digests[-1]
            else:
                log.warning("invalid entry in the journal: a part of %s is sent again", entry.key)
        return parts

    def add_part(self, part: Part, digest: str) -> None:
        """Record an acknowledged part."""
        self._journal.append("parts", str(part.number), digest)

    def delete(self) -> None:
        """Delete the state of a finished upload."""
        self._journal.clear()

    def close(self) -> None:
        """Write unsaved changes and release the lock."""
        self._journal.close()


def delete_completed_journal(files_url: str, entry: File) -> None:
    """Remove the journal of a run on this machine that was interrupted after it had completed the entry.

    :param files_url: URL of the draft's files.
    """
    clear_finished_journal(
        _build_journal_key(files_url, entry.key),
        f"{entry.key} to {files_url}",
        lambda state: bool(entry.created) and state.get("created") == entry.created,
    )


def _build_journal_key(files_url: str, key: str) -> Dict[str, str]:
    return {"service": "nrp", "files": files_url, "key": key}


def _is_digest_list(value: Any) -> bool:
    """Return True for a list whose last entry is a hex MD5 or empty."""
    if not isinstance(value, list) or not value or not isinstance(value[-1], str):
        return False
    return _MD5_PATTERN.fullmatch(value[-1]) is not None
