"""A directory and what the service has of it.

Source: Perseus protocol, section A.4, Find.
"""

from typing import Any, Dict, List, Sequence

import attrs

from smartxfer.errors import UsageError
from smartxfer.perseus.calls import Calls
from smartxfer.perseus.models import File, FileStatus
from smartxfer.perseus.uploading import best, forget_sent, hashed
from smartxfer.reprs import attrs_repr
from smartxfer.transfer.source import path_of
from smartxfer.transfer.tree import Item, collect

__all__ = ["SyncPlan", "SyncResult", "missing_of"]


@attrs.frozen(repr=False)
class SyncResult:
    """Paths relative to the directory, by what became of them (or would, in a dry run).

    :param files: records by path, as far as there are any.
    """

    uploaded: List[str]
    skipped: List[str]
    files: Dict[str, File]

    def __repr__(self) -> str:
        return attrs_repr(self)


@attrs.frozen
class SyncPlan:
    """What is to be sent, and what is there already."""

    items: List[Item]
    names: List[str]
    there: Dict[str, File]

    def result(self, files: Sequence[File]) -> SyncResult:
        """The plan as it is told, with the records of what was sent."""
        return SyncResult(self.names, sorted(self.there), {**self.there, **dict(zip(self.names, files))})


def missing_of(calls: Calls, directory: Any, dry_run: bool = False) -> SyncPlan:
    """Compare a directory with the service: by content, for it knows no directories.

    :param dry_run: whether journals of broken runs stay that had sent what is there.
    """
    root = path_of(directory)
    if root is None or not root.is_dir():
        raise UsageError(f"{directory!r} is not a directory", hint="upload_file() sends a single file")
    root = root.absolute()
    items = collect([("tree", root)], none=True)
    plan = SyncPlan([], [], {})
    known: Dict[str, Any] = {}
    for item in items:
        digest = hashed(item)
        if digest not in known:
            known[digest] = best(calls.find(sourceHashes=[digest]))
        name, record = item.name[len("tree/") :], known[digest]
        if record is not None and record.status == FileStatus.UPLOADED:
            plan.there[name] = record
            if not dry_run:
                forget_sent(calls, digest, name)
        else:
            plan.items.append(item)
            plan.names.append(name)
    return plan
