"""``client.records``: records and drafts.

Source: NRP / Invenio protocol, sections 3 and 4.
"""

import copy
from typing import Any, Callable, Dict, List, Mapping, Optional, TypeVar

from smartxfer.error_values import evolve_error
from smartxfer.errors import Forbidden, NotFound, OutcomeUnknown, UsageError
from smartxfer.nrp import search_verbs
from smartxfer.nrp.api import RepositoryApi
from smartxfer.nrp.discovery import INVENIO_JSON, get_records_path, has_metadata, is_zenodo
from smartxfer.nrp.drafts import (
    build_if_match_headers,
    get_record_reference,
    parse_draft_response,
    replace_draft,
)
from smartxfer.nrp.errors import RepositoryAuthError
from smartxfer.nrp.publisher import Publisher
from smartxfer.nrp.record_models import DOCUMENT_KEYS, Identity, Record, RepositoryInfo, build_document
from smartxfer.nrp.references import RecordRef, parse_reference, run_on_latest_version, try_in_order
from smartxfer.nrp.search import SearchQuery
from smartxfer.nrp.search_verbs import RecordStatus, Status, parse_status
from smartxfer.nrp.statuses import CREATED, NO_CONTENT
from smartxfer.reprs import Namespace
from smartxfer.secret_text import hide_method_arguments
from smartxfer.transport.deletion import delete_once

__all__ = ["RecordsClient", "whoami"]

R = TypeVar("R", bound="RecordsClient")
T = TypeVar("T")

DRAFT, PUBLISHED = RecordStatus.DRAFT.value, RecordStatus.PUBLISHED.value


@hide_method_arguments(links=("record",))
class RecordsClient(Namespace):
    """Creates, reads, changes, searches and publishes records.

    A record can be passed as a Record, its URL (of the API, or of its page) or its id.  A URL can be any
    object whose ``str()`` is one.

    :param get_api: returns the API.
    :param get_repository_info: returns the properties of the repository.
    """

    def __init__(
        self, get_api: Callable[[], RepositoryApi], get_repository_info: Callable[[], RepositoryInfo]
    ) -> None:
        self._get_api = get_api
        self._get_repository_info = get_repository_info
        self._model: Optional[str] = None
        self._status: Optional[str] = None

    # -- views ------------------------------------------------------------------------------------------

    def with_model(self: R, name: str) -> R:
        """Return a view of the records of one model, by its type or name."""
        return self._copy_with(_model=name)

    @property
    def draft_records(self: R) -> R:
        """View of drafts: ``read`` returns the draft, ``search`` the caller's drafts."""
        return self._copy_with(_status=DRAFT)

    @property
    def published_records(self: R) -> R:
        """View of published records."""
        return self._copy_with(_status=PUBLISHED)

    def __repr__(self) -> str:
        views = [self._model and f"model {self._model!r:.40}", self._status and f"{self._status} only"]
        description = ", ".join(view for view in views if view)
        return f"{super().__repr__()[:-1]}, {description}>" if description else super().__repr__()

    def _copy_with(self: R, **values: Optional[str]) -> R:
        view = copy.copy(self)
        vars(view).update(values)
        return view

    def _select_view(self: R, model: Optional[str], status: Status) -> R:
        """Return the view for the arguments of a call; None retains the setting of this view."""
        statuses = {None: self._status, RecordStatus.ALL: None, RecordStatus.DRAFT: DRAFT}
        selected = statuses.get(parse_status(status), PUBLISHED)
        return self._copy_with(_model=model or self._model, _status=selected)

    # -- one record -------------------------------------------------------------------------------------

    def create(
        self,
        data: Mapping[str, Any],
        *,
        model: Optional[str] = None,
        community: Optional[str] = None,
        workflow: Optional[str] = None,
        strict: bool = False,
        idempotent: bool = False,
        files_enabled: bool = True,
    ) -> Record:
        """Create a draft.

        :param data: ``metadata``, and optionally ``access``, ``files``, ``custom_fields``, ...  A dict
            without such keys is used as ``metadata`` if the model has it.
        :param model: type or name of the record's model, if the repository has several.
        :param community: id or slug of a community that reviews the draft.
        :param workflow: workflow of the record (OARepo).
        :param strict: raise an error if the repository drops invalid fields.
        :param idempotent: repeat the request if its response is lost.  Use it only if the second request does
            not create a second draft, because the repository derives the identifier from the data.
        :param files_enabled: False creates a record without files; True uses the setting in ``data``, by
            default enabled.
        :return: the draft.  Dropped fields are in its ``errors``, and reported by a DraftWarning.
        :raises InvalidDraft: with ``strict``; the draft was created nevertheless, see ``record``.
        :raises OutcomeUnknown: the response was lost.

        Source: NRP / Invenio protocol, section 4.
        """
        api = self._get_api()
        document = build_document(self._wrap_metadata(data, model))
        document.setdefault("files", {"enabled": True})
        if not files_enabled:
            document["files"] = {**document["files"], "enabled": False}
        if workflow is not None:
            document["parent"] = {**(data.get("parent") or {}), "workflow": workflow}
        elif isinstance(data.get("parent"), Mapping) and not isinstance(data, Record):
            document["parent"] = copy.deepcopy(dict(data["parent"]))
        receiver = api.get(api.build_url("communities", community)).json(dict) if community else None
        path = get_records_path(self._get_repository_info(), model or self._model)
        try:
            response = api.send(
                "POST",
                api.build_url(*path.split("/")),
                json=document,
                headers=self._build_headers(),
                success=CREATED,
                idempotent=True if idempotent else None,
            )
        except OutcomeUnknown as error:
            hint = "call records.draft_records.search(sort='newest') before you create another draft"
            raise evolve_error(error, hint=hint) from None
        record = parse_draft_response(response.json(dict), strict, document)
        if receiver is not None:
            review = {"receiver": {"community": receiver.get("id")}, "type": "community-submission"}
            link = record.links.review or f"{self._get_record_url(record)}/draft/review"
            api.send("PUT", api.require_same_origin(link), json=review)
            # The draft is read again, because the link for its submission exists only now.
            publisher = self._build_publisher(self._parse_reference(record))
            current = publisher.read(f"{self._get_record_url(record)}/draft")
            record = current.evolve(errors=record.errors)
        return record

    def read(self, record: Any, *, model: Optional[str] = None, status: Status = None) -> Record:
        """Return the published record; for a draft Record, or the URL of a draft, the draft.

        The view ``draft_records`` returns the draft, or the published record if it has no draft.

        :param model: type or name of the record's model, if ``record`` is an id.
        :param status: ``"draft"``, ``"published"`` or ``"all"``, instead of the view.
        :raises NotFound: the record does not exist.

        Source: NRP / Invenio protocol, section 4.
        """
        view = self._select_view(model, status)
        ref = view._parse_reference(record)
        publisher = view._build_publisher(ref)
        if view._status == DRAFT or (view._status is None and ref.preview):
            return try_in_order([f"{ref.record_url}/draft", ref.record_url], publisher.read)
        draft = ref.draft if view._status is None else False
        return publisher.read(f"{ref.record_url}/draft" if draft else ref.record_url)

    def update(
        self, record_or_data: Any, *, if_revision: Optional[int] = None, strict: bool = False
    ) -> Record:
        """Replace a draft completely: members that are missing in the argument are removed.

        :param record_or_data: a Record, changed in place, or a dict with ``id`` or ``links``.
        :param if_revision: expected ``revision_id`` of the draft; deleting a file changes it, too.
        :param strict: as in :meth:`create`.
        :return: the draft as saved by the repository.
        :raises Conflict: the draft has another revision.
        :raises NotFound: the draft does not exist; ``edit_metadata`` creates one of a published record.

        Source: NRP / Invenio protocol, section 4, ETag and revision.
        """
        self._reject_published_view("update", "call edit_metadata(record), and update the draft")
        document = build_document(record_or_data)
        build_if_match_headers(if_revision)

        def update_draft(ref: RecordRef) -> Record:
            url = f"{ref.record_url}/draft"
            return parse_draft_response(
                replace_draft(self._get_api(), url, document, self._build_headers(), if_revision),
                strict,
                document,
            )

        try:
            return self._run_on_latest_version(get_record_reference(record_or_data), update_draft)
        except NotFound as error:
            hint = error.own_hint or "call edit_metadata(record) to create a draft of a published record"
            raise evolve_error(error, hint=hint) from None

    def delete(self, record: Any, *, if_revision: Optional[int] = None) -> None:
        """Delete a draft with its files; of a published record, the edited draft is deleted.

        :param if_revision: expected ``revision_id`` of the draft.
        :raises UsageError: it is a published Record: see :meth:`retract_published`.
        :raises Conflict: the draft has another revision than ``if_revision``.
        :raises NotFound: the draft does not exist.

        Source: NRP / Invenio protocol, section 4.
        """
        hint = "call retract_published(record, reason) to remove a published record"
        self._reject_published_view("delete", hint)
        if isinstance(record, Record) and record.is_published and not record.is_draft:
            raise UsageError(f"{record.id} is a published record, not a draft", hint=hint)
        headers = build_if_match_headers(if_revision)
        self._run_on_latest_version(
            record, lambda ref: self._delete(f"{ref.record_url}/draft", headers=headers)
        )

    def _delete(self, url: str, **options: Any) -> None:
        api = self._get_api()
        delete_once(api.send_request, api.build_request("DELETE", url, success=NO_CONTENT, **options))

    # -- publishing and versions ------------------------------------------------------------------------

    def publish(self, record: Any, *, submit: bool = False) -> Record:
        """Publish a draft.  After a lost response, the record is checked first, and not published twice.

        :param submit: create and submit the request that the repository may require.
        :return: the published record.
        :raises BadRequest: required fields are missing, see ``errors``.
        :raises ReviewRequired: a community or workflow must approve it; ``request`` is the existing request.

        Source: NRP / Invenio protocol, section 4.
        """
        draft = record if isinstance(record, Record) and record.is_draft else None

        def publish_draft(ref: RecordRef) -> Record:
            publisher = self._build_publisher(ref)
            return publisher.publish(draft or publisher.read(f"{ref.record_url}/draft"), submit)

        return self._run_on_latest_version(record, publish_draft)

    def edit_metadata(self, record: Any) -> Record:
        """Create a draft of a published record, or return the existing draft.  Its files are locked.

        :raises ReviewRequired: the repository requires a request.

        Source: NRP / Invenio protocol, section 4.
        """
        return self._run_on_latest_version(
            record,
            lambda ref: self._build_publisher(ref).create_follow_up_draft(
                f"{ref.record_url}/draft", "edit_published_record"
            ),
        )

    def new_version(self, record: Any, *, import_files: bool = False) -> Record:
        """Create a draft of a new version, which has another id, or return the existing draft.

        :param import_files: copy the files of the previous version.
        :raises Conflict: the existing draft has other files.
        :raises ReviewRequired: the repository requires a request.

        Source: NRP / Invenio protocol, section 4.
        """
        draft = self._run_on_latest_version(
            record,
            lambda ref: self._build_publisher(ref).create_follow_up_draft(
                f"{ref.record_url}/versions", "new_version"
            ),
        )
        return self.import_files(draft) if import_files else draft

    def import_files(self, record: Any) -> Record:
        """Copy the files of the previous version to the draft of a new version.

        :return: the updated draft.
        :raises Conflict: the draft has other files.

        Source: NRP / Invenio protocol, sections 3 and 4.
        """
        publisher = self._build_publisher(self._parse_reference(record))
        publisher.import_files(f"{publisher.record_url}/draft")
        return publisher.read(f"{publisher.record_url}/draft")

    def retract_published(self, record: Any, reason: str, *, note: str = "") -> None:
        """Remove a published record and leave a tombstone.  Usually this requires administrator permissions.

        :param reason: id of a removal reason of the repository, such as ``"test-record"``.
        :param note: text on the tombstone.
        :raises Forbidden: the caller does not have the permission.

        Source: NRP / Invenio protocol, section 4.
        """
        body: Dict[str, Any] = {"removal_reason": {"id": reason}}
        if note:
            body["note"] = note
        self._delete(self._get_record_url(record), json=body)

    def versions(self, record: Any) -> List[Record]:
        """Return all published versions of a record, the newest first."""

        def list_versions(ref: RecordRef) -> List[Record]:
            query = SearchQuery(self._get_api(), f"{ref.record_url}/versions", {}, self._build_headers())
            return list(query.fetch_record_list(1, None, None).walk())

        versions = self._run_on_latest_version(record, list_versions)
        return sorted(versions, key=lambda version: version.versions.get("index") or 0, reverse=True)

    def latest(self, record: Any) -> Record:
        """Return the newest published version of a record, also for the draft of a new version.

        :raises NotFound: no version is published.

        Source: NRP / Invenio protocol, section 9.
        """
        return self._build_publisher(self._parse_reference(record)).get_latest()

    # -- searching --------------------------------------------------------------------------------------

    search, scan = search_verbs.search, search_verbs.scan
    next_page, previous_page = search_verbs.next_page, search_verbs.previous_page

    # -- helpers ----------------------------------------------------------------------------------------

    def _build_headers(self) -> Dict[str, str]:
        """Return headers that request InvenioRDM's record format; Zenodo's plain JSON is another one."""
        return {"Accept": INVENIO_JSON} if is_zenodo(str(self._get_api().http.origin)) else {}

    def _wrap_metadata(self, data: Any, model: Optional[str]) -> Any:
        """Return the data of a record; a dict of metadata fields is wrapped in ``metadata``."""
        if not isinstance(data, Mapping) or not data or not DOCUMENT_KEYS.isdisjoint(data):
            return data
        return (
            {"metadata": dict(data)}
            if has_metadata(self._get_repository_info(), model or self._model)
            else data
        )

    def _parse_reference(self, record: Any) -> RecordRef:
        return parse_reference(
            self._get_api(), record, lambda: get_records_path(self._get_repository_info(), self._model)
        )

    def _run_on_latest_version(self, record: Any, action: Callable[[RecordRef], T]) -> T:
        """Run an action with a record; for the id of all versions, with the newest one."""
        return run_on_latest_version(
            self._get_api(), self._parse_reference(record), action, self._build_headers()
        )

    def _get_record_url(self, record: Any) -> str:
        return self._parse_reference(record).record_url

    def _build_publisher(self, ref: RecordRef) -> Publisher:
        return Publisher(self._get_api(), ref.record_url, self._build_headers())

    def _reject_published_view(self, verb: str, hint: str) -> None:
        if self._status == PUBLISHED:
            raise UsageError(f"published records cannot be {verb}d", hint=hint)


def whoami(api: RepositoryApi, has_token: bool) -> Identity:
    """Return the identity of the caller.

    :param has_token: True if the client sends a token.
    :raises AuthError: the repository does not accept the token.

    Source: NRP / Invenio protocol, section 2.
    """
    try:
        response = api.get(f"{api.api_url}/user/records", {"size": 1})
    except Forbidden as error:
        if not has_token:
            return Identity(False)
        forbidden = error
    else:
        return Identity(True, response.headers.get("X-User-ID"))
    hint = "create a new token in the settings of the repository, and pass it as token="
    data = {**vars(forbidden), "hint": hint}
    raise RepositoryAuthError(f"invalid or expired token: {forbidden.summary}", **data)
