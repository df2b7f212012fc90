"""Journal of an upload, and the unfinished transfer of an earlier run that it describes.

Journal entries are validated and compared with the site's transfer before an upload is resumed.

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
    "ENCRYPTION_STATE_KEY",
    "ResumableTransfer",
    "create_journal",
    "discard_resumable_transfer",
    "get_ownership_mismatch",
    "get_sent_ranges",
]

log = logging.getLogger("smartxfer.filesender")

#: Key of the encryption state in a journal; existing journals have it.
ENCRYPTION_STATE_KEY = "sealing"


def create_journal(
    api: FileSenderApi,
    local_files: Sequence[LocalFile],
    body: Mapping[str, Any],
    encryption: Optional[UploadEncryption],
) -> Optional[Journal]:
    """Return the journal of this upload; None if it cannot be resumed, because a source is not a file."""
    if not all(file.resumable for file in local_files):
        return None
    auth = api.signer.auth
    owner = getattr(auth, "username", None) or getattr(auth, "guest_token", "")
    key = _journal_key(api.base_url, owner, local_files, body, encryption)
    return Journal(key, f"this upload to {api.base_url}", clock=api.clock)


def _journal_key(
    base_url: str,
    owner: Optional[str],
    local_files: Sequence[LocalFile],
    body: Mapping[str, Any],
    encryption: Optional[UploadEncryption],
) -> Dict[str, Any]:
    """Return the properties by which a later run recognises the same upload.

    :param owner: the user name, or the guest's token.
    """
    key: Dict[str, Any] = {
        "service": "filesender",
        "base": base_url,
        "account": owner,
        "request": {name: value for name, value in body.items() if name != "files"},
        "files": [[file.name, str(file.path), file.size, file.mtime_ns] for file in local_files],
    }
    if encryption is not None:
        key["encryption"] = [encryption.key_version, encryption.password_version, encryption.iterations]
    return key


@attrs.frozen
class ResumableTransfer:
    """The unfinished transfer of an earlier run.

    :param transfer: its id, its files and the round-trip token.
    :param completion_requested: True if the earlier run had sent all files.
    :param encryption: state of :class:`UploadEncryption`; empty without encryption.
    """

    transfer: Transfer
    completion_requested: bool
    encryption: Dict[str, Any]

    @classmethod
    def from_journal(
        cls, state: Mapping[str, Any], encrypted_names: Iterable[str] = ()
    ) -> Optional["ResumableTransfer"]:
        """Return the transfer in a journal; None if the journal is empty or damaged.

        :param encrypted_names: names of the files to encrypt.
        """
        wire = state.get("transfer")
        if not wire:
            return None
        try:
            transfer = Transfer.from_wire(wire)
            if transfer.id < 1 or not transfer.files or not all(file.key for file in transfer.files):
                raise FileSenderDecodeError("missing id, files or file keys of the transfer")
            encryption = _parse_encryption_state(state.get(ENCRYPTION_STATE_KEY), encrypted_names)
        except DecodeError as error:
            log.warning("the journal is damaged, the upload is not resumed: %s", error)
            return None
        return cls(transfer, bool(state.get("completing")), encryption)

    def find_on_site(self, api: FileSenderApi) -> Optional[bool]:
        """Request the transfer from the site, and check that it is the transfer in the journal.

        :return: True if the site has made it available, False if it is unfinished; None if it does not exist
            or belongs to another user.
        :raises ClientError: an error that does not mean that the transfer is gone, such as status 429.
        """
        transfer_id, available = self.transfer.id, False
        try:
            transfer = api.get_unfinished_transfer(self.transfer)
        except ClientError as error:
            if not _is_gone(error, AuthError, Forbidden, NotFound):
                raise
            if not self.completion_requested or isinstance(api.signer.auth, GuestAuth):
                log.info("the earlier transfer %s does not exist any more (%s)", transfer_id, error.code)
                return None
            try:
                transfer = api.get_transfer(transfer_id)
            except ClientError as second_error:
                if not _is_gone(second_error, Forbidden, NotFound):
                    raise
                return None
            available = True
        reason = self._describe_difference(transfer) or get_ownership_mismatch(api, transfer)
        if reason is not None:
            log.warning(
                "transfer %s of the journal is not resumed, a new one is created: %s", transfer_id, reason
            )
            return None
        return available

    def delete(self, api: FileSenderApi) -> None:
        """Delete the transfer if it belongs to the user."""
        try:
            reason = get_ownership_mismatch(api, api.get_transfer(self.transfer.id))
        except NotFound:
            return
        except Forbidden as error:
            reason = error.summary
        if reason is None:
            api.delete_transfer(self.transfer.id)
        else:
            log.warning("transfer %s of the journal is not deleted: %s", self.transfer.id, reason)

    def _describe_difference(self, transfer: Transfer) -> Optional[str]:
        """Return how the site's transfer differs from that of the journal; None if it does not."""
        if transfer.id != self.transfer.id:
            return f"the site returned transfer {transfer.id}"
        in_journal = {(file.id, file.name, file.size, file.key) for file in self.transfer.files}
        on_site = {(file.id, file.name, file.size, file.key) for file in transfer.files}
        # A directory has its own entry of size 0, which is only in the response to the creation.
        different = on_site - in_journal or {file for file in in_journal - on_site if file[2]}
        if different:
            return f"its file {min(different)[1]!r} differs"
        if self.encryption and transfer.salt and transfer.salt != self.encryption["salt"]:
            return "its salt differs"
        return None


def _is_gone(error: ClientError, *error_types: Type[ClientError]) -> bool:
    """Return True if the site reports that the transfer does not exist; a proxy's error has no code."""
    return bool(error.code) and isinstance(error, error_types)


def get_ownership_mismatch(api: FileSenderApi, transfer: Transfer) -> Optional[str]:
    """Return a message if a transfer belongs to another user; None if it does not, or if this is unknown.

    The owner of a transfer is unknown to a guest.
    """
    if not isinstance(api.signer.auth, UserAuth) or transfer.userid is None:
        return None
    try:
        user_id = api.get_user_id()
    except ClientError as error:
        log.info("cannot determine the user's id: %s", error)
        return None
    if user_id is None or user_id == transfer.userid:
        return None
    return f"it belongs to another user ({transfer.user_email or transfer.userid})"


def _parse_encryption_state(state: Any, encrypted_names: Iterable[str]) -> Dict[str, Any]:
    """Return the encryption state of a journal after validating it.

    :raises DecodeError: it is damaged, or one of the files is missing.
    """
    names = list(encrypted_names)
    if not names:
        return {}
    fields = state if isinstance(state, dict) else {}
    size, ivs = fields.get("chunk_size"), fields.get("ivs")
    is_valid = (
        type(size) is int
        and 0 < size < 1 << 40
        and isinstance(ivs, dict)
        and all(isinstance(ivs.get(name), str) and ivs[name] for name in names)
        and isinstance(fields.get("check"), str)
        and isinstance(fields.get("salt"), (str, type(None)))
    )
    if not is_valid:
        raise FileSenderDecodeError("missing or invalid encryption state")
    return fields


def get_sent_ranges(state: Mapping[str, Any], local_file: LocalFile) -> List[Tuple[int, int]]:
    """Return the byte ranges of a file that earlier runs have sent.

    :param state: of the journal; journals of older versions have chunk numbers instead of ranges.
    """
    size, chunk_size = local_file.size, state.get("chunk_size", 0)
    mapping = state.get("acknowledged", {})
    entries = mapping.get(local_file.name, []) if isinstance(mapping, dict) else None
    ranges = []
    damaged = not isinstance(entries, list)
    for entry in entries if isinstance(entries, list) else ():
        if type(entry) is int and type(chunk_size) is int and entry >= 0 and entry * chunk_size < size:
            ranges.append((entry * chunk_size, min((entry + 1) * chunk_size, size)))
        elif _is_range(entry, size):
            ranges.append((entry[0], entry[1]))
        else:
            damaged = True
    if damaged:
        log.warning("the journal is damaged: parts of %s may be sent again", local_file.name)
    return merge_extents(ranges)


def _is_range(entry: Any, size: int) -> bool:
    if not isinstance(entry, list) or len(entry) != 2:
        return False
    return all(type(value) is int and 0 <= value <= size for value in entry)


def discard_resumable_transfer(journal: Journal, api: FileSenderApi) -> None:
    """Clear the journal, and delete the transfer of the earlier run unless the client is a guest."""
    earlier = ResumableTransfer.from_journal(journal.state)
    journal.clear()
    if earlier is not None and isinstance(api.signer.auth, UserAuth):
        earlier.delete(api)
