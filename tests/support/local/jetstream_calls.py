"""Calls to a local JetStream: HTTP and JSON-RPC, nothing else."""

import json
from typing import Any, Dict, Iterator, List, Optional

from smartxfer.local import LocalServer
from smartxfer.local.jetstream import JetStream
from tests.support.local import bare_client as wire

__all__ = ["Api", "Refused", "Users", "names", "send", "two_servers", "until"]

#: Users of the servers in these tests; ann may be superuser.
Users: Dict[str, Optional[str]] = {"ann": "a-secret", "bob": "b-secret", "eve": "e-secret"}


def two_servers() -> Iterator[LocalServer]:
    """A running server; a bug of it, which shows as a 500, fails."""
    sender = {"users": Users, "groups": {"staff": ["eve"]}}
    with LocalServer(
        services=["jetstream", "jetstream_peer"], jetstream=sender, jetstream_peer={"users": Users}
    ) as server:
        yield server
        assert server.jetstream.listener.crashes == []
        assert server.jetstream_peer.listener.crashes == []


class Refused(Exception):
    """The error of a call."""

    def __init__(self, error: Dict[str, Any]) -> None:
        super().__init__(error)
        self.kind = error["data"]["type"]
        self.code = error["code"]
        self.message = error["message"]


class Api:
    """One session."""

    def __init__(self, service: JetStream, user: str = "", *rights: str) -> None:
        self.service = service
        self.cookie: Optional[str] = None
        self.number = 0
        if user:
            self("auth", user=user, password=Users[user])
        for right in rights:
            self(right)

    def __call__(self, method: str, **params: Any) -> Any:
        return self.raw(method, params)

    def raw(self, method: str, params: Dict[str, Any], id: Any = None) -> Any:
        self.number += 1
        body = {"jsonrpc": "2.0", "id": self.number if id is None else id, "method": method, "params": params}
        headers = {"Content-Type": "application/json"}
        if self.cookie:
            headers["Cookie"] = self.cookie
        answer = wire.request(self.service.url, "POST", "/jsonrpc", json.dumps(body), headers)
        assert answer.status == 200, answer.body
        given = answer.headers["Set-Cookie"]
        if given:
            self.cookie = given.partition(";")[0]
        reply = answer.json()
        assert reply["id"] == body["id"]
        if "error" in reply:
            raise Refused(reply["error"])
        return reply["result"]

    def later(self, method: str, **params: Any) -> Any:
        """Return the result of an asynchronous method."""
        return self("getRequestResult", requestId=self.raw(method + "Async", params)["requestId"])

    def kind(self, method: str, **params: Any) -> str:
        """The type of the error that a call ends with."""
        try:
            self.raw(method, params)
        except Refused as refused:
            return str(refused.kind)
        return ""

    def later_kind(self, method: str, **params: Any) -> str:
        """The type of the error that the request of an asynchronous method ends with."""
        id = self.raw(method + "Async", params)["requestId"]
        return self.kind("getRequestResult", requestId=id)

    def manifest(self, **mappings: str) -> Any:
        return self.manifest_of(mappings)

    def manifest_of(self, mappings: Dict[str, str]) -> Any:
        made = self("send.createManifest", mappings=mappings)
        return self("send.waitForManifest", manifestId=made["manifestId"])

    def destination(self, service: JetStream) -> str:
        made = self("send.createDestination", destinationAddress="localhost", destinationPort=service.port)
        return str(made["destinationId"])


def send(api: Api, server: LocalServer, mappings: Dict[str, str], **more: Any) -> str:
    """Begin a transfer to the peer."""
    manifest = api.manifest_of(mappings)
    assert manifest["status"] == "complete", manifest
    to = api.destination(server.jetstream_peer)
    made = api("send.createTransfer", destinationId=to, manifestId=manifest["manifestId"], **more)
    assert (made["status"], made["processing"]) == ("pending", True)
    return str(made["transferId"])


def until(api: Api, transfer: str, *statuses: str) -> Any:
    """The transfer once it is in one of some states, or has ended, by long polls."""
    while True:
        shown = api("send.waitForTransfer", transferId=transfer, timeoutSeconds=0.02)
        if shown["status"] in statuses or not shown["processing"]:
            assert shown["status"] in statuses, shown
            return shown


def names(entries: List[Dict[str, Any]]) -> List[str]:
    return [entry["path"] for entry in entries]
