"""Reads the labelled exchanges of an InvenioRDM 14, and replays them against the local repository."""

from __future__ import annotations

import base64
import datetime as dt
import io
import json
import re
import zipfile
from pathlib import Path
from typing import Any, Dict, List, Optional

import attrs

from smartxfer.local import LocalServer
from tests.support.local import bare_client as wire
from tests.support.local import nrp_capture as capture
from tests.support.local import nrp_replay
from tests.support.local.nrp_replay import Replay

#: What a capture has in place of a page for browsers.
PAGE = "<html>"
#: Binary data in a request.
_BYTES = re.compile(r"<base64 ([\w+/=]+)>")
#: A secret link's token, which is random.
_TOKEN = re.compile(r"eyJ[\w-]+\.[\w-]+\.[\w-]+")


def _archive() -> bytes:
    """Return the zip file that was sent: its length and MD5 are those of the capture."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        member = zipfile.ZipInfo("in/a.txt", (2026, 11, 29, 10, 52, 26))
        member.external_attr = 0o600 << 16
        archive.writestr(member, b"hello")
    return made.getvalue()


#: Bodies that the capture tells by their length only, by the exchange's name.
BODIES: Dict[str, bytes] = {
    "key u200 init": json.dumps([{"key": "\u00e9" * 200}]).encode(),
    "zip put": _archive(),
}
#: Headers of requests that the capture does not show; the answer, 304, tells that they were there.
HEADERS = {"content inm": {"If-None-Match": '"md5:5d41402abc4b2a76b9719d911017c592"'}}


@attrs.define
class Exchange(capture.Exchange):
    """A labelled exchange; its target is the whole path, and its sender a name."""

    sender: str = ""
    sent: Optional[bytes] = None

    @property
    def text(self) -> str:
        """The answer's body as it is shown, maybe cut off."""
        return "\n".join(self.shown)

    @property
    def cut(self) -> bool:
        """Tell whether the shown JSON has no end."""
        return self.text.startswith(("{", "[")) and not capture.whole(self.text)[1]

    @property
    def reply(self) -> Any:
        """The answer's body: decoded JSON, text, or None for a page or where nothing is shown."""
        if self.text.startswith(("{", "[")):
            return capture.whole(self.text)[0]
        return None if self.text in ("", PAGE) else self.text


def read(path: Path) -> List[Exchange]:
    """Return the exchanges of a file."""
    found = []
    for block in re.split(r"^=== ", path.read_text("utf-8"), flags=re.MULTILINE)[1:]:
        name, request, rest = block.split("\n", 2)
        asked, _, answered = rest.partition("<<< ")
        headers, _, body = asked.partition("\n    body ")
        status, _, shown = answered.partition("\n")
        method, target = request[len(">>> ") :].split(" ", 1)
        sent = {**json.loads(headers.partition("headers ")[2]), **HEADERS.get(name, {})}
        sender = sent.pop("Authorization")
        exchange = Exchange(name, "wire", method, target[len("BASE") :], sent, None, sender is None)
        exchange.sender = (sender or "").rpartition(" ")[2]
        if body:
            exchange.sent = _sent(name, body.rstrip("\n"))
        number, _, values = status.partition(" ")
        exchange.status, exchange.reply_headers = int(number), json.loads(values)
        exchange.shown = shown.rstrip("\n").split("\n")
        found.append(exchange)
    return found


def _sent(name: str, shown: str) -> bytes:
    """Return the body of a request as it was sent."""
    if re.fullmatch(r"<\d+ bytes>", shown):
        assert shown == f"<{len(BODIES[name])} bytes>"
        return BODIES[name]
    match = _BYTES.fullmatch(shown)
    return base64.b64decode(match[1]) if match else shown.encode()


class WireReplay(Replay):
    """Replays labelled exchanges."""

    def __init__(self, server: LocalServer, files: str) -> None:
        super().__init__(server, files)
        #: Their ids and tokens of secret links by ours, and the other way round.
        self.words: Dict[str, str] = {}

    watched = ("ETag", "Retry-After", "X-RateLimit-Limit", "Location", "Content-Disposition")

    def token(self, exchange: capture.Exchange) -> str:
        assert isinstance(exchange, Exchange)
        nrp = self.server.nrp
        known = {"SUPER": nrp.superuser_token, "PLAIN": nrp.token}
        return str(known.get(exchange.sender, exchange.sender))

    def translated(self, text: str) -> str:
        text = text.replace("BASE", self.url).replace("127.0.0.1:25080", self.files)
        for theirs, ours in self.words.items():
            text = text.replace(theirs, ours)
        return nrp_replay.ID.sub(lambda match: self.ours.get(match.group(), match.group()), text)

    def masked(self, text: str, *, ours: bool) -> str:
        text = text.replace("127.0.0.1:25080", nrp_replay.THEIR_FILES).replace("BASE", nrp_replay.THEIRS)
        text = _TOKEN.sub("TOKEN", super().masked(text, ours=ours))
        today = dt.datetime.now(dt.timezone.utc).date().isoformat() if ours else "2026-11-29"
        return text.replace(today, "DAY")

    def send(self, exchange: capture.Exchange) -> wire.Reply:
        assert isinstance(exchange, Exchange)
        headers = dict(exchange.headers)
        if not exchange.guest:
            headers["Authorization"] = "Bearer " + self.token(exchange)
        body = exchange.sent
        if body is not None and body[:1] in (b"{", b"["):
            body = self.translated(body.decode()).encode()
        return wire.request(self.url, exchange.method, self.translated(exchange.target), body, headers)

    def play(self, exchange: capture.Exchange) -> None:
        """Send one request, compare the answer."""
        reply = self.send(exchange)
        self.same(exchange, "$status", exchange.status, reply.status)
        if reply.status != exchange.status:
            return
        theirs = exchange.reply
        is_json = "json" in reply.headers.get("Content-Type", "") and bool(reply.body)
        ours: Any = reply.json() if is_json else reply.body.decode("utf-8", "replace")
        if isinstance(theirs, dict) and isinstance(ours, dict):
            self.learn(theirs.get("id"), ours.get("id"))
            parents = [str(one.get("links", {}).get("parent")).rpartition("/")[2] for one in (theirs, ours)]
            self.learn(*parents)
            if "token" in theirs:
                self.words.update((str(theirs[name]), str(ours.get(name))) for name in ("id", "token"))
        self.headers(exchange, reply)
        self.bodies(exchange, reply, ours)

    def learn(self, theirs: Any, ours: Any) -> None:
        """Pair an id of theirs with ours."""
        if all(isinstance(one, str) and nrp_replay.ID.fullmatch(one) for one in (theirs, ours)):
            self.ours.setdefault(theirs, ours)
            self.theirs.setdefault(ours, theirs)

    def bodies(self, exchange: capture.Exchange, reply: wire.Reply, ours: Any) -> None:
        assert isinstance(exchange, Exchange)
        theirs = exchange.reply
        if isinstance(theirs, str) and theirs.startswith("PK"):
            # Binary data is not shown; only the members of the archive can be compared.
            with zipfile.ZipFile(io.BytesIO(reply.body)) as archive:
                names = [entry.filename for entry in archive.infolist()]
                self.same(exchange, "$archive", names, re.findall(r"\x00\x00(a\.zip|m)(?=PK|\x00)", theirs)[:2])
                self.same(exchange, "$archive", True, "1234567" in theirs and archive.read("m") == b"1234567")
        elif isinstance(theirs, str) and theirs.startswith("<zip "):
            assert reply.body.startswith(b"PK")
        elif exchange.status >= 400 and theirs is not None:
            # Errors are compared letter by letter.
            text = self.masked(exchange.text.strip(), ours=False)
            self.same(exchange, "$", text, self.masked(reply.body.decode().strip(), ours=True))
        elif isinstance(theirs, str):
            text = self.masked(theirs.strip(), ours=False)
            self.same(exchange, "$", text, self.masked(str(ours).strip(), ours=True))
        elif theirs is not None:
            self.compare(exchange, "$", theirs, ours, cut=exchange.cut)
