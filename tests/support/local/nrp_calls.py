"""Calls to a local repository: sockets, JSON and a token, nothing else."""

import json
from typing import Any, Dict, Iterator, List, Optional, Tuple
from urllib.parse import urlsplit

import pytest

from smartxfer.local import LocalServer
from tests.support.local import bare_client
from tests.support.local.bare_client import Reply

__all__ = ["COMPLETE", "Api", "Reply", "fields", "ids", "repository"]

#: Metadata that can be published.
COMPLETE: Dict[str, Any] = {
    "title": "Loopback one",
    "resource_type": {"id": "dataset"},
    "publication_date": "2024-01-01",
    "publisher": "ACME",
    "creators": [{"person_or_org": {"type": "personal", "family_name": "Doe", "given_name": "Jo"}}],
}


def repository(**options: Any) -> Any:
    """Return a fixture: a local repository for the tests of a module, without rate limits unless given."""

    @pytest.fixture(scope="module")
    def running() -> Iterator[LocalServer]:
        with LocalServer(services=["nrp"], nrp={"rate_limit": 0, "rate_limit_guest": 0, **options}) as server:
            yield server
            assert server.nrp.listener.crashes == []

    return running


class Api:
    """Calls below ``/api``.

    :param service: the local repository.
    :param token: whose calls these are; None: the first user's; empty: a guest's.
    :param records: path of the records.
    """

    def __init__(self, service: Any, token: Optional[str] = None, records: str = "records") -> None:
        self.service = service
        self.url: str = service.url
        self.records = records
        self.token: str = service.token if token is None else token

    def call(
        self, method: str, path: str, value: Any = None, headers: Optional[Dict[str, str]] = None
    ) -> Reply:
        """One call; ``value`` is sent as JSON, bytes as they are; a link of an answer may stand for the path."""
        sent = {"Authorization": "Bearer " + self.token} if self.token else {}
        body = value
        if value is not None and not isinstance(value, bytes):
            body = json.dumps(value).encode()
            sent["Content-Type"] = "application/json"
        target = path if path.startswith("/") else self.path(path)
        return bare_client.request(self.url, method, target, body, {**sent, **(headers or {})})

    def path(self, link: str) -> str:
        """A link without the address of the service, which it has; other words go below ``/api``."""
        if "://" not in link:
            return "/api/" + link
        parts = urlsplit(link)
        assert f"{parts.scheme}://{parts.netloc}" == self.url, link
        return parts.path + (f"?{parts.query}" if parts.query else "")

    def ok(self, method: str, path: str, value: Any = None, **headers: str) -> Any:
        """The JSON of a call that succeeds."""
        named = {name.replace("_", "-"): text for name, text in headers.items()}
        reply = self.call(method, path, value, named)
        assert 200 <= reply.status < 300, (reply.status, reply.body)
        return reply.json() if reply.body else None

    def refused(self, method: str, path: str, value: Any = None, **headers: str) -> Tuple[int, str]:
        """Status and message of a call that fails."""
        named = {name.replace("_", "-"): text for name, text in headers.items()}
        reply = self.call(method, path, value, named)
        assert reply.status >= 400, (reply.status, reply.body)
        body = reply.json()
        assert body["status"] == reply.status
        return reply.status, body["message"]

    def draft(self, metadata: Optional[Dict[str, Any]] = None, **members: Any) -> Any:
        """A new draft, complete unless other metadata are given."""
        return self.ok(
            "POST", self.records, {"metadata": COMPLETE if metadata is None else metadata, **members}
        )

    def published(self, data: bytes = b"hello world", **members: Any) -> Any:
        """A new published record with one file, ``a.txt``."""
        draft = self.draft(**members)
        self.service.write(draft["id"], "a.txt", data)
        return self.ok("POST", draft["links"]["publish"])


def fields(errors: List[Dict[str, Any]]) -> Dict[str, List[str]]:
    """Messages by field."""
    return {error["field"]: error["messages"] for error in errors}


def ids(found: Any) -> List[str]:
    """Ids of the hits of a page."""
    return [hit["id"] for hit in found["hits"]["hits"]]
