"""Metadata of files: validation, and merging with the metadata in the repository.

Source: NRP / Invenio protocol, sections 5 (Metadata) and 9.
"""

from typing import Any, Dict, Mapping, Optional

from smartxfer.errors import UsageError
from smartxfer.nrp.files_api import FilesApi
from smartxfer.nrp.models import File, copy_dict

__all__ = ["merge_metadata", "replace_metadata", "validate_metadata"]

#: Metadata of an archive that the repository itself adds.
_SERVER_METADATA_KEYS = ("zip_toc_position",)


def validate_metadata(value: Any) -> Optional[Dict[str, Any]]:
    """Return the metadata of a file as a dict, or None.

    :raises UsageError: the value is not a mapping.  Repositories accept lists and strings, but drop them.
    """
    if value is None or isinstance(value, Mapping):
        return None if value is None else dict(value)
    raise UsageError(
        f"metadata must be a dict or None, not {type(value).__name__}",
        hint="pass metadata={'description': '...'}",
    )


def merge_metadata(files_api: FilesApi, entry: File, metadata: Optional[Mapping[str, Any]]) -> File:
    """Merge the metadata of an upload into those of the stored file; return the file.

    None and an empty dict change nothing.
    """
    added = metadata or {}
    if all(name in entry.metadata and entry.metadata[name] == value for name, value in added.items()):
        return entry
    # The response to a commit does not contain the metadata that the repository adds.
    current = files_api.read(entry.key).metadata
    return files_api.update(entry.key, {"metadata": {**current, **added}})


def replace_metadata(files_api: FilesApi, file: File, key: str) -> File:
    """Replace the metadata of a file with those of ``file``, and ``access`` if it was changed.

    Metadata that the repository adds to an archive is retained, unless ``file`` had it and the caller
    removed it.

    :raises UsageError: the metadata is not a mapping.
    """
    metadata = validate_metadata(file.metadata) or {}
    if key.lower().endswith(".zip"):
        known = {*metadata, *copy_dict(file.get("metadata"))}
        current = files_api.read(key).metadata
        metadata.update(
            (name, current[name]) for name in _SERVER_METADATA_KEYS if name in current and name not in known
        )
    changes: Dict[str, Any] = {"metadata": metadata}
    if file.access != copy_dict(file.get("access")):
        changes["access"] = dict(file.access)
    return files_api.update(key, changes)
