"""The guard of synchronisations that delete."""

from typing import Collection

from smartxfer.errors import UsageError

__all__ = ["check_deletion"]


def check_deletion(extra: Collection[str], there: int, here: int, max_delete: float) -> None:
    """Check, before anything is changed, how much a synchronisation would delete.

    :param extra: files of the service that the directory does not have.
    :param there: number of files at the service.
    :param here: number of files in the directory.
    :param max_delete: largest share of the files at the service that may be deleted, from 0 to 1.
    :raises UsageError: there is more to delete, or the directory is empty.
    """
    if type(max_delete) not in (int, float) or not 0 <= max_delete <= 1:
        raise UsageError(f"max_delete is a share from 0 to 1, not {max_delete!r:.80}")
    if not extra:
        return
    if not here:
        raise UsageError(
            f"the directory has no files, and {len(extra)} would be deleted",
            hint="remove() deletes what is not wanted any more",
        )
    if len(extra) > max_delete * there:
        raise UsageError(
            f"{len(extra)} of {there} files would be deleted, more than a share of {max_delete:g}",
            hint="dry_run=True tells which; max_delete=1.0 allows all",
        )
