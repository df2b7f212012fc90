"""Publishing, new versions and retracting: what makes a draft public, and what follows it.

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

#: Words of a refusal without fields that somebody's consent is missing.
_REVIEW_KEYWORDS = ("review", "request", "communit")
_SUBMIT_HINT = "open and submit it in the browser, or by publish(record, submit=True)"
_WAIT_HINT = "it is published once that is accepted"
_NO_REVIEW_HINT = "PUT the community to the draft's links.review, or make the draft with community="


@attrs.frozen
class Publisher:
    """What is done with one record beyond its metadata.

    :param base: address of the record, without ``/draft``.
    :param headers: of every call that is answered by a record.
    """

    api: RepositoryApi
    record_url: str
    headers: Mapping[str, str]

    def read(self, url: str) -> Record:
        """A record as it stands."""
        record = self.api.get(url, headers=self.headers).parse_model(Record)
        token = self.api.share_tokens.get_token(url)
        if token is not None:  # a link is good for all versions
            self.api.share_tokens.add(token, [record.id, record.parent.get("id")])
        return record

    def get_latest(self) -> Record:
        """Return the newest published version; also for a draft, which is not one of the versions yet.

        :raises NotFound: no version is published.

        Source: NRP / Invenio protocol, section 9.
        """
        try:
            return self.read(f"{self.record_url}/versions/latest")
        except NotFound as error:
            missing = error
        draft = self.find(f"{self.record_url}/draft")
        parent = draft.parent.get("id") if draft is not None else None
        if draft is None or not parent:
            raise missing
        found = self.find(f"{self.record_url.rpartition('/')[0]}/{parent}")
        if found is None:
            data = {**vars(missing), "hint": "publish the draft first: records.publish(draft)"}
            raise RepositoryNotFoundError(f"{draft.id}: no version is published yet", **data)
        return found

    def find(self, url: str) -> Optional[Record]:
        """A record as it stands, or None."""
        try:
            return self.read(url)
        except NotFound:
            return None

    def post(
        self, url: str, success: Success, *, json: Any = None, idempotent: Optional[bool] = None
    ) -> Record:
        """A POST that is answered by a record."""
        how: Dict[str, Any] = {"json": json, "headers": self.headers, "idempotent": idempotent}
        answer = self.api.send("POST", url, success=success, **how)
        return answer.parse_model(Record)

    # -- publishing -------------------------------------------------------------------------------------

    def publish(self, draft: Record, submit: bool) -> Record:
        """Publish a draft, by a request where the repository wants one.

        :raises ReviewRequired: it is for somebody else to say.
        """
        kind = self.find_request_type(draft, "publish_draft")
        if kind is not None:
            return self._publish_by_request(draft, kind, submit)
        if submit and not draft.links.submit_review:
            draft = self.read(f"{self.record_url}/draft")  # it has the link since there is a review
        if submit and draft.links.submit_review:
            link = self.api.require_same_origin(draft.links.submit_review)
            review = self.api.send("POST", link, json={}, success=ACCEPTED).json(dict)
            return self._get_published_record(review, draft)
        try:
            return self._publish_directly(draft)
        except (BadRequest, Forbidden) as error:
            if not _requires_review(error):
                raise
            refused = error
        raise self._build_review_required(refused, draft)

    def _publish_directly(self, draft: Record) -> Record:
        """POST once; where the answer is lost, the draft that is still there may be published again."""
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
        raise evolve_error(lost, hint="it is not published yet: publish it again")

    def find_request_type(self, record: Record, type_id: str) -> Optional[Dict[str, Any]]:
        """The kind of request that does something, where the repository has it done by requests."""
        link = record.links.applicable_requests
        if not link:
            return None
        body = self.api.get(self.api.require_same_origin(link)).json(dict)
        hits = body.get("hits")
        found: List[Any] = (hits.get("hits") if isinstance(hits, dict) else hits) or []
        return next(
            (kind for kind in found if isinstance(kind, dict) and kind.get("type_id") == type_id), None
        )

    def _publish_by_request(self, draft: Record, request_type: Dict[str, Any], submit: bool) -> Record:
        if not submit:
            raise RepositoryReviewRequired(
                f"{draft.id} is published through a request of type publish_draft",
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
        """The published record of a request that was accepted at once."""
        status = request.get("status")
        if status != "accepted":
            raise RepositoryReviewRequired(
                f"{draft.id}: the request to publish it is {status}", hint=_WAIT_HINT, request=request
            )
        topic = _get_nested(request, "links", "topic")
        topic = topic.get("self") if isinstance(topic, dict) else topic
        found = self.find(self.record_url)
        if found is None:
            return self.read(
                self.api.require_same_origin(topic) if isinstance(topic, str) else self.record_url
            )
        return found

    def _build_review_required(self, http_error: HTTPError, draft: Record) -> ReviewRequired:
        """The refusal, with what there is of a review."""
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

    # -- what follows -----------------------------------------------------------------------------------

    def create_follow_up_draft(self, url: str, request_type: str) -> Record:
        """Begin an edit or a new version: a second time gives the same draft.

        :param request_type: of the request, where it takes one.
        """
        try:
            return self.post(url, CREATED, idempotent=True)
        except Forbidden as error:
            refused = error
        published = self.find(self.record_url)
        request = self.find_request_type(published, request_type) if published is not None else None
        if request is None:
            raise refused
        data = {**vars(refused), "hint": "open a request of that kind, .request", "request": request}
        raise RepositoryReviewRequired(refused.summary, **data)

    def import_files(self, draft_url: str) -> None:
        """Take over the files of the version before; where they are already, nothing is done.

        :param draft_url: address of the new version's draft.
        :raises Conflict: there are other files in it.
        """
        try:
            self.api.send("POST", f"{draft_url}/actions/files-import", idempotent=True, success=CREATED)
        except BadRequest as error:
            if "remove all files" not in error.message.lower():
                raise
            refused = error
        else:
            return
        have, want = (
            self._list_checksums(draft_url),
            self._list_checksums(self.api.require_same_origin(self.get_latest().links.self_)),
        )
        if have != want:
            data = {**vars(refused), "hint": "delete the draft's files first: files.delete_all(draft)"}
            raise RepositoryConflict(refused.summary, **data)

    def _list_checksums(self, record_url: str) -> Dict[str, Any]:
        body = self.api.get(f"{record_url}/files").json(dict)
        return {str(entry.get("key")): entry.get("checksum") for entry in body.get("entries") or []}


def _requires_review(error: Any) -> bool:
    words = error.message.lower()
    return not getattr(error, "errors", None) and any(word in words for word in _REVIEW_KEYWORDS)


def _get_nested(mapping: Any, *names: str) -> Any:
    for name in names:
        mapping = mapping.get(name) if isinstance(mapping, Mapping) else None
    return mapping
