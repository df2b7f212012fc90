"""Initiation of uploads: one request for all keys, and handling of keys that exist already.

Source: NRP / Invenio protocol, sections 3 (safety of repeating), 5 (Start) and 6.
"""

import contextlib
import logging
import re
from typing import Any, Dict, Iterator, Mapping, Optional, Sequence

import attrs

from smartxfer.error_values import evolve_error
from smartxfer.errors import BadRequest, Forbidden, OutcomeUnknown, UsageError
from smartxfer.nrp.errors import RepositoryConflict, RepositoryDecodeError
from smartxfer.nrp.files_api import FilesApi
from smartxfer.nrp.models import File, FileStatus
from smartxfer.nrp.references import is_url
from smartxfer.nrp.transfer_modes import TransferMode
from smartxfer.nrp.upload_journal import UploadJournal

__all__ = ["FileInit", "build_url_file_init", "initiate_uploads"]

log = logging.getLogger("smartxfer.nrp")

#: Maximum number of attempts to initiate uploads after lost responses and conflicts.
_MAX_ATTEMPTS = 4
_SEND_BYTES_HINT = (
    "url-fetch and remote require permissions that repositories grant to superusers by default; send the "
    "bytes with transfer_type='local-file'"
)
#: Messages of errors that are not caused by an existing key.
_OTHER_CAUSE_PATTERN = re.compile(
    r"quota exceeded|maximum file size|filename is too long|domain not allowed|unsupported value"
)


@attrs.frozen
class FileInit:
    """Parameters for the initiation of one upload.

    :param mode: the transfer mode; not ``auto``.
    :param size: size in bytes; None if the repository fetches the file itself.
    :param metadata: metadata of the file; None and an empty dict do not change existing metadata.
    """

    key: str
    mode: TransferMode
    size: Any
    metadata: Optional[Mapping[str, Any]]

    def build_payload(self) -> Dict[str, Any]:
        """Return the element for this file in the array of the request."""
        payload: Dict[str, Any] = {"key": self.key}
        if self.size is not None:
            payload["size"] = self.size
        if self.metadata:
            payload["metadata"] = dict(self.metadata)
        transfer = self.mode.build_payload(self.size or 0)
        if self.mode.code == "R":  # the repository does not verify them, but returns them to clients
            payload.update((name, transfer.pop(name)) for name in ("size", "checksum") if name in transfer)
        return {**payload, "transfer": transfer}

    def matches(self, entry: File) -> bool:
        """Return True if a pending entry has the same transfer type, size and parts."""
        if entry.transfer.type != self.mode.code or entry.status != FileStatus.PENDING:
            return False
        if self.mode.code != "M":
            return self.mode.code == "L"
        mode = self.mode
        if (
            mode.parts is None and mode.part_size is None
        ):  # any part size is acceptable: keep that of the entry
            mode = attrs.evolve(mode, part_size=entry.transfer.part_size)
        try:
            expected = mode.build_payload(self.size or 0)
        except UsageError:
            return False
        actual = (entry.transfer.parts, entry.transfer.part_size, entry.size)
        return actual == (expected["parts"], expected["part_size"], self.size)


def build_url_file_init(
    key: str, mode: TransferMode, metadata: Optional[Mapping[str, Any]], source: Any
) -> FileInit:
    """Return the parameters of a file that the repository fetches, or refers to.

    :raises UsageError: the source is not a URL.
    """
    if not is_url(str(source)):
        raise UsageError(
            f"source must be a URL for this transfer type, not {source!r:.80}",
            hint="pass a URL that the repository can access, or transfer_type='local-file'",
        )
    return FileInit(key, TransferMode(mode.code, {**mode.extra, "url": str(source)}), None, metadata)


def initiate_uploads(files_api: FilesApi, file_inits: Sequence[FileInit], replace: bool) -> Dict[str, File]:
    """Initiate the uploads by one request; return the entries by key.

    The caller must compare entries that are already ``completed`` with the source.  A pending upload of an
    earlier run on this machine with other parameters is deleted, and initiated with the current ones.

    :param replace: delete existing entries first.
    :raises Conflict: another client has initiated an upload of a key with other parameters.
    """
    pending = {file_init.key: file_init for file_init in file_inits}
    accepted: Dict[str, File] = {}
    last_error = None
    for _ in _iter_attempts(files_api):
        try:
            listed = files_api.initiate([file_init.build_payload() for file_init in pending.values()])
        except Forbidden as error:
            has_url = any(file_init.mode.has_source_url for file_init in pending.values())
            if not has_url or "permission denied" not in error.message.lower():
                raise
            raise evolve_error(error, hint=_SEND_BYTES_HINT) from None
        except (OutcomeUnknown, BadRequest) as error:
            last_error = error
            if isinstance(error, BadRequest) and _has_other_cause(error):
                raise  # another attempt would fail, too, after the existing file had been deleted
            existing = {entry.key: entry for entry in files_api.list() if entry.key in pending}
            if isinstance(error, BadRequest) and not existing:
                raise
        else:
            entries = {entry.key: entry for entry in listed if entry.key in pending}
            missing = set(pending) - set(entries)
            if missing:
                raise RepositoryDecodeError(
                    f"the repository did not initiate the upload of {sorted(missing)[0]!r}"
                )
            return {**accepted, **entries}
        for key, entry in existing.items():
            file_init = pending.pop(key)
            if _is_expected_entry(file_init, entry, replace, last_error):
                accepted[key] = entry
            else:
                _delete_conflicting_entry(files_api, file_init, entry, replace)
                pending[key] = file_init
        if not pending:
            return accepted
    assert last_error is not None
    raise last_error


def _iter_attempts(files_api: FilesApi) -> Iterator[int]:
    """Yield the numbers of the attempts, which share one retry budget."""
    clock = files_api.api.clock
    ends_at = clock.monotonic() + files_api.api.http.policy.budget
    for number in range(_MAX_ATTEMPTS):
        if number and clock.monotonic() >= ends_at:
            return
        yield number


def _has_other_cause(error: BadRequest) -> bool:
    """Return True if an initiation was not rejected because of existing keys.

    The message names an existing key, but no field error does (section 5, Start).
    """
    message = error.message.lower()
    return "already exists" not in message and bool(error.errors or _OTHER_CAUSE_PATTERN.search(message))


def _is_expected_entry(file_init: FileInit, entry: File, replace: bool, start_error: Exception) -> bool:
    """Return True if an existing entry can be the result of this initiation.

    The source URL of an entry is never returned (section 6).  Therefore an entry of the same type is only
    accepted after a lost response.
    """
    if file_init.mode.has_source_url:
        return isinstance(start_error, OutcomeUnknown) and entry.transfer.type == file_init.mode.code
    return file_init.matches(entry) or (entry.status == FileStatus.COMPLETED and not replace)


def _delete_conflicting_entry(files_api: FilesApi, file_init: FileInit, entry: File, replace: bool) -> None:
    if not replace and file_init.mode.has_source_url:
        raise RepositoryConflict(
            f"the file {entry.key!r} already exists, and the repository does not return its source URL",
            hint="pass replace=True to delete it first",
            status=400,
        )
    if not replace and entry.status == FileStatus.PENDING and not _was_started_here(files_api, entry):
        raise RepositoryConflict(
            f"an upload of {entry.key!r} is pending with other parameters ({_describe_transfer(entry)})",
            hint="make sure that no other program is sending it, then pass replace=True to delete it first",
            status=400,
        )
    log.info("%s is deleted before it is uploaded again", entry.key)
    files_api.delete(entry.key)


def _was_started_here(files_api: FilesApi, entry: File) -> bool:
    """Return True if an earlier run on this machine initiated the upload.

    :raises AlreadyInProgress: another process is sending the file now.
    """
    with contextlib.closing(UploadJournal(files_api.files_url, entry.key)) as journal:
        return journal.owns_entry(entry)


def _describe_transfer(entry: File) -> str:
    transfer = entry.transfer
    return f"{transfer.parts} parts of {transfer.part_size} bytes" if transfer.parts else transfer.type
