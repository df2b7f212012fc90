"""Calls to a local SmartFile as its ready-made user: sockets, forms and credentials, nothing else."""

import base64
from typing import Any, Dict, Optional, Sequence, Tuple, Union
from urllib.parse import quote, urlencode

import pytest

from smartxfer.local import LocalServer
from tests.support.local import bare_client
from tests.support.local.bare_client import Reply

__all__ = ["Api", "Reply", "basic", "client", "multipart"]

Values = Dict[str, Union[str, Sequence[str]]]


def basic(user: str, password: str) -> Dict[str, str]:
    """The header of Basic credentials."""
    pair = f"{user}:{password}".encode()
    return {"Authorization": "Basic " + base64.b64encode(pair).decode("ascii")}


def multipart(*parts: Tuple[str, Optional[str], bytes]) -> Tuple[bytes, Dict[str, str]]:
    """A form with files: (field, file name or None, bytes) each.

    :return: the body and its header.
    """
    pieces = []
    for field, filename, data in parts:
        naming = f'; filename="{filename}"' if filename is not None else ""
        pieces.append(f'--b1\r\nContent-Disposition: form-data; name="{field}"{naming}\r\n\r\n'.encode())
        pieces.append(data + b"\r\n")
    return b"".join(pieces) + b"--b1--\r\n", {"Content-Type": "multipart/form-data; boundary=b1"}


class Api:
    """Calls below ``api/2/`` (or another version) with Basic credentials.

    :param service: the local SmartFile.
    """

    def __init__(self, service: Any, version: str = "2") -> None:
        self.service = service
        self.url: str = service.url
        self.version = version
        self.headers = basic(service.backend.key, service.backend.password)

    def call(
        self,
        method: str,
        endpoint: str,
        id: str = "",
        *,
        query: Optional[Values] = None,
        form: Optional[Values] = None,
        body: Any = None,
        headers: Optional[Dict[str, str]] = None,
    ) -> Reply:
        """One call; ``headers`` come before the credentials and may replace them."""
        target = f"/api/{self.version}/{endpoint}/" + quote(id.strip("/"), safe="/")
        target = target.rstrip("/") + "/"
        if query:
            target += "?" + urlencode(query, doseq=True)
        sent = {**self.headers, **(headers or {})}
        if form is not None:
            body = urlencode(form, doseq=True).encode("ascii")
            sent["Content-Type"] = "application/x-www-form-urlencoded"
        return bare_client.request(self.url, method, target, body, sent)

    def get(self, endpoint: str, id: str = "", **query: Any) -> Reply:
        return self.call("GET", endpoint, id, query=query)

    def post(self, endpoint: str, id: str = "", **form: Any) -> Reply:
        return self.call("POST", endpoint, id, form=form)

    def put(self, endpoint: str, id: str = "", **form: Any) -> Reply:
        return self.call("PUT", endpoint, id, form=form)

    def delete(self, endpoint: str, id: str = "") -> Reply:
        return self.call("DELETE", endpoint, id)

    def upload(self, directory: str, name: str, data: bytes) -> Reply:
        """Upload by form."""
        body, headers = multipart(("file", name, data))
        reply = self.call("POST", "path/data", directory, body=body, headers=headers)
        assert reply.status in (200, 201), reply.body
        return reply

    def mkdir(self, path: str) -> None:
        reply = self.post("path/oper/mkdir", path=path)
        assert reply.status == 200, reply.body

    def data(self, path: str) -> bytes:
        """The bytes of a file."""
        reply = self.get("path/data", path)
        assert reply.status == 200, reply.body
        return reply.body


def client() -> Any:
    """Return a fixture: calls of the first user of a new server."""

    @pytest.fixture
    def api(server: LocalServer) -> Api:
        return Api(server.smartfile)

    return api
