"""A running InvenioRDM as the tests see it: drafts, files and links made by plain requests, not by our client."""

from __future__ import annotations

import threading
import time
from typing import Any, Dict, List, Mapping, Optional
from urllib.parse import quote, urlsplit

import pytest
import requests

from tests.support.raw_server import Peer, RawServer

METADATA: Dict[str, Any] = {
    "title": "A record of a test",
    "creators": [{"person_or_org": {"type": "personal", "family_name": "Doe", "given_name": "Jo"}}],
    "publication_date": "2026-11-20",
    "publisher": "Example University",
    "resource_type": {"id": "dataset"},
}
_ANSWERS = {"413": 413, "503": 503, "unsent": 504}
OCTETS = {"Content-Type": "application/octet-stream"}


class Ids:
    """Ids of records that answer at an address."""

    def __init__(self, repository: RealRepository, ending: str) -> None:
        self._repository, self._ending = repository, ending

    def __contains__(self, record: object) -> bool:
        path = f"records/{record}{self._ending}"
        return bool(self._repository.call("GET", path, status=None).status_code == 200)


class RealRepository:
    """Requests of the tests themselves, without the client under test.

    :param url: scheme, host and port.
    :param token: of a plain user.
    :param superuser_token: of a user who may have files fetched, or "".
    """

    def __init__(self, url: str, token: str, superuser_token: str) -> None:
        self.url, self.token, self.superuser_token = url.rstrip("/"), token, superuser_token
        self.api = f"{self.url}/api"

    def call(
        self, method: str, path: str, status: Optional[int] = 200, user: Optional[str] = "", **how: Any
    ) -> requests.Response:
        """Make one request; ``user`` None is a guest, ``"root"`` the superuser."""
        token = {"": self.token, "root": self.superuser_token}.get(user or "") if user is not None else None
        headers = {**({"Authorization": f"Bearer {token}"} if token else {}), **how.pop("headers", {})}
        while True:
            answer = requests.request(method, f"{self.api}/{path}", headers=headers, timeout=60, **how)
            if answer.status_code != 429:
                break
            time.sleep(max(1.0, float(answer.headers.get("Retry-After", "1"))))
        assert status in (None, answer.status_code), (method, path, answer.status_code, answer.text[:300])
        return answer

    def create(
        self,
        files: Optional[Mapping[str, bytes]] = None,
        *,
        published: bool = False,
        metadata: Optional[Mapping[str, Any]] = None,
        user: str = "",
        **document: Any,
    ) -> str:
        """Make a draft with files; its id."""
        body = {"metadata": {**METADATA, **(metadata or {})}, "files": {"enabled": True}, **document}
        made: str = self.call("POST", "records", 201, user, json=body).json()["id"]
        for key, data in (files or {}).items():
            self.write(made, key, data)
        if published:
            self.publish(made)
        return made

    def publish(self, record: str) -> None:
        """Publish a draft."""
        self.call("POST", f"records/{record}/draft/actions/publish", 202)

    def write(self, record: str, key: str, data: bytes, metadata: Optional[Mapping[str, Any]] = None) -> None:
        """Send a file to a draft."""
        files, name = f"records/{record}/draft/files", quote(key)
        self.call("POST", files, 201, json=[{"key": key, **({"metadata": metadata} if metadata else {})}])
        self.call("PUT", f"{files}/{name}/content", data=data, headers=OCTETS)
        self.call("POST", f"{files}/{name}/commit")

    def _files(self, record: str) -> str:
        path = f"records/{record}/draft/files"
        return path if self.call("GET", path, None).status_code == 200 else f"records/{record}/files"

    def entries(self, record: str) -> List[Any]:
        """Return the file entries of the repository."""
        found: List[Any] = self.call("GET", self._files(record)).json().get("entries") or []
        return found

    def files(self, record: str) -> Dict[str, int]:
        """Key and size of the files that are complete."""
        return {entry["key"]: entry["size"] for entry in self.entries(record) if entry["status"] == "completed"}

    def read(self, record: str, key: str) -> bytes:
        """The bytes of a file."""
        return self.call("GET", f"{self._files(record)}/{quote(key)}/content").content

    def concept(self, record: str) -> str:
        """The id of all versions of a record."""
        found: str = self.call("GET", f"records/{record}").json()["parent"]["id"]
        return found

    def share(self, record: str, permission: str = "view") -> str:
        """The token of a new share link."""
        path = f"records/{record}/access/links"
        made: str = self.call("POST", path, 201, json={"permission": permission}).json()["token"]
        return made

    def published(self) -> Ids:
        """Records that are published."""
        return Ids(self, "")

    def drafts(self) -> Ids:
        """Records that have a draft."""
        return Ids(self, "/draft")

    def configure(self, **options: Any) -> None:
        """Refuse: a real repository is not configured by a test."""
        pytest.skip(f"sets {', '.join(options)} of the local server")

    @property
    def requests(self) -> List[Any]:
        """Refuse: a real repository has no account of its requests."""
        return pytest.skip("counts requests of the local server")


class Gateway(RawServer):
    """A gateway before a repository that fails as gateways do; addresses in answers lead to it.

    :param spoil: method and end of a path to what is done with such requests, each time: ``"504"`` does the work
        and says 504, ``"lose"`` does the work and closes, ``"flip"`` changes the last byte of the body on its
        way, ``"413"``, ``"503"`` and ``"unsent"`` (which says 504) answer without a word to the repository.
    """

    def __init__(self, repository: RealRepository, spoil: Dict[str, List[str]]) -> None:
        super().__init__(self._forward)
        self._behind = repository.url
        self._spoil = spoil
        self._guard = threading.Lock()
        #: Method and path of each request, and what became of it.
        self.seen: List[str] = []

    def count(self, method: str, ending: str) -> int:
        """Return the number of such requests."""
        return sum(one.startswith(f"{method} ") and one.split(" ")[1].endswith(ending) for one in self.seen)

    def _effect(self, method: str, path: str) -> str:
        with self._guard:
            for what, effects in self._spoil.items():
                if effects and method == what.split(" ")[0] and path.endswith(what.split(" ")[1]):
                    return effects.pop(0)
        return ""

    def _forward(self, peer: Peer) -> None:
        while True:
            request = peer.request()
            if request is None:
                return
            effect = self._effect(request.method, request.path)
            self.seen.append(f"{request.method} {request.path} {effect}")
            if effect in _ANSWERS:
                peer.send(f"HTTP/1.1 {_ANSWERS[effect]} No\r\nContent-Length: 0\r\n\r\n".encode())
                continue
            body = request.body[:-1] + bytes([request.body[-1] ^ 1]) if effect == "flip" else request.body
            headers = {name: value for name, value in request.headers.items() if name not in ("host", "connection")}
            answer = requests.request(
                request.method,
                f"{self._behind}{request.target}",
                headers=headers,
                data=body or None,
                allow_redirects=False,
                timeout=60,
            )
            if effect == "lose":
                return
            peer.send(self._answer(answer, effect))

    def _answer(self, answer: requests.Response, effect: str) -> bytes:
        if effect == "504":
            return b"HTTP/1.1 504 Gateway Timeout\r\nContent-Length: 0\r\n\r\n"
        body = answer.content
        if "json" in answer.headers.get("Content-Type", ""):
            body = body.replace(self._behind.encode(), f"http://127.0.0.1:{self.port}".encode())
        dropped = ("content-length", "connection", "transfer-encoding", "content-encoding")
        head = "".join(f"{name}: {value}\r\n" for name, value in answer.headers.items() if name.lower() not in dropped)
        head = head.replace(self._behind, f"http://127.0.0.1:{self.port}")
        status = f"HTTP/1.1 {answer.status_code} {answer.reason}\r\n{head}Content-Length: {len(body)}\r\n\r\n"
        return status.encode("latin-1") + body


def host_of(url: str) -> str:
    """Host and port of an address."""
    return urlsplit(url).netloc
