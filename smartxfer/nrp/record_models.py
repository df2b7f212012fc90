"""What a repository answers about itself, its callers and its records.

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

#: What only the repository says of a record.  A draft that is sent back goes without.
_READ_ONLY_KEYS = frozenset(
    {"id", "created", "updated", "revision_id", "links", "errors", "status", "is_draft", "is_published"}
    | {"expires_at", "versions", "parent", "deletion_status", "tombstone", "stats", "expanded", "ui"}
)
#: Keys of the document of a record; what has none of them is metadata.
DOCUMENT_KEYS = _READ_ONLY_KEYS | {
    *("metadata", "files", "media_files", "access", "pids", "custom_fields", "$schema", "workflow")
}
#: What one can say of a record's files; keys, sizes and checksums are the files' own.
_WRITABLE_FILES_KEYS = ("enabled", "order", "default_preview")


class DraftWarning(UserWarning):
    """A repository dropped fields of a draft that it finds invalid, and kept the draft without them."""


def _deepcopy_dict(value: Any) -> Dict[str, Any]:
    """A plain dict of one's own, nested ones too; of null, an empty one."""
    return copy.deepcopy(dict(value)) if isinstance(value, Mapping) else {}


def _to_list(value: Any) -> List[Any]:
    return list(value) if isinstance(value, (list, tuple)) else []


@attrs.frozen(slots=False, eq=False, repr=False)
class RecordLinks(RepositoryModel):
    """Addresses around a record; those that are not named here are in ``extra``."""

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

    ``metadata`` is a plain dict of one's own: change it, and send it by ``records.update(record)``.  Nothing
    is sent back by itself, and ``record["metadata"]`` stays what the repository said.  ``files`` is the
    repository's mapping about the files, by key below ``entries``; ``client.files.list(record)`` has more.
    ``errors`` tells of fields that were dropped: a list of ``{"field": ..., "messages": [...]}``.
    ``created`` and ``updated`` are datetimes in UTC; ``record["created"]`` is the text.
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
    """The whole document of a record, as it is sent: without what only the repository says.

    :param data: a Record, whose changed attributes count, or a plain mapping.
    :raises UsageError: it is neither, or its metadata is not a mapping, which a repository would drop.
    """
    if not isinstance(data, Mapping):
        raise UsageError(
            f"{type(data).__name__} where a Record or a dict was expected",
            hint="pass the Record, or its data as a dict",
        )
    found = {
        name: copy.deepcopy(to_wire(value)) for name, value in data.items() if name not in _READ_ONLY_KEYS
    }
    if not isinstance(data, Record):
        _validate_metadata(found)
        return found
    for name in ("metadata", "access", "pids", "custom_fields", "files"):
        value = getattr(data, name)
        if value or name in found:
            found[name] = copy.deepcopy(value)
    _validate_metadata(found)
    if isinstance(found.get("access"), dict):
        found["access"].pop("status", None)
    for name in ("files", "media_files"):
        if isinstance(found.get(name), dict):
            of_files = found[name]
            found[name] = {
                word: of_files[word] for word in _WRITABLE_FILES_KEYS if of_files.get(word) is not None
            }
    return found


def _validate_metadata(document: Mapping[str, Any]) -> None:
    metadata = document.get("metadata")
    if metadata is not None and not isinstance(metadata, Mapping):
        raise UsageError(
            f"metadata of a record is a dict, not {type(metadata).__name__}",
            hint="{'metadata': {'title': '...', ...}}",
        )


@attrs.frozen(slots=False, eq=False, repr=False)
class Identity(RepositoryModel):
    """Whom a repository takes the caller for; ``user_id`` where it says so."""

    authenticated: bool
    user_id: Optional[str] = None


@attrs.frozen(slots=False, eq=False, repr=False)
class RecordModelLinks(RepositoryModel):
    """Addresses of a model; that of its records may carry a query."""

    records: str = ""
    drafts: Optional[str] = None
    deposit: Optional[str] = None
    html: Optional[str] = None


@attrs.frozen(slots=False, eq=False, repr=False)
class RecordModel(RepositoryModel):
    """A kind of records; ``metadata`` is false where fields stand at the top of a record."""

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
    """Addresses of a repository; ``api`` is always there."""

    api: str = ""
    self_: Optional[str] = None
    models: Optional[str] = None
    records: Optional[str] = None
    drafts: Optional[str] = None
    requests: Optional[str] = None


@attrs.frozen(slots=False, eq=False, repr=False)
class RepositoryInfo(RepositoryModel):
    """A repository; ``transfers`` are the letters of its transfer types, ``features`` words for what it can.

    ``invenio_version`` is a text: what its dots part are no fractions.
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
        """Its models; asked when they are wanted first."""
        if self._models is None:
            ask: Any = self._load_models
            object.__setattr__(self, "_models", tuple(ask()))
        return self._models or ()

    def model(self, name: str) -> RecordModel:
        """The model of that type or name.

        :raises UsageError: there is none.
        """
        named = [model for model in self.models if model.type == name]
        named += [model for model in self.models if model.name == name]
        if named:
            return named[0]
        there = ", ".join(model.type for model in self.models) or "none"
        raise UsageError(f"no model {name!r}; there is {there}", hint="pass model= one of these names")
