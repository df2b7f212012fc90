"""The exchanges captured from a real 3.8 and 2.67, replayed: same statuses, keys, types and messages."""

import http.client
import json
import re
from pathlib import Path
from typing import Any, Dict, List, Tuple
from urllib.parse import parse_qsl, urlencode

import local_capture as capture
import local_wire as wire
import pytest

from smartxfer.local import LocalServer

DATA = Path(__file__).parent.parent / "data"

#: Values that are another in every run; their types are still compared.
VOLATILE = {
    "id", "userid", "transfer_id", "puid", "token", "raw", "salt", "roundtriptoken",
    "download_url", "upload_url", "url", "logon_url", "uid",
}  # fmt: skip
#: Response headers whose values are compared as they are.
EXACT = {
    "Content-Type", "Content-Length", "Content-Transfer-Encoding", "Cache-control", "Expires",
    "Content-Disposition", "Accept-Ranges", "Content-Range",
}  # fmt: skip
#: Words of a path before an id, and the keys under which that id comes back.
KINDS = {"transfer": "files", "file": "puid", "recipient": "download_url", "guest": "upload_url"}


class Replay:
    """Replays a capture against a site, with ids and tokens exchanged for those it gave."""

    def __init__(self, site: wire.Site) -> None:
        self.site = site
        self.ids: Dict[Tuple[str, int], int] = {}
        self.words: Dict[str, str] = {}
        self.found: List[Tuple[str, str, str]] = []

    def learn(self, theirs: Any, ours: Any) -> None:
        """Pair the ids and tokens of two answers."""
        if isinstance(theirs, list) and isinstance(ours, list):
            for left, right in zip(theirs, ours):
                self.learn(left, right)
        if not isinstance(theirs, dict) or not isinstance(ours, dict):
            return
        for kind, mark in KINDS.items():
            if mark in theirs and isinstance(theirs.get("id"), int) and "id" in ours:
                self.ids.setdefault((kind, theirs["id"]), ours["id"])
        for key in ("puid", "token", "roundtriptoken"):
            if theirs.get(key) and ours.get(key):
                self.words.setdefault(theirs[key], ours[key])
        for key in set(theirs) & set(ours):
            self.learn(theirs[key], ours[key])

    def target(self, exchange: capture.Exchange, body: bytes) -> str:
        """The captured target with our ids and tokens, signed again."""
        text = exchange.target
        for old, new in self.words.items():
            text = text.replace(old, new)
        text = re.sub(
            r"/(transfer|file|recipient|guest)/(\d+)",
            lambda m: f"/{m[1]}/{self.ids.get((m[1], int(m[2])), int(m[2]))}",
            text,
        )
        text = re.sub(
            r"files_ids=(\d+)",
            lambda m: "files_ids={}".format(self.ids.get(("file", int(m[1])), int(m[1]))),
            text,
        )
        if "signature=" not in text:
            return text
        path, _, query = text.partition("?")
        given = dict(parse_qsl(query, keep_blank_values=True))
        old = given["timestamp"] == "1700000000"
        made = ("remote_user", "timestamp", "signature")
        kept = {name: value for name, value in given.items() if name not in made}
        changes: Dict[str, Any] = {"user": given["remote_user"]}
        if old:
            changes["stamp"] = 1700000000
        if exchange.name == "wrong api key":
            changes["key"] = "0" * 64
        return self.site.signed(exchange.method, path + "?" + urlencode(kept), body, **changes)

    def play(self, exchange: capture.Exchange) -> None:
        """Send one request, compare the answer."""
        body = b""
        if isinstance(exchange.body, int):
            body = bytes(place % 251 for place in range(exchange.body))
        elif exchange.body is not None:
            body = exchange.body.encode()
        target = self.target(exchange, body)
        try:
            reply = wire.request(self.site.url, exchange.method, target, body or None, exchange.headers)
        except http.client.IncompleteRead as error:
            self.same(exchange, "$short", exchange.short, (len(error.partial), error.expected))
            return
        self.same(exchange, "$short", exchange.short, None)
        self.same(exchange, "$status", exchange.status, reply.status)
        self.headers(exchange, reply)
        if exchange.reply_is_json:
            # The wire's own spelling, too: \/ and \u in JSON.
            assert b"/" not in reply.body.replace(b"\\/", b""), reply.body
            assert reply.body.isascii()
            ours = reply.json()
            self.learn(exchange.reply, ours)
            self.compare(exchange, "$", exchange.reply, ours)
        elif exchange.reply is None:
            self.same(exchange, "$", b"", reply.body)
        else:
            self.same(exchange, "$", exchange.reply, len(reply.body))

    def headers(self, exchange: capture.Exchange, reply: wire.Reply) -> None:
        for name, value in exchange.reply_headers.items():
            ours = reply.headers.get(name)
            if name not in EXACT and ours is not None:
                value, ours = masked(value), masked(ours.replace(self.site.url, "BASE"))
            self.same(exchange, "$headers." + name, value, ours)

    def compare(self, exchange: capture.Exchange, path: str, theirs: Any, ours: Any) -> None:
        self.same(exchange, path, type(theirs).__name__, type(ours).__name__)
        if isinstance(theirs, dict) and isinstance(ours, dict):
            self.same(exchange, path + ".keys()", list(theirs), list(ours))
            for key in theirs:
                if key in ours:
                    self.compare(exchange, path + "." + key, theirs[key], ours[key])
        elif isinstance(theirs, list) and isinstance(ours, list):
            self.same(exchange, path + ".length", len(theirs), len(ours))
            for place, (left, right) in enumerate(zip(theirs, ours)):
                self.compare(exchange, f"{path}[{place}]", left, right)
        elif path.endswith(".formatted"):
            self.same(exchange, path, shape(theirs), shape(ours))
        elif path.rsplit(".", 1)[-1] not in VOLATILE:
            self.same(exchange, path, theirs, ours)

    def same(self, exchange: capture.Exchange, path: str, theirs: Any, ours: Any) -> None:
        if theirs != ours:
            self.found.append((exchange.name, path, f"real {theirs!r}, local {ours!r}"))


def masked(text: str) -> str:
    """Text with ids, tokens, times and hosts blotted out."""
    text = re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "UUID", text)
    text = re.sub(r"[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d", "TIME", text)
    return re.sub(r"(?<![a-z]_)(t|f|transfer/|recipient/|guest/|files_ids=)\d+", r"\1N", text)


def shape(moment: Any) -> str:
    """A formatted date or duration without its numbers and names."""
    text = re.sub(r"\b[AP]M\b", "HALF", str(moment))
    return re.sub(r"\d+", "N", re.sub(r"\b[A-Z][a-z]{2}\b", "MONTH", text))


def admitted(version: str) -> Dict[Tuple[str, str], str]:
    """The committed differences: name of the exchange, path, reason, with ``|`` between them."""
    lines = (DATA / f"filesender-{version}-differences.txt").read_text("utf-8").splitlines()
    found = {}
    for line in lines:
        if line.strip() and not line.startswith("#"):
            name, path, reason = (word.strip() for word in line.split("|", 2))
            assert reason, line
            found[name, path] = reason
    return found


def captured(version: str) -> Path:
    """The capture of a release."""
    return DATA / f"filesender-{version}.txt"


VERSIONS = ("3.8", "2.67")


@pytest.mark.parametrize("version", VERSIONS)
def test_a_real_server_is_answered_alike(version: str) -> None:
    exchanges = capture.read(captured(version))
    assert len(exchanges) > 35
    options = {"version": version, "upload_chunk_size": 1048576, "users": ["sender@example.org"]}
    with LocalServer(filesender=options) as server:
        replay = Replay(wire.Site(server.filesender))
        for exchange in exchanges:
            replay.play(exchange)
        assert server.filesender.listener.crashes == []
    allowed = admitted(version)
    found = {(name, path) for name, path, _ in replay.found}
    unexpected = [entry for entry in replay.found if entry[:2] not in allowed]
    assert not unexpected, json.dumps(unexpected, indent=1)
    unused = sorted(set(allowed) - found)
    assert not unused, f"differences that are none: {unused}"


@pytest.mark.parametrize("version", VERSIONS)
def test_the_reader_sees_every_exchange(version: str) -> None:
    text = captured(version).read_text("utf-8")
    exchanges = capture.read(captured(version))
    assert len(exchanges) == text.count("\n>>> ") == text.count("\n<<< ")
    assert {exchange.method for exchange in exchanges} == {"GET", "POST", "PUT", "DELETE"}


@pytest.mark.parametrize("version", VERSIONS)
def test_the_other_release_is_told_apart(version: str) -> None:
    other = VERSIONS[1 - VERSIONS.index(version)]
    with LocalServer(filesender={"version": other, "users": ["sender@example.org"]}) as server:
        replay = Replay(wire.Site(server.filesender))
        for exchange in capture.read(captured(version))[:2]:
            replay.play(exchange)
    differ = {path for _, path, _ in replay.found}
    assert {"$.keys()", "$.created.formatted", "$.transfer_preferences.keys()"} <= differ
