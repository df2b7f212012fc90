"""Guard against unintended deletion by a synchronisation."""

from typing import Collection

from smartxfer.errors import UsageError

__all__ = ["validate_deletion"]


def validate_deletion(
    to_delete: Collection[str], remote_count: int, local_count: int, max_delete: float
) -> None:
    """Check, before anything is changed, how many files a synchronisation would delete.

    :param to_delete: remote files that the directory does not contain.
    :param remote_count: number of remote files.
    :param local_count: number of files in the directory.
    :param max_delete: largest fraction of the remote files that may be deleted, from 0 to 1.
    :raises UsageError: more files would be deleted, or the directory is empty.
    """
    if type(max_delete) not in (int, float) or not 0 <= max_delete <= 1:
        raise UsageError(
            f"max_delete must be a fraction from 0 to 1, not {max_delete!r:.80}",
            hint="pass max_delete=0.5, for example; 1 allows to delete everything",
        )
    if not to_delete:
        return
    if not local_count:
        raise UsageError(
            f"the directory is empty, and {len(to_delete)} remote files would be deleted",
            hint="call remove() to delete files on purpose",
        )
    if len(to_delete) > max_delete * remote_count:
        raise UsageError(
            f"{len(to_delete)} of {remote_count} files would be deleted, more than max_delete={max_delete:g}",
            hint="pass dry_run=True to list them, or max_delete=1.0 to allow it",
        )
