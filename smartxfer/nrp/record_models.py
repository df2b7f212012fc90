"""Models of the repository's responses about itself, its users and its records.

Source: NRP / Invenio protocol, sections 1, 2 and 4.
"""

import copy
import datetime as dt
from typing import Any, ClassVar, Dict, List, Mapping, Optional, Sequence

import attrs

from smartxfer.errors import UsageError
from smartxfer.models import parse_datetime, to_wire, wire_field
from smartxfer.nrp.models import RepositoryModel

__all__ = [
    "DOCUMENT_KEYS",
    "DraftWarning",
    "Identity",
    "Record",
    "RecordLinks",
    "RecordModel",
    "RecordModelLinks",
    "RepositoryInfo",
    "RepositoryLinks",
    "build_document",
]

#: Members of a record that only the repository sets.  They are removed from documents that are sent.
_READ_ONLY_KEYS = frozenset(
    {"id", "created", "updated", "revision_id", "links", "errors", "status", "is_draft", "is_published"}
    | {"expires_at", "versions", "parent", "deletion_status", "tombstone", "stats", "expanded", "ui"}
)
#: Keys of the document of a record; a dict without any of them is metadata.
DOCUMENT_KEYS = _READ_ONLY_KEYS | {
    *("metadata", "files", "media_files", "access", "pids", "custom_fields", "$schema", "workflow")
}
#: Members of a record's ``files`` that can be changed; the others are set by uploads.
_WRITABLE_FILES_KEYS = ("enabled", "order", "default_preview")


class DraftWarning(UserWarning):
    """Warning that a repository saved a draft without its invalid fields."""


def _deepcopy_dict(value: Any) -> Dict[str, Any]:
    """Return a deep copy as a plain dict; for null, an empty one."""
    return copy.deepcopy(dict(value)) if isinstance(value, Mapping) else {}


def _to_list(value: Any) -> List[Any]:
    return list(value) if isinstance(value, (list, tuple)) else []


@attrs.frozen(slots=False, eq=False, repr=False)
class RecordLinks(RepositoryModel):
    """URLs of a record; others are in ``extra``."""

    self_: str = ""
    self_html: Optional[str] = None
    files: Optional[str] = None
    archive: Optional[str] = None
    publish: Optional[str] = None
    review: Optional[str] = None
    submit_review: Optional[str] = wire_field("submit-review", default=None)
    record: Optional[str] = None
    draft: Optional[str] = None
    versions: Optional[str] = None
    latest: Optional[str] = None
    latest_html: Optional[str] = None
    parent: Optional[str] = None
    applicable_requests: Optional[str] = None


@attrs.frozen(slots=False, eq=False, repr=False)
class Record(RepositoryModel):
    """A record, published or a draft.

    ``metadata`` is a copy as a plain dict: change it, and send it with ``records.update(record)``.  Changes
    are not sent automatically, and ``record["metadata"]`` remains as received.  ``files`` describes the
    files, by key in ``entries``; ``client.files.list(record)`` returns more details.  ``errors`` lists fields
    that were dropped: ``{"field": ..., "messages": [...]}``.  ``created`` and ``updated`` are datetimes in
    UTC; ``record["created"]`` is the string.
    """

    id: str = attrs.field(converter=str)
    revision_id: Optional[int] = None
    metadata: Any = attrs.field(factory=dict, converter=_deepcopy_dict)
    files: Any = attrs.field(factory=dict, converter=_deepcopy_dict)
    links: RecordLinks = attrs.field(factory=RecordLinks)
    parent: Any = attrs.field(factory=dict, converter=_deepcopy_dict)
    access: Any = attrs.field(factory=dict, converter=_deepcopy_dict)
    pids: Any = attrs.field(factory=dict, converter=_deepcopy_dict)
    custom_fields: Any = attrs.field(factory=dict, converter=_deepcopy_dict)
    versions: Any = attrs.field(factory=dict, converter=_deepcopy_dict)
    status: Optional[str] = None
    is_draft: Optional[bool] = None
    is_published: Optional[bool] = None
    created: Optional[dt.datetime] = attrs.field(default=None, converter=parse_datetime)
    updated: Optional[dt.datetime] = attrs.field(default=None, converter=parse_datetime)
    expires_at: Optional[str] = None
    errors: Any = attrs.field(factory=list, converter=_to_list)


def build_document(data: Any) -> Dict[str, Any]:
    """Return the document of a record to send, without the members that only the repository sets.

    :param data: a Record, with changed attributes, or a plain mapping.
    :raises UsageError: the argument is neither, or its metadata is not a mapping, which a repository would
        drop.
    """
    if not isinstance(data, Mapping):
        raise UsageError(
            f"expected a Record or a dict, got a {type(data).__name__}",
            hint="pass {'metadata': {'title': '...'}}",
        )
    document = {
        name: copy.deepcopy(to_wire(value)) for name, value in data.items() if name not in _READ_ONLY_KEYS
    }
    if not isinstance(data, Record):
        _validate_metadata(document)
        return document
    for name in ("metadata", "access", "pids", "custom_fields", "files"):
        value = getattr(data, name)
        if value or name in document:
            document[name] = copy.deepcopy(value)
    _validate_metadata(document)
    if isinstance(document.get("access"), dict):
        document["access"].pop("status", None)
    for name in ("files", "media_files"):
        if isinstance(document.get(name), dict):
            files = document[name]
            document[name] = {key: files[key] for key in _WRITABLE_FILES_KEYS if files.get(key) is not None}
    return document


def _validate_metadata(document: Mapping[str, Any]) -> None:
    metadata = document.get("metadata")
    if metadata is not None and not isinstance(metadata, Mapping):
        raise UsageError(
            f"metadata must be a dict, not {type(metadata).__name__}",
            hint="pass {'metadata': {'title': '...', ...}}",
        )


@attrs.frozen(slots=False, eq=False, repr=False)
class Identity(RepositoryModel):
    """Identity of the caller in a repository; ``user_id`` is None if the repository does not return it."""

    authenticated: bool
    user_id: Optional[str] = None


@attrs.frozen(slots=False, eq=False, repr=False)
class RecordModelLinks(RepositoryModel):
    """URLs of a model; that of its records may contain a query."""

    records: str = ""
    drafts: Optional[str] = None
    deposit: Optional[str] = None
    html: Optional[str] = None


@attrs.frozen(slots=False, eq=False, repr=False)
class RecordModel(RepositoryModel):
    """A record model; ``metadata`` is False if records have their fields at the top level."""

    type: str
    name: Optional[str] = None
    schema: Optional[str] = None
    description: Optional[str] = None
    version: Optional[str] = None
    features: List[str] = attrs.field(factory=list)
    metadata: bool = True
    links: RecordModelLinks = attrs.field(factory=RecordModelLinks)


@attrs.frozen(slots=False, eq=False, repr=False)
class RepositoryLinks(RepositoryModel):
    """URLs of a repository; ``api`` is always set."""

    api: str = ""
    self_: Optional[str] = None
    models: Optional[str] = None
    records: Optional[str] = None
    drafts: Optional[str] = None
    requests: Optional[str] = None


@attrs.frozen(slots=False, eq=False, repr=False)
class RepositoryInfo(RepositoryModel):
    """Properties of a repository; ``transfers`` are the codes of the transfer types, such as ``"L"``.

    ``invenio_version`` is a string, such as ``"13.0.10"``.
    """

    name: str = ""
    description: Optional[str] = None
    version: Optional[str] = None
    invenio_version: Optional[str] = None
    transfers: List[str] = attrs.field(factory=lambda: ["L"])
    features: List[str] = attrs.field(factory=list)
    default_model: Optional[str] = None
    default_content_type: str = "application/json"
    links: RepositoryLinks = attrs.field(factory=RepositoryLinks)

    _load_models: ClassVar[Any] = tuple
    _models: ClassVar[Optional[Sequence[RecordModel]]] = None

    @property
    def models(self) -> Sequence[RecordModel]:
        """The models of the repository, fetched at the first access."""
        if self._models is None:
            load: Any = self._load_models
            object.__setattr__(self, "_models", tuple(load()))
        return self._models or ()

    def model(self, name: str) -> RecordModel:
        """Return the model with a type or name.

        :raises UsageError: the repository does not have the model.
        """
        named = [model for model in self.models if model.type == name]
        named += [model for model in self.models if model.name == name]
        if named:
            return named[0]
        types = ", ".join(model.type for model in self.models) or "none"
        raise UsageError(
            f"unknown model {name!r}", hint=f"pass one of the models of this repository: {types}"
        )
