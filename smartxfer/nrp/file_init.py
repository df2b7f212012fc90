"""The start of uploads: keys announced in one call, and what becomes of keys that are there already.

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

#: How often a start is made when its answer is lost and nothing came of it.
_MAX_ATTEMPTS = 4
_SEND_BYTES_HINT = (
    "url-fetch and remote need rights that repositories give to superusers by default: send the bytes, "
    "transfer_type='local-file'"
)
#: Words of refusals that a key which is there already has no part in.
_OTHER_CAUSE_PATTERN = re.compile(
    r"quota exceeded|maximum file size|filename is too long|domain not allowed|unsupported value"
)


@attrs.frozen
class FileInit:
    """One file as it is to be announced.

    :param how: decided, not ``auto``.
    :param size: bytes; None where the repository fetches them itself.
    :param metadata: of the file; None and an empty dict leave alone what is there.
    """

    key: str
    mode: TransferMode
    size: Any
    metadata: Optional[Mapping[str, Any]]

    def build_payload(self) -> Dict[str, Any]:
        """The element of the start's array."""
        made: Dict[str, Any] = {"key": self.key}
        if self.size is not None:
            made["size"] = self.size
        if self.metadata:
            made["metadata"] = dict(self.metadata)
        transfer = self.mode.build_payload(self.size or 0)
        if self.mode.code == "R":  # which are not checked, but told to whoever asks
            made.update((name, transfer.pop(name)) for name in ("size", "checksum") if name in transfer)
        return {**made, "transfer": transfer}

    def matches(self, entry: File) -> bool:
        """Whether a pending entry awaits just these bytes in just this way."""
        if entry.transfer.type != self.mode.code or entry.status != FileStatus.PENDING:
            return False
        if self.mode.code != "M":
            return self.mode.code == "L"
        how = self.mode
        if how.parts is None and how.part_size is None:  # any cut will do, and that one has begun
            how = attrs.evolve(how, part_size=entry.transfer.part_size)
        try:
            expected = how.build_payload(self.size or 0)
        except UsageError:
            return False
        cut = (entry.transfer.parts, entry.transfer.part_size, entry.size)
        return cut == (expected["parts"], expected["part_size"], self.size)


def build_url_file_init(
    key: str, mode: TransferMode, metadata: Optional[Mapping[str, Any]], source: Any
) -> FileInit:
    """Return the plan of a file that the repository fetches, or refers to.

    :raises UsageError: the source is not an address.
    """
    if not is_url(str(source)):
        raise UsageError(
            f"the source is an address that the repository can reach, not {source!r:.80}",
            hint="pass a URL, such as https://example.org/data.csv",
        )
    return FileInit(key, TransferMode(mode.code, {**mode.extra, "url": str(source)}), None, metadata)


def initiate_uploads(files_api: FilesApi, file_inits: Sequence[FileInit], replace: bool) -> Dict[str, File]:
    """Start the uploads, in one call; the entries by key.

    Of those that come back ``completed`` the caller has to see whether they are what is sent.  An upload of
    another kind that an earlier run from here began is deleted: the settings of this run count.

    :param replace: whether what stands in the way is deleted first.
    :raises Conflict: a key is taken by an upload of another kind that was begun elsewhere.
    """
    waiting = {plan.key: plan for plan in file_inits}
    found: Dict[str, File] = {}
    lost = None
    for _ in _iter_attempts(files_api):
        try:
            listed = files_api.initiate([plan.build_payload() for plan in waiting.values()])
        except Forbidden as error:
            by_url = any(plan.mode.has_source_url for plan in waiting.values())
            if not by_url or "permission denied" not in error.message.lower():
                raise
            raise evolve_error(error, hint=_SEND_BYTES_HINT) from None
        except (OutcomeUnknown, BadRequest) as error:
            lost = error
            if isinstance(error, BadRequest) and _has_other_cause(error):
                raise  # the refusal would stay, and what it is to replace would be deleted in vain
            there = {entry.key: entry for entry in files_api.list() if entry.key in waiting}
            if isinstance(error, BadRequest) and not there:
                raise
        else:
            entries = {entry.key: entry for entry in listed if entry.key in waiting}
            missing = set(waiting) - set(entries)
            if missing:
                raise RepositoryDecodeError(f"the repository started no upload for {sorted(missing)[0]!r}")
            return {**found, **entries}
        for key, entry in there.items():
            plan = waiting.pop(key)
            if _is_expected_entry(plan, entry, replace, lost):
                found[key] = entry
            else:
                _delete_conflicting_entry(files_api, plan, entry, replace)
                waiting[key] = plan
        if not waiting:
            return found
    assert lost is not None
    raise lost


def _iter_attempts(files_api: FilesApi) -> Iterator[int]:
    """Yield the numbers of the starts that may be made: all of them together have one budget."""
    clock = files_api.api.clock
    ends_at = clock.monotonic() + files_api.api.http.policy.budget
    for number in range(_MAX_ATTEMPTS):
        if number and clock.monotonic() >= ends_at:
            return
        yield number


def _has_other_cause(error: BadRequest) -> bool:
    """Return True if a refused start is about something else than keys that are there already.

    Such a key is named in the message, and in no field's error (section 5, Start).
    """
    words = error.message.lower()
    return "already exists" not in words and bool(error.errors or _OTHER_CAUSE_PATTERN.search(words))


def _is_expected_entry(file_init: FileInit, entry: File, replace: bool, start_error: Exception) -> bool:
    """Return True if an entry that is there is the one of this start, or may be.

    An entry never shows the address that it was fetched from (section 6): only after a lost answer one of the
    same kind is taken for this start's.
    """
    if file_init.mode.has_source_url:
        return isinstance(start_error, OutcomeUnknown) and entry.transfer.type == file_init.mode.code
    return file_init.matches(entry) or (entry.status == FileStatus.COMPLETED and not replace)


def _delete_conflicting_entry(files_api: FilesApi, file_init: FileInit, entry: File, replace: bool) -> None:
    if not replace and file_init.mode.has_source_url:
        raise RepositoryConflict(
            f"there is a file {entry.key!r} already, and the repository does not tell from which address",
            hint="replace=True deletes it first",
            status=400,
        )
    if not replace and entry.status == FileStatus.PENDING and not _was_started_here(files_api, entry):
        raise RepositoryConflict(
            f"an upload of {entry.key!r} was begun in another way ({_describe_transfer(entry)})",
            hint="replace=True deletes it first; make sure that no other program is sending it",
            status=400,
        )
    log.info("%s is deleted, to be sent anew", entry.key)
    files_api.delete(entry.key)


def _was_started_here(files_api: FilesApi, entry: File) -> bool:
    """Return True if an earlier run from here began it.

    :raises AlreadyInProgress: another process is sending it now.
    """
    with contextlib.closing(UploadJournal(files_api.files_url, entry.key)) as memory:
        return memory.owns_entry(entry)


def _describe_transfer(entry: File) -> str:
    transfer = entry.transfer
    return f"{transfer.parts} parts of {transfer.part_size} bytes" if transfer.parts else transfer.type
