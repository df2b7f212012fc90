"""The guard of synchronisations that delete."""

from typing import Collection

from smartxfer.errors import UsageError

__all__ = ["validate_deletion"]


def validate_deletion(
    to_delete: Collection[str], remote_count: int, local_count: int, max_delete: float
) -> None:
    """Check, before anything is changed, how much a synchronisation would delete.

    :param to_delete: files of the service that the directory does not have.
    :param remote_count: number of files at the service.
    :param local_count: number of files in the directory.
    :param max_delete: largest share of the files at the service that may be deleted, from 0 to 1.
    :raises UsageError: there is more to delete, or the directory is empty.
    """
    if type(max_delete) not in (int, float) or not 0 <= max_delete <= 1:
        raise UsageError(
            f"max_delete is a share from 0 to 1, not {max_delete!r:.80}",
            hint="pass max_delete=0.5, for example; 1 allows to delete everything",
        )
    if not to_delete:
        return
    if not local_count:
        raise UsageError(
            f"the directory has no files, and {len(to_delete)} would be deleted",
            hint="remove() deletes what is not wanted any more",
        )
    if len(to_delete) > max_delete * remote_count:
        raise UsageError(
            f"{len(to_delete)} of {remote_count} files would be deleted, more than a share of {max_delete:g}",
            hint="dry_run=True tells which; max_delete=1.0 allows all",
        )
