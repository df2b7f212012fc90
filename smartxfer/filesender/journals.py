"""The memory of an upload that a later run continues.

Source: FileSender protocol, section 6.6.
"""

from typing import Any, Dict, Mapping, Optional, Sequence

from smartxfer.filesender.auth import UserAuth
from smartxfer.filesender.calls import Calls
from smartxfer.filesender.earlier import Earlier
from smartxfer.filesender.sealing import Sealing
from smartxfer.transfer.journal import Journal
from smartxfer.transfer.tree import Item

__all__ = ["drop_earlier", "journal_of"]


def journal_of(
    calls: Calls, items: Sequence[Item], body: Mapping[str, Any], sealing: Optional[Sealing]
) -> Optional[Journal]:
    """Return the memory of this very request; None when bytes in memory make it unrecognisable."""
    if not all(item.resumable for item in items):
        return None
    base, auth = calls.base, calls.access.auth
    owner = getattr(auth, "username", None) or getattr(auth, "guest_token", "")
    return Journal(_key(base, owner, items, body, sealing), f"this upload to {base}", clock=calls.clock)


def drop_earlier(journal: Journal, calls: Calls) -> None:
    """Forget what an earlier run left, and delete its transfer where the user may, who is no guest."""
    earlier = Earlier.of(journal.state)
    journal.forget()
    if earlier is not None and isinstance(calls.access.auth, UserAuth):
        earlier.delete(calls)


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
