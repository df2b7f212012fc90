"""Replays captured exchanges of an InvenioRDM 14 against the local repository, and compares the answers."""

from __future__ import annotations

import fnmatch
import http.client
import io
import json
import re
import socket
import threading
import zipfile
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple
from urllib.parse import quote, urlsplit

from smartxfer.local import LocalServer
from tests.support.local import bare_client as wire
from tests.support.local import nrp_capture as capture

#: Where the captured server and the one it fetched from listened.
THEIRS, THEIR_FILES = "http://127.0.0.1:15000", "127.0.0.1:15080"
ID = re.compile(r"(?<![0-9a-zA-Z])[0-9a-z]{5}-[0-9a-z]{5}(?![0-9a-zA-Z])")
#: Response headers whose values are compared as they are; of the others it is whether they are there.
EXACT = {
    "content-type", "content-disposition", "content-md5", "cache-control", "transfer-encoding", "location",
    "content-security-policy", "x-content-type-options", "x-download-options", "x-frame-options",
    "x-permitted-cross-domain-policies", "x-xss-protection", "x-ratelimit-limit", "link",
}  # fmt: skip
#: Headers that must be missing where the real one did not send them.
WATCHED: Tuple[str, ...] = ("ETag", "Content-MD5", "Retry-After", "X-RateLimit-Limit", "Link", "Content-Range", "Location")


class Replay:
    """Replays captures against a server, with ids and addresses exchanged for its own.

    :param server: the server.
    :param files: ``host:port`` that replaces the server from which files were fetched.
    """

    #: Headers that the capture shows wherever they were sent.
    watched = WATCHED

    def __init__(self, server: LocalServer, files: str) -> None:
        self.server = server
        self.url: str = server.nrp.url
        self.files = files
        #: Their ids by ours, and the other way round.
        self.theirs: Dict[str, str] = {}
        self.ours: Dict[str, str] = {}
        #: Id of a record of ours whose id in the capture the next request shows.
        self.fresh: Optional[str] = None
        #: Our draft, which a PUT sends back.
        self.draft: Any = None
        self.puts: Dict[Tuple[str, str], int] = {}
        self.found: List[Tuple[str, str, str]] = []

    # -- requests ---------------------------------------------------------------------------------------

    def translated(self, text: str) -> str:
        """Text of a request with our ids and addresses."""
        text = text.replace(THEIRS, self.url).replace(THEIR_FILES, self.files)
        return ID.sub(lambda match: self.ours.get(match.group(), match.group()), text)

    def meet(self, target: str) -> None:
        """Pair the id in a path with that of the record that was just made."""
        match = re.match(r"/records/([0-9a-z]{5}-[0-9a-z]{5})", target)
        if match and self.fresh and match.group(1) not in self.ours:
            self.ours[match.group(1)], self.theirs[self.fresh] = self.fresh, match.group(1)
            self.fresh = None

    def token(self, exchange: capture.Exchange) -> str:
        sender = capture.SENDERS.get(exchange.name, "bob" if exchange.section.startswith("bob") else "ann")
        return "x" * 60 if sender == "wrong" else str(self.server.nrp.token_of(sender))

    def body(self, exchange: capture.Exchange) -> Optional[bytes]:
        if exchange.name in capture.JSON:
            given = capture.JSON[exchange.name]
            return given if isinstance(given, bytes) else json.dumps(given).encode()
        if exchange.json is not None and exchange.target.endswith("/draft") and exchange.method == "PUT":
            return json.dumps(self.draft).encode()  # It sent back the draft that it had read.
        if exchange.json is not None:
            return self.translated(exchange.json).encode()
        if exchange.method != "PUT":
            return None
        place = (exchange.part, exchange.key)
        bodies = capture.CONTENT.get(place, [b"xx"])
        count = self.puts[place] = self.puts.get(place, 0) + 1
        return bodies[min(count, len(bodies)) - 1]

    def send(self, exchange: capture.Exchange) -> wire.Reply:
        headers = dict(exchange.headers)
        if exchange.json is not None:
            headers["Content-Type"] = "application/json"
        if not exchange.guest:
            headers["Authorization"] = "Bearer " + self.token(exchange)
        target = self.translated(exchange.target.replace("TOKEN", self.server.nrp.superuser_token))
        target = "/api" + quote(target, safe="/%?=&:")
        if exchange.short:
            return short(self.url, target, headers)
        return wire.request(self.url, exchange.method, target, self.body(exchange), headers)

    def play(self, exchange: capture.Exchange) -> None:
        """Send one request, compare the answer."""
        self.meet(exchange.target)
        if exchange.name in capture.SETTINGS:
            self.server.nrp.configure(**capture.SETTINGS[exchange.name])
        try:
            reply = self.send(exchange)
        except ConnectionError as error:
            self.same(exchange, "$status", exchange.status, repr(error))
            return
        self.same(exchange, "$status", exchange.status, reply.status)
        is_json = "json" in reply.headers.get("Content-Type", "") and bool(reply.body)
        ours = reply.json() if is_json else reply.body
        if reply.status == 201 and exchange.target.rsplit("/", 1)[-1] in ("records", "versions"):
            self.fresh = ours["id"]
        if exchange.target.endswith("/draft") and reply.status == 200 and is_json:
            self.draft = ours
        if reply.status == exchange.status:
            self.headers(exchange, reply)
            self.bodies(exchange, reply, ours)
        self.settled(exchange)

    def settled(self, exchange: capture.Exchange) -> None:
        """Wait for fetches: the captured server had no other thread for them."""
        match = re.match(r"/records/([0-9a-z]{5}-[0-9a-z]{5})/draft/files$", exchange.target)
        if exchange.section == "F" and match:
            id = self.ours[match.group(1)]
            ended = threading.Event()
            for _ in range(1000):
                if not any(
                    entry["transfer"]["type"] == "F" and entry["status"] == "pending"
                    for entry in self.server.nrp.entries(id)
                ):
                    return
                ended.wait(0.01)
            raise AssertionError("a fetch did not end")

    # -- answers ----------------------------------------------------------------------------------------

    def masked(self, text: str, *, ours: bool) -> str:
        """Text with our ids as theirs, and what is another in every run blotted out."""
        if ours:
            text = text.replace(self.url, THEIRS).replace(self.files, THEIR_FILES)
            text = ID.sub(lambda match: self.theirs.get(match.group(), "ID"), text)
        else:
            text = ID.sub(lambda match: match.group() if match.group() in self.ours else "ID", text)
        text = re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "UUID", text)
        text = re.sub(r"\d{4}-\d\d-\d\d([T ])\d\d:\d\d:\d\d\.\d{6}\+00:00", r"DAY\1TIME", text)
        return re.sub(r"record's one\(\d+\)", "record's one(N)", text)

    def headers(self, exchange: capture.Exchange, reply: wire.Reply) -> None:
        theirs = {name.lower(): value for name, value in exchange.reply_headers.items()}
        for name, value in theirs.items():
            if name in ("connection", "date", "server"):
                continue  # Shown once, where the whole answer is.
            ours = reply.headers.get(name)
            if ours is not None and name not in EXACT and name != "etag":
                ours = value
            else:
                value, ours = self.masked(value, ours=False), ours and self.masked(ours, ours=True)
            self.same(exchange, "$headers." + name, value, ours)
        for name in self.watched:
            if name.lower() not in theirs:
                self.same(exchange, "$headers." + name.lower(), None, reply.headers.get(name))

    def bodies(self, exchange: capture.Exchange, reply: wire.Reply, ours: Any) -> None:
        theirs = exchange.reply
        if isinstance(theirs, bytes):
            self.content(exchange, theirs, reply.body)
        elif theirs is not None and exchange.status >= 400 and not exchange.cut:
            # Errors are compared letter by letter.
            said = self.masked(exchange.shown[0], ours=False)
            self.same(exchange, "$", said, self.masked(reply.body.decode().strip(), ours=True))
        elif theirs is not None:
            self.compare(exchange, "$", theirs, ours, cut=exchange.cut)
        if exchange.section == "search" and len(exchange.shown) == 2:
            self.pages(exchange, ours)

    def pages(self, exchange: capture.Exchange, ours: Any) -> None:
        """Compare the numbers of hits behind a page, and the links of the next page below it."""
        numbers = exchange.shown[0].rpartition("} ")[2]
        found = "{} {}".format(ours["hits"]["total"], len(ours["hits"]["hits"]))
        self.same(exchange, "$.hits", numbers, found)
        token = {"Authorization": "Bearer " + self.token(exchange)}
        after = wire.request(self.url, "GET", ours["links"]["next"][len(self.url) :], None, token)
        self.compare(exchange, "$next.links", json.loads(exchange.shown[1]), after.json()["links"], cut=False)

    def content(self, exchange: capture.Exchange, theirs: bytes, ours: bytes) -> None:
        if not theirs.startswith(b"PK"):
            self.same(exchange, "$", theirs, ours)
            return
        # What is shown of an archive is cut off: its first header, and the content that is in it.
        with zipfile.ZipFile(io.BytesIO(ours)) as archive:
            for entry in archive.infolist():
                assert entry.compress_type == zipfile.ZIP_STORED
                assert entry.filename.encode() in theirs
                assert archive.read(entry) in theirs
        self.same(exchange, "$archive", theirs[:10], ours[:10])

    def compare(self, exchange: capture.Exchange, path: str, theirs: Any, ours: Any, *, cut: bool) -> None:
        """Compare keys, types and values; of an object that may be cut off only what is there."""
        self.same(exchange, path + ".type", type(theirs).__name__, type(ours).__name__)
        if isinstance(theirs, dict) and isinstance(ours, dict):
            pairs = (theirs, ours), (ours, theirs)
            missing = sorted(set(theirs) - set(ours))
            more = sorted(set(ours) - set(theirs)) if not cut and not summary(exchange, path) else []
            self.same(exchange, path + ".keys()", [], [*missing, *("+" + name for name in more)])
            if not unordered(exchange, path):
                orders = [[key for key in one if key in two] for one, two in pairs]
                self.same(exchange, path + ".order", *orders)
            last = list(theirs)[-1:]
            for key in theirs:
                if key in ours:
                    inner = cut and [key] == last
                    self.compare(exchange, f"{path}.{key}", theirs[key], ours[key], cut=inner)
        elif isinstance(theirs, list) and isinstance(ours, list):
            lengths = (len(theirs), len(ours)) if not cut or len(theirs) > len(ours) else (0, 0)
            self.same(exchange, path + ".length", *lengths)
            for place, (left, right) in enumerate(zip(theirs, ours)):
                inner = cut and place == len(theirs) - 1
                self.compare(exchange, f"{path}[{place}]", left, right, cut=inner)
        elif path.endswith(".transfer.error"):
            pass  # Another in every run, and with every server that a file is fetched from.
        elif isinstance(theirs, str) and isinstance(ours, str):
            self.same(exchange, path, self.masked(theirs, ours=False), self.masked(ours, ours=True))
        else:
            self.same(exchange, path, theirs, ours)

    def same(self, exchange: capture.Exchange, path: str, theirs: Any, ours: Any) -> None:
        if theirs != ours:
            self.found.append((exchange.name, path, f"real {theirs!r}, local {ours!r}"))


def summary(exchange: capture.Exchange, path: str) -> bool:
    """Return whether the capture shows only some members of the answer."""
    return path == "$" and "} " in exchange.shown[0][-10:]


def unordered(exchange: capture.Exchange, path: str) -> bool:
    """Return whether the order of an object's members is not compared."""
    if "well-known" in exchange.target or ".metadata" in path or path.endswith(".entries"):
        return True
    return summary(exchange, path)


def short(url: str, target: str, headers: Dict[str, str]) -> wire.Reply:
    """A PUT that ends before the length that it announced."""
    parts = urlsplit(url)
    lines = [f"PUT {target} HTTP/1.1", f"Host: {parts.netloc}", "Content-Length: 100"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    with socket.create_connection((parts.hostname or "", parts.port or 0), timeout=10) as peer:
        peer.sendall(("\r\n".join(lines) + "\r\n\r\n" + "only this").encode())
        peer.shutdown(socket.SHUT_WR)
        answer = http.client.HTTPResponse(peer)
        answer.begin()
        return wire.Reply(answer.status, answer.headers, answer.read())


Found = List[Tuple[str, str, str]]


def remaining(found: Found, listed: str) -> Tuple[Found, List[Tuple[str, str]]]:
    """Compare the differences that were found with those that are committed.

    :param found: name of the exchange, path in the answer, what differs.
    :param listed: file of the committed ones; each line has name, path and reason, with ``|`` between
        them, and ``*`` matches anything in the first two.
    :return: differences that are not committed, and committed ones that do not occur.
    """
    allowed = []
    for line in (Path(__file__).parent.parent.parent / "local" / listed).read_text("utf-8").splitlines():
        if line.strip() and not line.startswith("#"):
            name, path, reason = (word.strip() for word in line.split("|", 2))
            assert reason, line
            allowed.append((name, path))
    used = set()
    unexpected = []
    for name, path, what in found:
        hits = {entry for entry in allowed if admits(entry, name, path)}
        used |= hits
        if not hits:
            unexpected.append((name, path, what))
    return unexpected, sorted(set(allowed) - used)


def admits(entry: Tuple[str, str], name: str, path: str) -> bool:
    """Tell whether a committed difference covers one that was found."""
    return all(fnmatch.fnmatchcase(word, mark.replace("[", "[[]")) for word, mark in zip((name, path), entry))
