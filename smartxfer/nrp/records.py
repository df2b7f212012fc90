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
    """Makes, reads, changes, searches and publishes records.

    Wherever a record is wanted, its Record, its address (of the API, or of the page that shows it) or its id
    is accepted.  An address may be anything whose ``str()`` is one.

    :param get_api: makes the calls.
    :param get_repository_info: what the repository says of itself.
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
        """The records of one model, by its type or name."""
        return self._copy_with(_model=name)

    @property
    def draft_records(self: R) -> R:
        """The same for drafts: ``read`` gives the draft, ``search`` one's own drafts."""
        return self._copy_with(_status=DRAFT)

    @property
    def published_records(self: R) -> R:
        """The same for what is published."""
        return self._copy_with(_status=PUBLISHED)

    def __repr__(self) -> str:
        views = [self._model and f"model {self._model!r:.40}", self._status and f"{self._status} only"]
        shown = ", ".join(view for view in views if view)
        return f"{super().__repr__()[:-1]}, {shown}>" if shown else super().__repr__()

    def _copy_with(self: R, **values: Optional[str]) -> R:
        made = copy.copy(self)
        vars(made).update(values)
        return made

    def _select_view(self: R, model: Optional[str], status: Status) -> R:
        """Return the view that the arguments of a call mean; what they leave open is as it was."""
        asked = parse_status(status)
        statuses = {None: self._status, RecordStatus.ALL: None, RecordStatus.DRAFT: DRAFT}
        return self._copy_with(_model=model or self._model, _status=statuses.get(asked, PUBLISHED))

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
        """Make a draft.

        :param data: ``metadata``, and what else there is: ``access``, ``files``, ``custom_fields``, ...
            Fields alone, without ``metadata`` around them, are the metadata where the model has it.
        :param model: type or name of the record's model, where there are several.
        :param community: id or slug of a community that is to review it.
        :param workflow: that it is to follow (OARepo).
        :param strict: True raises where the repository drops invalid fields.
        :param idempotent: True repeats the request where its answer is lost: only if a second one makes no
            second draft, as where the repository takes a record's identifier from its data.
        :param files_enabled: False makes a record without files; True leaves it to ``data``, by default yes.
        :return: the draft; its ``errors`` name the fields that were dropped, and there is a DraftWarning.
        :raises InvalidDraft: with ``strict``; the draft is there all the same, as ``record``.
        :raises OutcomeUnknown: the answer was lost.

        Source: NRP / Invenio protocol, section 4.
        """
        calls = self._get_api()
        document = build_document(self._wrap_metadata(data, model))
        document.setdefault("files", {"enabled": True})
        if not files_enabled:
            document["files"] = {**document["files"], "enabled": False}
        if workflow is not None:
            document["parent"] = {**(data.get("parent") or {}), "workflow": workflow}
        elif isinstance(data.get("parent"), Mapping) and not isinstance(data, Record):
            document["parent"] = copy.deepcopy(dict(data["parent"]))
        receiver = calls.get(calls.build_url("communities", community)).json(dict) if community else None
        path = get_records_path(self._get_repository_info(), model or self._model)
        try:
            url = calls.build_url(*path.split("/"))
            again = True if idempotent else None
            answer = calls.send(
                "POST", url, json=document, headers=self._build_headers(), success=CREATED, idempotent=again
            )
        except OutcomeUnknown as error:
            hint = "look at records.draft_records.search(sort='newest') before making another one"
            raise evolve_error(error, hint=hint) from None
        record = parse_draft_response(answer.json(dict), strict, document)
        if receiver is not None:
            review = {"receiver": {"community": receiver.get("id")}, "type": "community-submission"}
            link = record.links.review or f"{self._get_record_url(record)}/draft/review"
            calls.send("PUT", calls.require_same_origin(link), json=review)
            # Only now it has the link by which it is submitted.
            seen = self._build_publisher(self._parse_reference(record)).read(
                f"{self._get_record_url(record)}/draft"
            )
            record = seen.evolve(errors=record.errors)
        return record

    def read(self, record: Any, *, model: Optional[str] = None, status: Status = None) -> Record:
        """What is published; of a draft Record, or of a draft's address, the draft.

        With ``draft_records``: the draft, or what is published where there is no draft.

        :param model: type or name of the record's model, where it is named by its id.
        :param status: ``"draft"``, ``"published"`` or ``"all"``, in place of the view.
        :raises NotFound: there is none.

        Source: NRP / Invenio protocol, section 4.
        """
        view = self._select_view(model, status)
        place = view._parse_reference(record)
        publisher = view._build_publisher(place)
        if view._status == DRAFT or (view._status is None and place.preview):
            return try_in_order([f"{place.record_url}/draft", place.record_url], publisher.read)
        draft = place.draft if view._status is None else False
        return publisher.read(f"{place.record_url}/draft" if draft else place.record_url)

    def update(
        self, record_or_data: Any, *, if_revision: Optional[int] = None, strict: bool = False
    ) -> Record:
        """Replace a draft as a whole; what is left out is lost.

        :param record_or_data: a Record, changed in place, or a dict with ``id`` or ``links``.
        :param if_revision: the ``revision_id`` that it must have; deleting a file changes it, too.
        :param strict: as in :meth:`create`.
        :return: the draft as the repository keeps it.
        :raises Conflict: it has another revision.
        :raises NotFound: there is no draft: ``edit_metadata`` makes one of what is published.

        Source: NRP / Invenio protocol, section 4, ETag and revision.
        """
        self._reject_published_view("update", "edit_metadata() makes a draft of it")
        document = build_document(record_or_data)
        build_if_match_headers(if_revision)

        def step(place: RecordRef) -> Record:
            url = f"{place.record_url}/draft"
            return parse_draft_response(
                replace_draft(self._get_api(), url, document, self._build_headers(), if_revision),
                strict,
                document,
            )

        try:
            return self._run_on_latest_version(get_record_reference(record_or_data), step)
        except NotFound as error:
            hint = error.own_hint or "what is published has no draft: edit_metadata(record) makes one"
            raise evolve_error(error, hint=hint) from None

    def delete(self, record: Any, *, if_revision: Optional[int] = None) -> None:
        """Discard a draft, with its files.  Of what is published, the edit is discarded.

        :raises UsageError: it is a published Record: see :meth:`retract_published`.
        :raises Conflict: it has another revision than ``if_revision``.
        :raises NotFound: there is no draft.

        Source: NRP / Invenio protocol, section 4.
        """
        advice = "retract_published() removes what is published"
        self._reject_published_view("delete", advice)
        if isinstance(record, Record) and record.is_published and not record.is_draft:
            raise UsageError(f"{record.id} is published, and no draft", hint=advice)
        headers = build_if_match_headers(if_revision)
        self._run_on_latest_version(
            record, lambda place: self._delete(f"{place.record_url}/draft", headers=headers)
        )

    def _delete(self, url: str, **options: Any) -> None:
        calls = self._get_api()
        delete_once(calls.send_request, calls.build_request("DELETE", url, success=NO_CONTENT, **options))

    # -- publishing and versions ------------------------------------------------------------------------

    def publish(self, record: Any, *, submit: bool = False) -> Record:
        """Publish a draft.  Where the answer is lost, the repository is asked; it is not published twice.

        :param submit: True opens and submits the request that the repository wants, if it wants one.
        :return: the published record.
        :raises BadRequest: something is missing; ``errors`` names the fields.
        :raises ReviewRequired: a community or a workflow has to consent; ``request`` is what there is of it.

        Source: NRP / Invenio protocol, section 4.
        """
        draft = record if isinstance(record, Record) and record.is_draft else None

        def step(place: RecordRef) -> Record:
            publisher = self._build_publisher(place)
            return publisher.publish(draft or publisher.read(f"{place.record_url}/draft"), submit)

        return self._run_on_latest_version(record, step)

    def edit_metadata(self, record: Any) -> Record:
        """A draft of what is published; the same one again, if there is one already.  Its files are locked.

        :raises ReviewRequired: it takes a request.

        Source: NRP / Invenio protocol, section 4.
        """
        return self._run_on_latest_version(
            record,
            lambda place: self._build_publisher(place).create_follow_up_draft(
                f"{place.record_url}/draft", "edit_published_record"
            ),
        )

    def new_version(self, record: Any, *, import_files: bool = False) -> Record:
        """A draft of a new version, with another id; the same one again, if there is one already.

        :param import_files: take the files over.
        :raises Conflict: there are other files in the draft that was begun already.
        :raises ReviewRequired: it takes a request.

        Source: NRP / Invenio protocol, section 4.
        """
        draft = self._run_on_latest_version(
            record,
            lambda place: self._build_publisher(place).create_follow_up_draft(
                f"{place.record_url}/versions", "new_version"
            ),
        )
        return self.import_files(draft) if import_files else draft

    def import_files(self, record: Any) -> Record:
        """Take the files of the version before over to a draft of a new version.

        :return: the draft, as it is then.
        :raises Conflict: there are other files in it.

        Source: NRP / Invenio protocol, sections 3 and 4.
        """
        publisher = self._build_publisher(self._parse_reference(record))
        publisher.import_files(f"{publisher.record_url}/draft")
        return publisher.read(f"{publisher.record_url}/draft")

    def retract_published(self, record: Any, reason: str, *, note: str = "") -> None:
        """Remove what is published; a tombstone stays.  For administrators mostly.

        :param reason: id of a removal reason that the repository knows, such as ``"test-record"``.
        :param note: shown on the tombstone.
        :raises Forbidden: it is not for this caller to do.

        Source: NRP / Invenio protocol, section 4.
        """
        body: Dict[str, Any] = {"removal_reason": {"id": reason}}
        if note:
            body["note"] = note
        self._delete(self._get_record_url(record), json=body)

    def versions(self, record: Any) -> List[Record]:
        """All published versions of a record, the newest first."""

        def step(place: RecordRef) -> List[Record]:
            searcher = SearchQuery(self._get_api(), f"{place.record_url}/versions", {}, self._build_headers())
            return list(searcher.fetch_record_list(1, None, None).walk())

        found = self._run_on_latest_version(record, step)
        return sorted(found, key=lambda version: version.versions.get("index") or 0, reverse=True)

    def latest(self, record: Any) -> Record:
        """The newest published version of a record, or of the record that a draft is a new version of.

        :raises NotFound: no version is published.

        Source: NRP / Invenio protocol, section 9.
        """
        return self._build_publisher(self._parse_reference(record)).get_latest()

    # -- searching --------------------------------------------------------------------------------------

    search, scan = search_verbs.search, search_verbs.scan
    next_page, previous_page = search_verbs.next_page, search_verbs.previous_page

    # -- within -----------------------------------------------------------------------------------------

    def _build_headers(self) -> Dict[str, str]:
        """Asks for the record format of InvenioRDM where plain JSON is another one."""
        return {"Accept": INVENIO_JSON} if is_zenodo(str(self._get_api().http.origin)) else {}

    def _wrap_metadata(self, data: Any, model: Optional[str]) -> Any:
        """Return the data of a record, with ``metadata`` around it where it is fields of metadata alone."""
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
        """Do a step with a record; where its concept is given, with the newest version."""
        return run_on_latest_version(
            self._get_api(), self._parse_reference(record), action, self._build_headers()
        )

    def _get_record_url(self, record: Any) -> str:
        return self._parse_reference(record).record_url

    def _build_publisher(self, ref: RecordRef) -> Publisher:
        return Publisher(self._get_api(), ref.record_url, self._build_headers())

    def _reject_published_view(self, verb: str, hint: str) -> None:
        if self._status == PUBLISHED:
            raise UsageError(f"what is published cannot be {verb}d", hint=hint)


def whoami(api: RepositoryApi, has_token: bool) -> Identity:
    """Whom the repository takes the caller for.

    :param has_token: whether there is a token.
    :raises AuthError: there is one, and the repository does not know it.

    Source: NRP / Invenio protocol, section 2.
    """
    try:
        answer = api.get(f"{api.api_url}/user/records", {"size": 1})
    except Forbidden as error:
        if not has_token:
            return Identity(False)
        refused = error
    else:
        return Identity(True, answer.headers.get("X-User-ID"))
    data = {**vars(refused), "hint": "the token is wrong or has expired: make a new one in your settings"}
    raise RepositoryAuthError(f"the repository does not know the token: {refused.summary}", **data)
