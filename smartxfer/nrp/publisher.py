"""Publishing of drafts, edits of published records, and new versions.

Source: NRP / Invenio protocol, sections 3 (Safety of repeating) and 4 (Publishing through requests).
"""

from typing import Any, Dict, List, Mapping, Optional

import attrs

from smartxfer.error_values import evolve_error
from smartxfer.errors import (
    BadRequest,
    ClientError,
    Forbidden,
    HTTPError,
    NotFound,
    OutcomeUnknown,
    ReviewRequired,
)
from smartxfer.nrp.api import RepositoryApi
from smartxfer.nrp.errors import RepositoryConflict, RepositoryNotFoundError, RepositoryReviewRequired
from smartxfer.nrp.record_models import Record
from smartxfer.nrp.statuses import ACCEPTED, CREATED
from smartxfer.transport import Success

__all__ = ["Publisher"]

#: Words of an error message without field errors, if publishing needs an approval.
_REVIEW_KEYWORDS = ("review", "request", "communit")
_SUBMIT_HINT = "create and submit the request in the browser, or call publish(record, submit=True)"
_WAIT_HINT = "wait until the request is accepted, which publishes the record"
_NO_REVIEW_HINT = "create the draft with records.create(..., community='slug')"


@attrs.frozen
class Publisher:
    """Publishing of one record, and related operations.

    :param record_url: URL of the record, without ``/draft``.
    :param headers: headers of all requests that return a record.
    """

    api: RepositoryApi
    record_url: str
    headers: Mapping[str, str]

    def read(self, url: str) -> Record:
        """Return the current record."""
        record = self.api.get(url, headers=self.headers).parse_model(Record)
        token = self.api.share_tokens.get_token(url)
        if token is not None:  # the token of a share link is valid for all versions
            self.api.share_tokens.add(token, [record.id, record.parent.get("id")])
        return record

    def get_latest(self) -> Record:
        """Return the newest published version, also for the draft of a new version.

        :raises NotFound: no version is published.

        Source: NRP / Invenio protocol, section 9.
        """
        try:
            return self.read(f"{self.record_url}/versions/latest")
        except NotFound as error:
            not_found = error
        draft = self.find(f"{self.record_url}/draft")
        parent = draft.parent.get("id") if draft is not None else None
        if draft is None or not parent:
            raise not_found
        latest = self.find(f"{self.record_url.rpartition('/')[0]}/{parent}")
        if latest is None:
            data = {**vars(not_found), "hint": "call records.publish(draft) first"}
            raise RepositoryNotFoundError(f"{draft.id}: no version is published yet", **data)
        return latest

    def find(self, url: str) -> Optional[Record]:
        """Return the current record, or None."""
        try:
            return self.read(url)
        except NotFound:
            return None

    def post(
        self, url: str, success: Success, *, json: Any = None, idempotent: Optional[bool] = None
    ) -> Record:
        """Send a POST request that returns a record."""
        options: Dict[str, Any] = {"json": json, "headers": self.headers, "idempotent": idempotent}
        return self.api.send("POST", url, success=success, **options).parse_model(Record)

    # -- publishing -------------------------------------------------------------------------------------

    def publish(self, draft: Record, submit: bool) -> Record:
        """Publish a draft, through a request if the repository requires one.

        :param submit: create and submit the request.
        :raises ReviewRequired: publishing needs an approval.
        """
        request_type = self.find_request_type(draft, "publish_draft")
        if request_type is not None:
            return self._publish_by_request(draft, request_type, submit)
        if submit and not draft.links.submit_review:
            draft = self.read(f"{self.record_url}/draft")  # the link exists after a review was created
        if submit and draft.links.submit_review:
            link = self.api.require_same_origin(draft.links.submit_review)
            review = self.api.send("POST", link, json={}, success=ACCEPTED).json(dict)
            return self._get_published_record(review, draft)
        try:
            return self._publish_directly(draft)
        except (BadRequest, Forbidden) as error:
            if not _requires_review(error):
                raise
            http_error = error
        raise self._build_review_required(http_error, draft)

    def _publish_directly(self, draft: Record) -> Record:
        """Publish without a request; after a lost response, repeat it only if the draft still exists."""
        url = self.api.require_same_origin(draft.links.publish or f"{self.record_url}/draft/actions/publish")
        lost: Optional[OutcomeUnknown] = None
        for _ in range(self.api.http.policy.attempts):
            try:
                return self.post(url, ACCEPTED, json={})
            except OutcomeUnknown as error:
                lost = error
            except NotFound:
                if lost is None:
                    raise
            if self.find(f"{self.record_url}/draft") is None:
                published = self.find(self.record_url)
                if published is not None:
                    return published
        assert lost is not None
        raise evolve_error(lost, hint="the draft is not published yet: call publish() again")

    def find_request_type(self, record: Record, type_id: str) -> Optional[Dict[str, Any]]:
        """Return the request type with an id if it applies to the record, else None."""
        link = record.links.applicable_requests
        if not link:
            return None
        body = self.api.get(self.api.require_same_origin(link)).json(dict)
        hits = body.get("hits")
        types: List[Any] = (hits.get("hits") if isinstance(hits, dict) else hits) or []
        return next(
            (each for each in types if isinstance(each, dict) and each.get("type_id") == type_id), None
        )

    def _publish_by_request(self, draft: Record, request_type: Dict[str, Any], submit: bool) -> Record:
        if not submit:
            raise RepositoryReviewRequired(
                f"publishing {draft.id} requires a request of type publish_draft",
                hint=_SUBMIT_HINT,
                request=request_type,
            )
        request = self.api.send("POST", self._get_action_url(request_type, "create"), json={}).json(dict)
        if request.get("status") == "created":
            request = self.api.send("POST", self._get_action_url(request, "submit"), json={}).json(dict)
        return self._get_published_record(request, draft)

    def _get_action_url(self, request_or_type: Mapping[str, Any], name: str) -> str:
        link = _get_nested(request_or_type, "links", "actions", name)
        if not isinstance(link, str):
            raise RepositoryReviewRequired(
                f"the request has no link to {name} it", hint=_SUBMIT_HINT, request=request_or_type
            )
        return self.api.require_same_origin(link)

    def _get_published_record(self, request: Dict[str, Any], draft: Record) -> Record:
        """Return the published record if the request was accepted automatically."""
        status = request.get("status")
        if status != "accepted":
            raise RepositoryReviewRequired(
                f"{draft.id}: the status of the request to publish it is {status!r}",
                hint=_WAIT_HINT,
                request=request,
            )
        topic = _get_nested(request, "links", "topic")
        topic = topic.get("self") if isinstance(topic, dict) else topic
        published = self.find(self.record_url)
        if published is None:
            return self.read(
                self.api.require_same_origin(topic) if isinstance(topic, str) else self.record_url
            )
        return published

    def _build_review_required(self, http_error: HTTPError, draft: Record) -> ReviewRequired:
        """Return the error with the review of the draft, if one exists."""
        review = None
        if draft.links.review:
            try:
                review = self.api.get(self.api.require_same_origin(draft.links.review)).json(dict)
            except ClientError:
                review = None
        hint = _NO_REVIEW_HINT
        if review is not None:
            hint = _WAIT_HINT if review.get("status") == "submitted" else _SUBMIT_HINT
        data = {**vars(http_error), "hint": hint, "request": review}
        return RepositoryReviewRequired(http_error.summary, **data)

    # -- edits and new versions -------------------------------------------------------------------------

    def create_follow_up_draft(self, url: str, request_type: str) -> Record:
        """Create the draft of an edit or of a new version; a repeated request returns the same draft.

        :param request_type: id of the request type, if the repository requires a request.
        """
        try:
            return self.post(url, CREATED, idempotent=True)
        except Forbidden as error:
            forbidden = error
        published = self.find(self.record_url)
        request = self.find_request_type(published, request_type) if published is not None else None
        if request is None:
            raise forbidden
        data = {**vars(forbidden), "hint": "create a request of the type in .request", "request": request}
        raise RepositoryReviewRequired(forbidden.summary, **data)

    def import_files(self, draft_url: str) -> None:
        """Copy the files of the previous version to the draft; do nothing if the draft has the same files.

        :param draft_url: URL of the draft of the new version.
        :raises Conflict: the draft has other files.
        """
        try:
            self.api.send("POST", f"{draft_url}/actions/files-import", idempotent=True, success=CREATED)
        except BadRequest as error:
            if "remove all files" not in error.message.lower():
                raise
            bad_request = error
        else:
            return
        published_url = self.api.require_same_origin(self.get_latest().links.self_)
        if self._list_checksums(draft_url) != self._list_checksums(published_url):
            data = {**vars(bad_request), "hint": "call files.delete_all(draft) first"}
            raise RepositoryConflict(bad_request.summary, **data)

    def _list_checksums(self, record_url: str) -> Dict[str, Any]:
        body = self.api.get(f"{record_url}/files").json(dict)
        return {str(entry.get("key")): entry.get("checksum") for entry in body.get("entries") or []}


def _requires_review(error: Any) -> bool:
    message = error.message.lower()
    return not getattr(error, "errors", None) and any(keyword in message for keyword in _REVIEW_KEYWORDS)


def _get_nested(mapping: Any, *names: str) -> Any:
    for name in names:
        mapping = mapping.get(name) if isinstance(mapping, Mapping) else None
    return mapping
