"""Calls to the files of a local repository: sockets, JSON and a token, nothing else."""

import json
import threading
from typing import Any, Callable, Dict, List, Optional
from urllib.parse import quote, urlsplit

from tests.support.local import bare_client
from tests.support.local.bare_client import Reply

__all__ = ["Draft", "Reply", "path_of", "place", "until"]


class Draft:
    """The file list of one record.

    :param service: the local repository.
    :param id: the record; None makes a new draft.
    :param token: whose calls these are; None: the first user's.
    :param published: whether the calls go to the published record.
    """

    def __init__(
        self, service: Any, id: Optional[str] = None, token: Optional[str] = None, *, published: bool = False
    ) -> None:
        self.service = service
        self.id: str = service.create({}) if id is None else id
        self.token: str = service.token if token is None else token
        self.root = f"/api/records/{self.id}" + ("" if published else "/draft")

    def call(
        self, method: str, tail: str = "", body: Any = None, headers: Optional[Dict[str, str]] = None
    ) -> Reply:
        """One call; ``tail`` is what follows ``files``, encoded already."""
        sent = {"Authorization": "Bearer " + self.token} if self.token else {}
        return bare_client.request(
            self.service.url, method, f"{self.root}/files{tail}", body, {**sent, **(headers or {})}
        )

    def json(self, method: str, tail: str, value: Any) -> Reply:
        return self.call(method, tail, json.dumps(value).encode(), {"Content-Type": "application/json"})

    def start(self, *files: Dict[str, Any]) -> Reply:
        return self.json("POST", "", list(files))

    def started(self, key: str, **values: Any) -> Any:
        """Announce one file; its entry."""
        reply = self.start({"key": key, **values})
        assert reply.status == 201, reply.body
        return next(entry for entry in reply.json()["entries"] if entry["key"] == key)

    def entry(self, key: str) -> Any:
        reply = self.call("GET", place(key))
        assert reply.status == 200, reply.body
        return reply.json()

    def put(self, key: str, data: Any, **headers: str) -> Reply:
        kinds = {name.replace("_", "-"): value for name, value in headers.items()}
        kinds.setdefault("Content-Type", "application/octet-stream")
        return self.call("PUT", place(key) + "/content", data, kinds)

    def part(self, key: str, part: int, data: Any) -> Reply:
        return self.call("PUT", f"{place(key)}/content/{part}", data)

    def commit(self, key: str) -> Reply:
        return self.call("POST", place(key) + "/commit")

    def get(self, key: str, **headers: str) -> Reply:
        kinds = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.call("GET", place(key) + "/content", None, kinds)

    def sent(self, key: str, data: bytes, **values: Any) -> Any:
        """A whole file; the entry of its commit."""
        self.started(key, **values)
        assert self.put(key, data).status == 200
        reply = self.commit(key)
        assert reply.status == 200, reply.body
        return reply.json()

    def keys(self) -> List[str]:
        return [entry["key"] for entry in self.call("GET").json()["entries"]]


def place(key: str) -> str:
    """Path of a key behind ``files``."""
    return "/" + quote(key)


def path_of(service: Any, url: str) -> str:
    """A link without the address of the service, which it has."""
    origin = "{0.scheme}://{0.netloc}".format(urlsplit(service.url))
    assert url.startswith(origin + "/"), url
    return url[len(origin) :]


def until(look: Callable[[], Any], wanted: Callable[[Any], bool]) -> Any:
    """Poll a condition for at most 10 seconds; return what it saw."""
    pause = threading.Event()
    for _ in range(1000):
        seen = look()
        if wanted(seen):
            return seen
        pause.wait(0.01)
    raise AssertionError(seen)
