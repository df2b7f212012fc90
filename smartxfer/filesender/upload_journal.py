"""The memory of an upload, and an earlier run's transfer in it: read with care, and checked against the site.

Source: FileSender protocol, sections 4, 5 and 6.6.
"""

import logging
from typing import Any, Dict, Iterable, List, Mapping, Optional, Sequence, Tuple, Type

import attrs

from smartxfer.errors import AuthError, ClientError, DecodeError, Forbidden, NotFound
from smartxfer.filesender.auth import GuestAuth, UserAuth
from smartxfer.filesender.errors import FileSenderDecodeError
from smartxfer.filesender.models import Transfer
from smartxfer.filesender.rest_api import FileSenderApi
from smartxfer.filesender.upload_encryption import UploadEncryption
from smartxfer.transfer.extents import merge_extents
from smartxfer.transfer.journal import Journal
from smartxfer.transfer.local_files import LocalFile

__all__ = [
    "ResumableTransfer",
    "create_journal",
    "discard_resumable_transfer",
    "get_ownership_mismatch",
    "get_sent_ranges",
]

log = logging.getLogger("smartxfer.filesender")


def create_journal(
    api: FileSenderApi,
    local_files: Sequence[LocalFile],
    body: Mapping[str, Any],
    encryption: Optional[UploadEncryption],
) -> Optional[Journal]:
    """Return the memory of this very request; None when bytes in memory make it unrecognisable."""
    if not all(item.resumable for item in local_files):
        return None
    base, auth = api.base_url, api.signer.auth
    owner = getattr(auth, "username", None) or getattr(auth, "guest_token", "")
    return Journal(
        _journal_key(base, owner, local_files, body, encryption), f"this upload to {base}", clock=api.clock
    )


def _journal_key(
    base_url: str,
    owner: Optional[str],
    local_files: Sequence[LocalFile],
    body: Mapping[str, Any],
    encryption: Optional[UploadEncryption],
) -> Dict[str, Any]:
    """Return what makes an upload recognisable to a later run.

    :param owner: the user name, or the guest's token.
    """
    key: Dict[str, Any] = {
        "service": "filesender",
        "base": base_url,
        "account": owner,
        "request": {name: value for name, value in body.items() if name != "files"},
        "files": [[item.name, str(item.path), item.size, item.mtime_ns] for item in local_files],
    }
    if encryption is not None:
        key["encryption"] = [encryption.key_version, encryption.password_version, encryption.iterations]
    return key


@attrs.frozen
class ResumableTransfer:
    """The unfinished transfer of an earlier run.

    :param transfer: its id, its files and the round-trip token.
    :param completing: whether that run had sent everything.
    :param sealing: how it was encrypted; empty where it was not.
    """

    transfer: Transfer
    completion_requested: bool
    encryption: Dict[str, Any]

    @classmethod
    def from_journal(
        cls, state: Mapping[str, Any], encrypted_names: Iterable[str] = ()
    ) -> Optional["ResumableTransfer"]:
        """Return what a journal says of an earlier run; None where it says nothing, or is damaged.

        :param encrypted_names: names of the files that are to be encrypted.
        """
        noted = state.get("transfer")
        if not noted:
            return None
        try:
            transfer = Transfer.from_wire(noted)
            if transfer.id < 1 or not transfer.files or not all(file.key for file in transfer.files):
                raise FileSenderDecodeError("the transfer has no id, no files, or no keys of them")
            sealing = _parse_encryption_state(state.get("sealing"), encrypted_names)
        except DecodeError as error:
            log.warning("a journal is damaged, nothing is resumed: %s", error)
            return None
        return cls(transfer, bool(state.get("completing")), sealing)

    def find_on_site(self, api: FileSenderApi) -> Optional[bool]:
        """Look for the transfer on the site, and check that it is the one that the journal says.

        :return: whether the site has made it available; None where it is gone, or is not ours.
        :raises ClientError: a refusal that does not say that the transfer is gone, such as 429.
        """
        id, available = self.transfer.id, False
        try:
            found = api.get_unfinished_transfer(self.transfer)
        except ClientError as error:
            if not _is_gone(error, AuthError, Forbidden, NotFound):
                raise
            if not self.completion_requested or isinstance(api.signer.auth, GuestAuth):
                log.info("the earlier transfer is gone (%s), starting anew", error.code)
                return None
            try:
                found = api.get_transfer(id)
            except ClientError as missing:
                if not _is_gone(missing, Forbidden, NotFound):
                    raise
                return None
            available = True
        reason = self._describe_difference(found) or get_ownership_mismatch(api, found)
        if reason is not None:
            log.warning("transfer %s of a journal is not continued, starting anew: %s", id, reason)
            return None
        return available

    def delete(self, api: FileSenderApi) -> None:
        """Delete the transfer, where it is the user's own."""
        try:
            reason = get_ownership_mismatch(api, api.get_transfer(self.transfer.id))
        except NotFound:
            return
        except Forbidden as error:
            reason = error.summary
        if reason is None:
            api.delete_transfer(self.transfer.id)
        else:
            log.warning("transfer %s of a journal is not deleted: %s", self.transfer.id, reason)

    def _describe_difference(self, transfer: Transfer) -> Optional[str]:
        """Return how the site's transfer differs from the one of the journal."""
        if transfer.id != self.transfer.id:
            return f"the site answers transfer {transfer.id}"
        noted = {(file.id, file.name, file.size, file.key) for file in self.transfer.files}
        there = {(file.id, file.name, file.size, file.key) for file in transfer.files}
        # A folder has an entry of its own, which is only in the answer to the creation.
        strange = there - noted or {file for file in noted - there if file[2]}
        if strange:
            return f"its file {min(strange)[1]!r} is another"
        if self.encryption and transfer.salt and transfer.salt != self.encryption["salt"]:
            return "it has another salt"
        return None


def _is_gone(error: ClientError, *error_types: Type[ClientError]) -> bool:
    """Return True where the site itself says that it knows no such transfer; a page of a proxy does not."""
    return bool(error.code) and isinstance(error, error_types)


def get_ownership_mismatch(api: FileSenderApi, transfer: Transfer) -> Optional[str]:
    """Return why a transfer is not the user's own; None where it is, or where the site cannot tell.

    A guest cannot ask who owns a transfer.
    """
    if not isinstance(api.signer.auth, UserAuth) or transfer.userid is None:
        return None
    try:
        own = api.get_user_id()
    except ClientError as error:
        log.info("the site does not say which user this is: %s", error)
        return None
    if own is None or own == transfer.userid:
        return None
    return f"it belongs to another user ({transfer.user_email or transfer.userid})"


def _parse_encryption_state(state: Any, encrypted_names: Iterable[str]) -> Dict[str, Any]:
    """Check what a journal says of the encryption.

    :raises DecodeError: it is damaged, or lacks one of the files.
    """
    names = list(encrypted_names)
    if not names:
        return {}
    known = state if isinstance(state, dict) else {}
    size, ivs = known.get("chunk_size"), known.get("ivs")
    good = (
        type(size) is int
        and 0 < size < 1 << 40
        and isinstance(ivs, dict)
        and all(isinstance(ivs.get(name), str) and ivs[name] for name in names)
        and isinstance(known.get("check"), str)
        and isinstance(known.get("salt"), (str, type(None)))
    )
    if not good:
        raise FileSenderDecodeError("it does not say how the files were encrypted")
    return known


def get_sent_ranges(state: Mapping[str, Any], local_file: LocalFile) -> List[Tuple[int, int]]:
    """Return the byte ranges of a file that earlier runs have sent.

    :param state: of the journal; one that an older version wrote holds numbers of chunks.
    """
    size, chunk_size = local_file.size, state.get("chunk_size", 0)
    mapping = state.get("acknowledged", {})
    noted = mapping.get(local_file.name, []) if isinstance(mapping, dict) else None
    found = []
    damaged = not isinstance(noted, list)
    for entry in noted if isinstance(noted, list) else ():
        if type(entry) is int and type(chunk_size) is int and entry >= 0 and entry * chunk_size < size:
            found.append((entry * chunk_size, min((entry + 1) * chunk_size, size)))
        elif _is_range(entry, size):
            found.append((entry[0], entry[1]))
        else:
            damaged = True
    if damaged:
        log.warning("a journal is damaged: parts of %s may be sent again", local_file.name)
    return merge_extents(found)


def _is_range(entry: Any, size: int) -> bool:
    if not isinstance(entry, list) or len(entry) != 2:
        return False
    return all(type(value) is int and 0 <= value <= size for value in entry)


def discard_resumable_transfer(journal: Journal, api: FileSenderApi) -> None:
    """Forget what an earlier run left, and delete its transfer where the user may, who is no guest."""
    earlier = ResumableTransfer.from_journal(journal.state)
    journal.clear()
    if earlier is not None and isinstance(api.signer.auth, UserAuth):
        earlier.delete(api)
