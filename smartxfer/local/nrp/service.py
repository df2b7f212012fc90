"""The local repository: where it listens, which part answers, and what its users look at.

Source: NRP protocol, sections 1 to 8.
"""

import datetime as dt
import re
from typing import Any, Callable, Dict, List, Mapping, Optional, Tuple, TypeVar

from smartxfer.errors import UsageError
from smartxfer.local.arguments import bytes_of, mapping_of, member_of, text_of
from smartxfer.local.http_messages import Request, Response
from smartxfer.local.nrp import drafts, files, items, publishing, routes, sharing
from smartxfer.local.nrp.answers import BROKEN, error_answer
from smartxfer.local.nrp.backend import Backend
from smartxfer.local.nrp.items import Half, Item
from smartxfer.local.nrp.shelf import FileShelf
from smartxfer.local.nrp.site import Site
from smartxfer.local.nrp.validation import accepted
from smartxfer.local.service import Service

T = TypeVar("T")

#: Metadata of records that are put here without any.
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
    _shelf_type = FileShelf

    def _opened(self) -> None:
        """Take up the work in the background, and set the tokens."""
        files.start(self.backend)
        #: Bearer token of the first user.
        self.token = self.backend.people.first.token
        #: Bearer token of the user who may everything.
        self.superuser_token = self.backend.people.superuser.token

    def configure(self, **options: Any) -> None:
        """Change the configuration; counting of requests begins anew where their limits change."""
        super().configure(**options)
        if any(name.startswith("rate_") for name in options):
            self.backend.limits.begin_anew()

    def answer(self, request: Request) -> Response:
        """Answer one request."""
        return routes.answer(self.backend, request)

    def error(self, status: int, message: str) -> Response:
        """An error in the manner of the API, for planned faults.

        What comes from the application has the headers that every answer has; 429, 502, 503 and 504 are
        taken for a front end's, which has none of them.
        """
        answer = error_answer(status, message or BROKEN)
        backend = self.backend
        if status not in (429, 502, 503, 504):
            answer.headers += backend.limits.headers(backend.site, backend.people.first.name, backend.now())
        return answer

    # What users of the local server look at.

    @property
    def env(self) -> Dict[str, str]:
        """Environment variables that point a client at the repository."""
        return {"NRP_REPOSITORY_URL": self.url, "NRP_TOKEN": self.token}

    def token_of(self, user: str) -> str:
        """Bearer token of a user.

        :raises UsageError: there is no such user.
        """
        found = self.backend.people.named(text_of(user, "user"))
        if found is None:
            raise UsageError(f"no such user: {user}")
        return found.token

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
        """Put a record here.

        :param files: contents by key.
        :param published: whether it is published at once, complete or not; else it stays a draft.
        :param metadata: its metadata; None: those of a complete record.
        :param user: whose it is; None: the first user's.
        :param model: its model; None: the first one.
        :param access: who may read: ``record`` and ``files``, each ``"public"`` or ``"restricted"``.
        :return: its id.
        :raises UsageError: there is no such user or model.
        """
        backend = self.backend
        contents, readers = mapping_of(files, "files"), mapping_of(access, "access")
        shown = _METADATA if metadata is None else mapping_of(metadata, "metadata")
        owner = backend.people.first if user is None else backend.people.named(user)
        if owner is None:
            raise UsageError(f"no such user: {user}")
        name = model or backend.site.models[0]
        if name not in backend.site.models:
            raise UsageError(f"no such model: {name}")
        body = {
            "metadata": dict(shown),
            "files": {"enabled": files is not None or not published},
            "access": dict(readers),
        }
        values, _ = accepted(body, open_schema=backend.site.open_schema(name))
        item = drafts.made(backend, owner, name, body, values)
        for key, data in contents.items():
            self.write(item.id, key, data)
        if published:
            publishing.published(backend, self._item(item.id))
        return item.id

    def share(self, record: Any, permission: str = "view", *, until: Optional[str] = None) -> str:
        """Make a secret link to a record and its versions.

        :param record: its id, or the record as a client returned it.
        :param permission: ``"view"``, ``"preview"`` (drafts, too) or ``"edit"``.
        :param until: its last day, such as ``"2026-12-31"``; None: it does not end.
        :return: its token, which goes into URLs as ``?token=``.
        :raises UsageError: no record has the id, the permission is not known, or ``until`` is not a date.
        """
        if until is not None:
            _check_date(until)
        if permission not in sharing.PERMISSIONS:
            raise UsageError(f"permission is one of {', '.join(sharing.PERMISSIONS)}, not {permission!r}")
        backend = self.backend
        with backend.database.transaction():
            item = self._item(record)
            parent = items.parent_of(backend.database, item.parent)
            if parent is None:
                raise _no_record(item.id)
            link = sharing.make(backend, parent, {"permission": permission, "expires_at": until})
            items.save_parent(backend.database, parent)
        return str(link["token"])

    def _item(self, record: Any) -> Item:
        id = text_of(member_of(record, "id"), "record")
        item = items.find(self.backend.database, id)
        if item is None:
            raise _no_record(id)
        return item

    def _half(self, record: Any) -> Half:
        """Return the draft, else the published record."""
        item = self._item(record)
        half = item.draft or item.record
        if half is None:
            raise _no_record(item.id)
        return half

    def _held(self, record: Any, key: Any, step: Callable[[Backend, str, str], T]) -> T:
        """Do a step with a file that has bytes.

        :param record: of a file that a client returned, the key is taken, too.
        """
        if key is None:
            record, key = _place_of(record)
        name = text_of(member_of(key, "key"), "key")
        try:
            return step(self.backend, self._half(record).bucket, name)
        except LookupError:
            id = member_of(record, "id")
            hint = f"entries({id!r}) lists its files"
            raise UsageError(f"{id} has no file {name!r} with bytes", hint=hint) from None

    def files(self, record: Any) -> Dict[str, int]:
        """Return the bytes of every completed file, by key; of the draft, else of the published record.

        :param record: its id, or the record as a client returned it.
        :raises UsageError: there is no such record.
        """
        return files.completed(self.backend, self._half(record).bucket)

    def entries(self, record: Any) -> List[Dict[str, Any]]:
        """Return every file as the API shows it, without links, those that are pending included."""
        return files.listed(self.backend, self._half(record).bucket)

    def read(self, record: Any, key: Any = None) -> bytes:
        """Return the bytes of a file: ``read(record, key)``, or ``read(file)`` with a client's File.

        :raises UsageError: there is no such file, or it has no bytes yet.
        """
        return self._held(record, key, files.read)

    def stored_path(self, record: Any, key: Any = None) -> str:
        """Return where the bytes of a file are on disk; the arguments are those of :meth:`read`.

        :raises UsageError: there is no such file, or it has no bytes yet.
        """
        return self._held(record, key, files.stored_path)

    def write(
        self, record: Any, key: str, data: bytes = b"", metadata: Optional[Mapping[str, Any]] = None
    ) -> None:
        """Put a completed file into a record, whatever was there under its key.

        :raises UsageError: there is no such record.
        """
        bucket = self._half(record).bucket
        text_of(key, "key")
        shown = None if metadata is None else dict(mapping_of(metadata, "metadata"))
        files.write(self.backend, bucket, key, bytes_of(data), shown)

    def plant(self, record: Any, key: str, data: bytes = b"") -> None:
        """Put a file under any key, ``"../x"`` for one."""
        self.write(record, key, data)

    def drafts(self) -> List[str]:
        """Ids of all drafts, oldest first."""
        return [item.id for item in items.all_of(self.backend.database, "") if item.draft is not None]

    def published(self) -> List[str]:
        """Ids of all published records that were not deleted, oldest first."""
        every = items.all_of(self.backend.database, "")
        return [item.id for item in every if item.record is not None and item.deleted is None]


def _no_record(id: str) -> UsageError:
    return UsageError(f"no such record: {id}", hint="drafts() and published() list the ids")


def _place_of(file: Any) -> Tuple[str, Any]:
    """Return the id of the record and the key of a file that a client returned.

    :raises UsageError: it is not such a file.
    """
    link = member_of(member_of(file, "links"), "self")
    found = re.search(r"/records/([^/?#]+)/", link) if isinstance(link, str) else None
    key = member_of(file, "key")
    if found is None or key is file:
        raise UsageError("which file is meant?", hint="give read(record, 'key') or a client's File")
    return found.group(1), key


def _check_date(text: Any) -> None:
    try:
        dt.date.fromisoformat(text)
    except (TypeError, ValueError):
        raise UsageError(f"until is a date such as '2026-12-31', not {text!r:.40}") from None
