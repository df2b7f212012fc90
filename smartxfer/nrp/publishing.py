"""Publishing, new versions and retracting: what makes a draft public, and what follows it.

Source: NRP / Invenio protocol, sections 3 (Safety of repeating) and 4 (Publishing through requests).
"""

from typing import Any, Dict, List, Mapping, Optional

import attrs

from smartxfer.error_values import evolve
from smartxfer.errors import (
    BadRequest,
    ClientError,
    Forbidden,
    HTTPError,
    NotFound,
    OutcomeUnknown,
    ReviewRequired,
)
from smartxfer.nrp.calls import Calls
from smartxfer.nrp.errors import RepositoryConflict, RepositoryNotFoundError, RepositoryReviewRequired
from smartxfer.nrp.record_models import Record
from smartxfer.nrp.statuses import ACCEPTED, CREATED
from smartxfer.transport import Success

__all__ = ["Publisher"]

#: Words of a refusal without fields that somebody's consent is missing.
_CONSENT = ("review", "request", "communit")
_OPEN = "open and submit it in the browser, or by publish(record, submit=True)"
_WAIT = "it is published once that is accepted"
_NONE = "PUT the community to the draft's links.review, or make the draft with community="


@attrs.frozen
class Publisher:
    """What is done with one record beyond its metadata.

    :param base: address of the record, without ``/draft``.
    :param headers: of every call that is answered by a record.
    """

    calls: Calls
    base: str
    headers: Mapping[str, str]

    def record(self, url: str) -> Record:
        """A record as it stands."""
        record = self.calls.get(url, headers=self.headers).made(Record)
        token = self.calls.shared.token_of(url)
        if token is not None:  # a link is good for all versions
            self.calls.shared.keep(token, [record.id, record.parent.get("id")])
        return record

    def newest(self) -> Record:
        """Return the newest published version; also for a draft, which is not one of the versions yet.

        :raises NotFound: no version is published.

        Source: NRP / Invenio protocol, section 9.
        """
        try:
            return self.record(f"{self.base}/versions/latest")
        except NotFound as error:
            missing = error
        draft = self.find(f"{self.base}/draft")
        parent = draft.parent.get("id") if draft is not None else None
        if draft is None or not parent:
            raise missing
        found = self.find(f"{self.base.rpartition('/')[0]}/{parent}")
        if found is None:
            data = {**vars(missing), "hint": "publish the draft first: records.publish(draft)"}
            raise RepositoryNotFoundError(f"{draft.id}: no version is published yet", **data)
        return found

    def find(self, url: str) -> Optional[Record]:
        """A record as it stands, or None."""
        try:
            return self.record(url)
        except NotFound:
            return None

    def post(
        self, url: str, success: Success, *, json: Any = None, idempotent: Optional[bool] = None
    ) -> Record:
        """A POST that is answered by a record."""
        how: Dict[str, Any] = {"json": json, "headers": self.headers, "idempotent": idempotent}
        answer = self.calls.send("POST", url, success=success, **how)
        return answer.made(Record)

    # -- publishing -------------------------------------------------------------------------------------

    def publish(self, draft: Record, submit: bool) -> Record:
        """Publish a draft, by a request where the repository wants one.

        :raises ReviewRequired: it is for somebody else to say.
        """
        kind = self.request_type(draft, "publish_draft")
        if kind is not None:
            return self._through_request(draft, kind, submit)
        if submit and not draft.links.submit_review:
            draft = self.record(f"{self.base}/draft")  # it has the link since there is a review
        if submit and draft.links.submit_review:
            link = self.calls.own(draft.links.submit_review)
            review = self.calls.send("POST", link, json={}, success=ACCEPTED).json(dict)
            return self._settled(review, draft)
        try:
            return self._publish(draft)
        except (BadRequest, Forbidden) as error:
            if not _wants_consent(error):
                raise
            refused = error
        raise self._review_required(refused, draft)

    def _publish(self, draft: Record) -> Record:
        """POST once; where the answer is lost, the draft that is still there may be published again."""
        url = self.calls.own(draft.links.publish or f"{self.base}/draft/actions/publish")
        lost: Optional[OutcomeUnknown] = None
        for _ in range(self.calls.wire.policy.attempts):
            try:
                return self.post(url, ACCEPTED, json={})
            except OutcomeUnknown as error:
                lost = error
            except NotFound:
                if lost is None:
                    raise
            if self.find(f"{self.base}/draft") is None:
                published = self.find(self.base)
                if published is not None:
                    return published
        assert lost is not None
        raise evolve(lost, hint="it is not published yet: publish it again")

    def request_type(self, record: Record, name: str) -> Optional[Dict[str, Any]]:
        """The kind of request that does something, where the repository has it done by requests."""
        link = record.links.applicable_requests
        if not link:
            return None
        body = self.calls.get(self.calls.own(link)).json(dict)
        hits = body.get("hits")
        found: List[Any] = (hits.get("hits") if isinstance(hits, dict) else hits) or []
        return next((kind for kind in found if isinstance(kind, dict) and kind.get("type_id") == name), None)

    def _through_request(self, draft: Record, kind: Dict[str, Any], submit: bool) -> Record:
        if not submit:
            raise RepositoryReviewRequired(
                f"{draft.id} is published through a request of type publish_draft", hint=_OPEN, request=kind
            )
        request = self.calls.send("POST", self._action(kind, "create"), json={}).json(dict)
        if request.get("status") == "created":
            request = self.calls.send("POST", self._action(request, "submit"), json={}).json(dict)
        return self._settled(request, draft)

    def _action(self, thing: Mapping[str, Any], name: str) -> str:
        link = _deep(thing, "links", "actions", name)
        if not isinstance(link, str):
            raise RepositoryReviewRequired(f"the request has no link to {name} it", hint=_OPEN, request=thing)
        return self.calls.own(link)

    def _settled(self, request: Dict[str, Any], draft: Record) -> Record:
        """The published record of a request that was accepted at once."""
        status = request.get("status")
        if status != "accepted":
            raise RepositoryReviewRequired(
                f"{draft.id}: the request to publish it is {status}", hint=_WAIT, request=request
            )
        topic = _deep(request, "links", "topic")
        topic = topic.get("self") if isinstance(topic, dict) else topic
        found = self.find(self.base)
        if found is None:
            return self.record(self.calls.own(topic) if isinstance(topic, str) else self.base)
        return found

    def _review_required(self, refused: HTTPError, draft: Record) -> ReviewRequired:
        """The refusal, with what there is of a review."""
        review = None
        if draft.links.review:
            try:
                review = self.calls.get(self.calls.own(draft.links.review)).json(dict)
            except ClientError:
                review = None
        hint = _NONE
        if review is not None:
            hint = _WAIT if review.get("status") == "submitted" else _OPEN
        data = {**vars(refused), "hint": hint, "request": review}
        return RepositoryReviewRequired(refused.summary, **data)

    # -- what follows -----------------------------------------------------------------------------------

    def follow_up(self, url: str, kind: str) -> Record:
        """Begin an edit or a new version: a second time gives the same draft.

        :param kind: of the request, where it takes one.
        """
        try:
            return self.post(url, CREATED, idempotent=True)
        except Forbidden as error:
            refused = error
        published = self.find(self.base)
        request = self.request_type(published, kind) if published is not None else None
        if request is None:
            raise refused
        data = {**vars(refused), "hint": "open a request of that kind, .request", "request": request}
        raise RepositoryReviewRequired(refused.summary, **data)

    def import_files(self, draft: str) -> None:
        """Take over the files of the version before; where they are already, nothing is done.

        :param draft: address of the new version's draft.
        :raises Conflict: there are other files in it.
        """
        try:
            self.calls.send("POST", f"{draft}/actions/files-import", idempotent=True, success=CREATED)
        except BadRequest as error:
            if "remove all files" not in error.message.lower():
                raise
            refused = error
        else:
            return
        have, want = self._files(draft), self._files(self.calls.own(self.newest().links.self_))
        if have != want:
            data = {**vars(refused), "hint": "delete the draft's files first: files.delete_all(draft)"}
            raise RepositoryConflict(refused.summary, **data)

    def _files(self, record: str) -> Dict[str, Any]:
        body = self.calls.get(f"{record}/files").json(dict)
        return {str(entry.get("key")): entry.get("checksum") for entry in body.get("entries") or []}


def _wants_consent(error: Any) -> bool:
    words = error.message.lower()
    return not getattr(error, "errors", None) and any(word in words for word in _CONSENT)


def _deep(thing: Any, *names: str) -> Any:
    for name in names:
        thing = thing.get(name) if isinstance(thing, Mapping) else None
    return thing
