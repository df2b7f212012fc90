"""The local repository service.

Source: NRP protocol, sections 1 to 8.
"""

import datetime as dt
import re
from typing import Any, Callable, Dict, List, Mapping, Optional, Tuple, TypeVar

from smartxfer.errors import UsageError
from smartxfer.local.arguments import require_mapping, require_member, require_str, to_bytes
from smartxfer.local.http_messages import Request, Response
from smartxfer.local.nrp import drafts, files, publication, record_store, routes, secret_links
from smartxfer.local.nrp.api_responses import INTERNAL_ERROR, json_error
from smartxfer.local.nrp.backend import Backend
from smartxfer.local.nrp.record_store import RecordState, StoredRecord
from smartxfer.local.nrp.s3_backend import FileStorageBackend
from smartxfer.local.nrp.site import Site
from smartxfer.local.nrp.validation import clean_document
from smartxfer.local.service import Service

T = TypeVar("T")

_USERS_HINT = "pass a user of this server: LocalServer(nrp={'users': [...]})"
#: Default metadata of created records.
_METADATA: Dict[str, Any] = {
    "title": "Measurements",
    "resource_type": {"id": "dataset"},
    "publication_date": "2026-01-31",
    "publisher": "smartxfer",
    "creators": [{"person_or_org": {"type": "personal", "family_name": "Doe", "given_name": "Jo"}}],
}


class NRP(Service):
    """A repository on loopback, with the options of :class:`~smartxfer.local.nrp.site.Site`."""

    name = "nrp"
    options = Site
    backend: Backend
    _backend_type = Backend
    _object_backend_type = FileStorageBackend

    def _backend_ready(self) -> None:
        """Start the background jobs, and set the tokens."""
        files.start(self.backend)
        #: Bearer token of the first user.
        self.token = self.backend.users.first.token
        #: Bearer token of the superuser.
        self.superuser_token = self.backend.users.superuser.token

    def configure(self, **options: Any) -> None:
        """Change the configuration; changed rate limits reset the counts."""
        super().configure(**options)
        if any(name.startswith("rate_") for name in options):
            self.backend.limits.reset()

    def handle(self, request: Request) -> Response:
        """Handle one request."""
        return routes.handle(self.backend, request)

    def error_response(self, status: int, message: str) -> Response:
        """Return an error response in the format of the API, for planned faults.

        Errors of the application have the headers of every response; 429, 502, 503 and 504 are
        those of a proxy, without these headers.
        """
        response = json_error(status, message or INTERNAL_ERROR)
        backend = self.backend
        if status not in (429, 502, 503, 504):
            response.headers += backend.limits.headers(backend.site, backend.users.first.name, backend.now())
        return response

    # Inspection methods for tests and examples.

    @property
    def env(self) -> Dict[str, str]:
        """Environment variables that point a client at the repository."""
        return {"NRP_REPOSITORY_URL": self.url, "NRP_TOKEN": self.token}

    def token_of(self, user: str) -> str:
        """Return the bearer token of a user.

        :raises UsageError: the user does not exist.
        """
        account = self.backend.users.by_name(require_str(user, "user"))
        if account is None:
            raise UsageError(f"no such user: {user}", hint=_USERS_HINT)
        return account.token

    def create(
        self,
        files: Optional[Mapping[str, bytes]] = None,
        *,
        published: bool = False,
        metadata: Optional[Mapping[str, Any]] = None,
        user: Optional[str] = None,
        model: Optional[str] = None,
        access: Optional[Mapping[str, str]] = None,
    ) -> str:
        """Create a record.

        :param files: contents by key.
        :param published: publish it, complete or not; else it stays a draft.
        :param metadata: its metadata; None: those of a complete record.
        :param user: the owner; None: the first user.
        :param model: its model; None: the first model.
        :param access: read access: ``record`` and ``files``, each ``"public"`` or ``"restricted"``.
        :return: its id.
        :raises UsageError: the user or model does not exist.
        """
        backend = self.backend
        contents, readers = require_mapping(files, "files"), require_mapping(access, "access")
        document = _METADATA if metadata is None else require_mapping(metadata, "metadata")
        owner = backend.users.first if user is None else backend.users.by_name(user)
        if owner is None:
            raise UsageError(f"no such user: {user}", hint=_USERS_HINT)
        name = model or backend.site.models[0]
        if name not in backend.site.models:
            raise UsageError(f"no such model: {name}", hint=f"pass one of: {', '.join(backend.site.models)}")
        body = {
            "metadata": dict(document), "files": {"enabled": files is not None or not published},
            "access": dict(readers),
        }
        values, _ = clean_document(body, open_schema=backend.site.open_schema(name))
        record = drafts.create_draft(backend, owner, name, body, values)
        for key, data in contents.items():
            self.write(record.id, key, data)
        if published:
            publication.publish_draft(backend, self._item(record.id))
        return record.id

    def share(self, record: Any, permission: str = "view", *, until: Optional[str] = None) -> str:
        """Create a secret link to a record and its versions.

        :param record: its id, or the record as a client returned it.
        :param permission: ``"view"``, ``"preview"`` (drafts, too) or ``"edit"``.
        :param until: its last day, such as ``"2026-12-31"``; None: unlimited.
        :return: its token, for ``?token=`` in URLs.
        :raises UsageError: unknown record or permission, or ``until`` is not a date.
        """
        if until is not None:
            _check_date(until)
        if permission not in secret_links.PERMISSIONS:
            raise UsageError(
                f"permission must be one of {', '.join(secret_links.PERMISSIONS)}, not {permission!r}",
                hint="pass permission='view', for example",
            )
        backend = self.backend
        with backend.database.transaction():
            item = self._item(record)
            parent = record_store.parent_of(backend.database, item.parent)
            if parent is None:
                raise _no_record(item.id)
            link = secret_links.create_link(backend, parent, {"permission": permission, "expires_at": until})
            record_store.save_parent(backend.database, parent)
        return str(link["token"])

    def _item(self, record: Any) -> StoredRecord:
        id = require_str(require_member(record, "id"), "record")
        item = record_store.find(self.backend.database, id)
        if item is None:
            raise _no_record(id)
        return item

    def _state_of(self, record: Any) -> RecordState:
        """Return the draft, else the published record."""
        item = self._item(record)
        state = item.draft or item.record
        if state is None:
            raise _no_record(item.id)
        return state

    def _stored_entry(self, record: Any, key: Any, step: Callable[[Backend, str, str], T]) -> T:
        """Return the entry of a file with content.

        :param record: the record, or a file that a client returned.
        """
        if key is None:
            record, key = _bucket_of(record)
        name = require_str(require_member(key, "key"), "key")
        try:
            return step(self.backend, self._state_of(record).bucket, name)
        except LookupError:
            id = require_member(record, "id")
            hint = f"entries({id!r}) lists its files"
            raise UsageError(f"{id} has no file {name!r} with bytes", hint=hint) from None

    def files(self, record: Any) -> Dict[str, int]:
        """Return the bytes of every completed file, by key; of the draft, else of the published record.

        :param record: its id, or the record as a client returned it.
        :raises UsageError: the record does not exist.
        """
        return files.completed_entries(self.backend, self._state_of(record).bucket)

    def entries(self, record: Any) -> List[Dict[str, Any]]:
        """Return every file as the API shows it, without links, including pending ones."""
        return files.all_entries(self.backend, self._state_of(record).bucket)

    def read(self, record: Any, key: Any = None) -> bytes:
        """Return the bytes of a file: ``read(record, key)``, or ``read(file)`` with a client's File.

        :raises UsageError: the file does not exist or has no content.
        """
        return self._stored_entry(record, key, files.read)

    def stored_path(self, record: Any, key: Any = None) -> str:
        """Return where the bytes of a file are on disk; the arguments are those of :meth:`read`.

        :raises UsageError: the file does not exist or has no content.
        """
        return self._stored_entry(record, key, files.stored_path)

    def write(
        self, record: Any, key: str, data: bytes = b"", metadata: Optional[Mapping[str, Any]] = None
    ) -> None:
        """Store a completed file in a record, replacing an existing one.

        :raises UsageError: the record does not exist.
        """
        bucket = self._state_of(record).bucket
        require_str(key, "key")
        document = None if metadata is None else dict(require_mapping(metadata, "metadata"))
        files.write(self.backend, bucket, key, to_bytes(data), document)

    def plant(self, record: Any, key: str, data: bytes = b"") -> None:
        """Store a file under any key, such as ``"../x"``."""
        self.write(record, key, data)

    def drafts(self) -> List[str]:
        """Return the ids of all drafts, oldest first."""
        return [
            record.id for record in record_store.all_of(self.backend.database, "") if record.draft is not None
        ]

    def published(self) -> List[str]:
        """Return the ids of all published records, oldest first."""
        every = record_store.all_of(self.backend.database, "")
        return [record.id for record in every if record.record is not None and record.deleted is None]


def _no_record(id: str) -> UsageError:
    return UsageError(f"no such record: {id}", hint="drafts() and published() list the ids")


def _bucket_of(file: Any) -> Tuple[str, Any]:
    """Return the id of the record and the key of a file that a client returned.

    :raises UsageError: it is not a file.
    """
    link = require_member(require_member(file, "links"), "self")
    match = re.search(r"/records/([^/?#]+)/", link) if isinstance(link, str) else None
    key = require_member(file, "key")
    if match is None or key is file:
        raise UsageError("missing record of the file", hint="read(record, 'key') or read(file) of a client")
    return match.group(1), key


def _check_date(text: Any) -> None:
    try:
        dt.date.fromisoformat(text)
    except (TypeError, ValueError):
        raise UsageError(
            f"until must be a date, not {text!r:.40}", hint="pass until='2026-12-31', for example"
        ) from None
