"""A package of the vendor's name with the documented names and signatures, and nothing behind them but dicts.

What a page documents is here as it is there: classes, methods, keywords, what blocks.  Parameters whose keyword no page has
are positional only in effect (their names here are not the wire's).  The rest is a guess like any other: what the exceptions
are called, and that structures are objects that read like mappings.
"""
# ruff: noqa: N815 - the vendor's names

import os
import threading
import time
from collections.abc import Mapping
from typing import Any, Dict, Iterator, List, Optional

__all__ = ["JetStream", "JetStreamError"]


class JetStreamError(Exception):
    """Something that the server turned down."""


class Structure(Mapping):  # type: ignore[type-arg]
    """A mapping that is not a dict."""

    def __init__(self, **fields: Any) -> None:
        self._fields = fields

    def __getitem__(self, name: str) -> Any:
        return self._fields[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._fields)


class Request:
    """The structure of a request, as an object with attributes."""

    def __init__(self, number: int) -> None:
        self.requestId = number


#: Seconds until a manifest, a transfer or a request is done.
DELAY = float(os.environ.get("STAND_IN_DELAY", "0"))
#: Whether the server answers anything at all.
REACHABLE = threading.Event()
REACHABLE.set()
#: Every interface that was made, in order.
INTERFACES: List["APIInterface"] = []


def _id(thing: Any, name: str) -> Any:
    return getattr(thing, name, None) or (thing[name] if isinstance(thing, Mapping) else thing)


class JetStream:
    def api(self, address: str = "localhost", port: int = 8886) -> "APIInterface":
        made = APIInterface(address, port)
        INTERFACES.append(made)
        return made


class APIInterface:
    def __init__(self, address: str, port: int) -> None:
        self.address, self.port = address, port
        self.connected = False
        self.user: Optional[str] = None
        #: Methods that were called, in order.
        self.called: List[str] = []
        self.at_once = 0
        self.server = ServerInterface(self)
        self.send = SendInterface(self)
        self.recv = RecvInterface(self)

    def connect(self) -> None:
        if not REACHABLE.is_set() or self.address == "nowhere":
            raise JetStreamError(f"cannot connect to {self.address}:{self.port}")
        self.connected = True

    def __enter__(self) -> "APIInterface":
        self.connect()
        return self

    def __exit__(self, *exception: object) -> None:
        self.connected = False


EARLY = ("auth", "authAsync", "authToken", "getServerInfo", "echo", "getRequestStatus", "getRequestResult")
#: Documented methods that only return how they were called.  ``send.suspendTransfer`` is not documented.
RECORDED_METHODS = {
    "ServerInterface": """wrangler getEventLog getThirdPartyLicenses lsListAsync lsRootsAsync duAsync mkdirAsync mkFileAsync
        rmAsync getAPIToken getAPITokens deleteAPIToken setSandboxMapping getSandboxMappings deleteSandboxMapping
        addWranglerAsync getWranglers updateBandwidthLimits setLicenseKeyAsync sendDiscoverPacketAsync
        recvDiscoverPacketAsync garbageCollect terminate""",
    "SendInterface": """getManifestFiles getDestination getDestinations deleteDestination getConnection getConnections
        getTransfers resumeTransfer deleteTransfer getSharedToken getSharedTokens deleteSharedToken
        updateObjectUserData deleteObjectUserData setSendRateAsync""",
    "RecvInterface": "removeAuthorizedClientAsync allowOnlyAuthorizedClientsAsync getTransfersAsync",
}


class _Part:
    """A part of the interface that notices when two calls come at once."""

    def __getattr__(self, name: str) -> Any:
        if name not in RECORDED_METHODS[type(self).__name__].split():
            raise AttributeError(name)
        return lambda *args, **keywords: {"name": name, "args": args, "keywords": keywords}

    def __init__(self, api: APIInterface) -> None:
        self._api = api

    def __getattribute__(self, name: str) -> Any:
        if name.startswith("_"):
            return object.__getattribute__(self, name)
        recorded = RECORDED_METHODS[type(self).__name__].split()
        found = _Part.__getattr__(self, name) if name in recorded else object.__getattribute__(self, name)
        api = self._api

        def called(*args: Any, **keywords: Any) -> Any:
            assert api.at_once == 0, "two calls at once"
            api.at_once += 1
            try:
                if not REACHABLE.is_set():
                    api.connected = False  # and it stays so: another one has to be made
                if not api.connected:
                    raise JetStreamError("connection lost")
                if api.user is None and name not in EARLY:
                    raise JetStreamError("authentication required")
                api.called.append(name)
                return found(*args, **keywords)
            finally:
                api.at_once -= 1

        return called


class ServerInterface(_Part):
    def __init__(self, api: APIInterface) -> None:
        super().__init__(api)
        self._results: Dict[int, Any] = {}

    def _request(self, result: Any) -> Request:
        number = len(self._results) + 1
        self._results[number] = (time.monotonic() + DELAY, result)
        return Request(number)

    def auth(self, name: str, secret: str, /) -> None:
        if (name, secret) != ("ann", "s3cret"):
            raise JetStreamError(f"wrong login: {name}, {secret}")
        self._api.user = name

    def authAsync(self, name: str, secret: str, /) -> Request:
        return self._request(lambda: self.__class__.auth(self, name, secret))

    def authToken(self, shared: str, phrase: Optional[str] = None, /) -> None:
        if shared != "ONE.TWO.THREE" or phrase not in (None, "pass"):
            raise JetStreamError(f"no such token: {shared}")
        self._api.user = ""

    def superuser(self) -> None:
        raise JetStreamError("not allowed")

    def getServerInfo(self) -> Structure:
        return Structure(serverName="stand-in", apiVersion=44, authRequired=True, apiControlPort=self._api.port)

    def getRequestStatus(self, requestId: Any) -> Structure:
        number = _id(requestId, "requestId")
        ready_at, _ = self._results[number]
        processing = time.monotonic() < ready_at
        status = "pending" if processing else "complete"
        return Structure(errorMessage="", processing=processing, status=status)

    def getRequestResult(self, requestId: Any) -> Any:
        ready_at, result = self._results[_id(requestId, "requestId")]
        time.sleep(max(0.0, ready_at - time.monotonic()))
        return result() if callable(result) else result

    def echo(self, words: str = "", /) -> str:
        return words

    def sleep(self, duration: int, /) -> None:
        time.sleep(duration / 1000)

    def lsAsync(self, where: Any, /) -> Request:
        return self._request([{"name": "a.txt", "path": f"{where}/a.txt"}])

    def mvAsync(self, old: str, new: str, /) -> Request:
        return self._request({"moved": [old, new]})

    def createAPIToken(self, *, description: str = "", path: Optional[str] = None) -> Structure:
        return Structure(token="API.TOKEN", description=description, path=path)

    def deleteWrangler(self, *, user: str) -> None:
        raise RuntimeError(f"Traceback (most recent call last):\n  File 'x.py'\nKeyError: no wrangler {user}")


class SendInterface(_Part):
    def __init__(self, api: APIInterface) -> None:
        super().__init__(api)
        self._manifests: Dict[str, Any] = {}
        self._transfers: Dict[str, Any] = {}

    def _shown(self, kind: str, key: str, entry: Any) -> Structure:
        ready_at, fields = entry
        processing = time.monotonic() < ready_at
        status = "pending" if processing else "complete"
        return Structure(**{kind: key, "processing": processing, "status": status}, **fields)

    def createManifest(self, mappings: Dict[str, str], userData: Optional[Dict[str, Any]] = None) -> Structure:
        key = str(2 + len(self._manifests))
        fields = {"totalFiles": len(mappings), "userData": userData or {}}
        self._manifests[key] = (time.monotonic() + DELAY, fields)
        return self._shown("manifestId", key, self._manifests[key])

    def getManifest(self, manifestId: Any) -> Structure:
        key = _id(manifestId, "manifestId")
        return self._shown("manifestId", key, self._manifests[key])

    def getManifests(self) -> List[Structure]:
        return [self._shown("manifestId", key, entry) for key, entry in self._manifests.items()]

    def waitForManifest(self, manifest: Any, /) -> Structure:
        raise AssertionError("blocks for as long as it takes")

    waitForTransfer = waitForManifest

    def deleteManifest(self, manifest: Any, /) -> None:
        del self._manifests[_id(manifest, "manifestId")]

    def createDestination(
        self, destinationAddress: str, destinationPort: int = 8886, sendRateMax: Optional[int] = None
    ) -> Structure:
        place = {"destinationAddress": destinationAddress, "destinationPort": destinationPort}
        return Structure(destinationId="42", **place, sendRateMax=sendRateMax)

    def createTransfer(
        self, destination: Any, manifest: Any, *, priority: int = 100, destinationPath: str = ""
    ) -> Structure:
        fields = {
            "destinationId": _id(destination, "destinationId"), "manifestId": _id(manifest, "manifestId"),
            "priority": priority, "destinationPath": destinationPath,
        }  # fmt: skip
        key = str(17 + len(self._transfers))
        self._transfers[key] = (time.monotonic() + DELAY, fields)
        return self._shown("transferId", key, self._transfers[key])

    def getTransfer(self, transferId: Any) -> Structure:
        key = _id(transferId, "transferId")
        return self._shown("transferId", key, self._transfers[key])

    def failTransfer(self, transfer: Any, message: str, /) -> None:
        _, fields = self._transfers[transfer]
        self._transfers[transfer] = (0.0, {**fields, "errorMessage": message})

    def createSharedToken(self, manifest: Any, *, description: str = "", password: str = "") -> Structure:
        return Structure(token="ONE.TWO.THREE", manifestId=manifest, passwordRequired=bool(password))


class RecvInterface(_Part):
    def addAuthorizedClientAsync(self, clientPublicKey: str) -> Request:
        return self._api.server._request(None)

    def getSourcesAsync(self) -> Request:
        return self._api.server._request([])
