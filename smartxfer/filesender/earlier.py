"""The memory of an upload, and an earlier run's transfer in it: read with care, and checked against the site.

Source: FileSender protocol, sections 4, 5 and 6.6.
"""

import logging
from typing import Any, Dict, Iterable, List, Mapping, Optional, Sequence, Tuple, Type

import attrs

from smartxfer.errors import AuthError, ClientError, DecodeError, Forbidden, NotFound
from smartxfer.filesender.auth import GuestAuth, UserAuth
from smartxfer.filesender.calls import Calls
from smartxfer.filesender.errors import FileSenderDecodeError
from smartxfer.filesender.models import Transfer
from smartxfer.filesender.sealing import Sealing
from smartxfer.transfer.extents import merge
from smartxfer.transfer.journal import Journal
from smartxfer.transfer.tree import Item

__all__ = ["Earlier", "acknowledged_ranges", "drop_earlier", "journal_of", "not_own"]

log = logging.getLogger("smartxfer.filesender")


def journal_of(
    calls: Calls, items: Sequence[Item], body: Mapping[str, Any], sealing: Optional[Sealing]
) -> Optional[Journal]:
    """Return the memory of this very request; None when bytes in memory make it unrecognisable."""
    if not all(item.resumable for item in items):
        return None
    base, auth = calls.base, calls.access.auth
    owner = getattr(auth, "username", None) or getattr(auth, "guest_token", "")
    return Journal(_key(base, owner, items, body, sealing), f"this upload to {base}", clock=calls.clock)


def _key(
    base: str,
    owner: Optional[str],
    items: Sequence[Item],
    body: Mapping[str, Any],
    sealing: Optional[Sealing],
) -> Dict[str, Any]:
    """Return what makes an upload recognisable to a later run.

    :param owner: the user name, or the guest's token.
    """
    key: Dict[str, Any] = {
        "service": "filesender",
        "base": base,
        "account": owner,
        "request": {name: value for name, value in body.items() if name != "files"},
        "files": [[item.name, str(item.path), item.size, item.mtime_ns] for item in items],
    }
    if sealing is not None:
        key["encryption"] = [sealing.version, sealing.password_version, sealing.rounds]
    return key


@attrs.frozen
class Earlier:
    """The unfinished transfer of an earlier run.

    :param transfer: its id, its files and the round-trip token.
    :param completing: whether that run had sent everything.
    :param sealing: how it was encrypted; empty where it was not.
    """

    transfer: Transfer
    completing: bool
    sealing: Dict[str, Any]

    @classmethod
    def of(cls, state: Mapping[str, Any], sealed: Iterable[str] = ()) -> Optional["Earlier"]:
        """Return what a journal says of an earlier run; None where it says nothing, or is damaged.

        :param sealed: names of the files that are to be encrypted.
        """
        noted = state.get("transfer")
        if not noted:
            return None
        try:
            transfer = Transfer.from_wire(noted)
            if transfer.id < 1 or not transfer.files or not all(file.key for file in transfer.files):
                raise FileSenderDecodeError("the transfer has no id, no files, or no keys of them")
            sealing = _sealing(state.get("sealing"), sealed)
        except DecodeError as error:
            log.warning("a journal is damaged, nothing is resumed: %s", error)
            return None
        return cls(transfer, bool(state.get("completing")), sealing)

    def find(self, calls: Calls) -> Optional[bool]:
        """Look for the transfer on the site, and check that it is the one that the journal says.

        :return: whether the site has made it available; None where it is gone, or is not ours.
        :raises ClientError: a refusal that does not say that the transfer is gone, such as 429.
        """
        id, available = self.transfer.id, False
        try:
            found = calls.unfinished_transfer(self.transfer)
        except ClientError as error:
            if not _is_gone(error, AuthError, Forbidden, NotFound):
                raise
            if not self.completing or isinstance(calls.access.auth, GuestAuth):
                log.info("the earlier transfer is gone (%s), starting anew", error.code)
                return None
            try:
                found = calls.get_transfer(id)
            except ClientError as missing:
                if not _is_gone(missing, Forbidden, NotFound):
                    raise
                return None
            available = True
        reason = self._differs(found) or not_own(calls, found)
        if reason is not None:
            log.warning("transfer %s of a journal is not continued, starting anew: %s", id, reason)
            return None
        return available

    def delete(self, calls: Calls) -> None:
        """Delete the transfer, where it is the user's own."""
        try:
            reason = not_own(calls, calls.get_transfer(self.transfer.id))
        except NotFound:
            return
        except Forbidden as error:
            reason = error.summary
        if reason is None:
            calls.delete_transfer(self.transfer.id)
        else:
            log.warning("transfer %s of a journal is not deleted: %s", self.transfer.id, reason)

    def _differs(self, found: Transfer) -> Optional[str]:
        """Return how the site's transfer differs from the one of the journal."""
        if found.id != self.transfer.id:
            return f"the site answers transfer {found.id}"
        noted = {(file.id, file.name, file.size, file.key) for file in self.transfer.files}
        there = {(file.id, file.name, file.size, file.key) for file in found.files}
        # A folder has an entry of its own, which is only in the answer to the creation.
        strange = there - noted or {file for file in noted - there if file[2]}
        if strange:
            return f"its file {min(strange)[1]!r} is another"
        if self.sealing and found.salt and found.salt != self.sealing["salt"]:
            return "it has another salt"
        return None


def _is_gone(error: ClientError, *kinds: Type[ClientError]) -> bool:
    """Return True where the site itself says that it knows no such transfer; a page of a proxy does not."""
    return bool(error.code) and isinstance(error, kinds)


def not_own(calls: Calls, transfer: Transfer) -> Optional[str]:
    """Return why a transfer is not the user's own; None where it is, or where the site cannot tell.

    A guest cannot ask who owns a transfer.
    """
    if not isinstance(calls.access.auth, UserAuth) or transfer.userid is None:
        return None
    try:
        own = calls.user_id()
    except ClientError as error:
        log.info("the site does not say which user this is: %s", error)
        return None
    if own is None or own == transfer.userid:
        return None
    return f"it belongs to another user ({transfer.user_email or transfer.userid})"


def _sealing(noted: Any, sealed: Iterable[str]) -> Dict[str, Any]:
    """Check what a journal says of the encryption.

    :raises DecodeError: it is damaged, or lacks one of the files.
    """
    names = list(sealed)
    if not names:
        return {}
    known = noted if isinstance(noted, dict) else {}
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


def acknowledged_ranges(state: Mapping[str, Any], item: Item) -> List[Tuple[int, int]]:
    """Return the byte ranges of a file that earlier runs have sent.

    :param state: of the journal; one that an older version wrote holds numbers of chunks.
    """
    size, chunk_size = item.size, state.get("chunk_size", 0)
    mapping = state.get("acknowledged", {})
    noted = mapping.get(item.name, []) if isinstance(mapping, dict) else None
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
        log.warning("a journal is damaged: parts of %s may be sent again", item.name)
    return merge(found)


def _is_range(entry: Any, size: int) -> bool:
    if not isinstance(entry, list) or len(entry) != 2:
        return False
    return all(type(value) is int and 0 <= value <= size for value in entry)


def drop_earlier(journal: Journal, calls: Calls) -> None:
    """Forget what an earlier run left, and delete its transfer where the user may, who is no guest."""
    earlier = Earlier.of(journal.state)
    journal.forget()
    if earlier is not None and isinstance(calls.access.auth, UserAuth):
        earlier.delete(calls)
