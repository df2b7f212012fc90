"""Metadata of files: what a caller may give, and how it meets what the repository has.

Source: NRP / Invenio protocol, sections 5 (Metadata) and 9.
"""

from typing import Any, Dict, Mapping, Optional

from smartxfer.errors import UsageError
from smartxfer.nrp.files_api import FilesApi
from smartxfer.nrp.models import File, copy_dict

__all__ = ["merge_metadata", "replace_metadata", "validate_metadata"]

#: What the repository itself writes about an archive.
_SERVER_METADATA_KEYS = ("zip_toc_position",)


def validate_metadata(value: Any) -> Optional[Dict[str, Any]]:
    """Return the metadata that a caller gives for a file; None where nothing is given.

    :raises UsageError: it is not a mapping.  Repositories accept a list or a text, and drop it.
    """
    if value is None or isinstance(value, Mapping):
        return None if value is None else dict(value)
    raise UsageError(
        f"metadata is a dict or None, not {type(value).__name__}", hint="metadata={'description': '...'}"
    )


def merge_metadata(files_api: FilesApi, entry: File, metadata: Optional[Mapping[str, Any]]) -> File:
    """Add what a caller gave with an upload to the metadata of the file that is there; return the file.

    None and an empty dict change nothing.
    """
    given = metadata or {}
    if all(name in entry.metadata and entry.metadata[name] == value for name, value in given.items()):
        return entry
    # The answer to a commit does not show what the repository adds.
    now = files_api.read(entry.key).metadata
    return files_api.update(entry.key, {"metadata": {**now, **given}})


def replace_metadata(files_api: FilesApi, file: File, key: str) -> File:
    """Replace the metadata of a file by those of the structure, ``access`` too where it was changed.

    What the repository keeps in there about an archive stays, unless the caller has seen it and took it out.

    :raises UsageError: the metadata is not a mapping.
    """
    metadata = validate_metadata(file.metadata) or {}
    if key.lower().endswith(".zip"):
        known = {*metadata, *copy_dict(file.get("metadata"))}
        now = files_api.read(key).metadata
        metadata.update(
            (name, now[name]) for name in _SERVER_METADATA_KEYS if name in now and name not in known
        )
    changes: Dict[str, Any] = {"metadata": metadata}
    if file.access != copy_dict(file.get("access")):
        changes["access"] = dict(file.access)
    return files_api.update(key, changes)
