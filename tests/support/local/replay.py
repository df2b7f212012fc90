"""Replays captured exchanges against the local FileSender and collects what differs."""

import http.client
import re
import time
from typing import Any, Dict, List, Optional, Tuple
from urllib.parse import parse_qsl, urlencode, urlsplit

from tests.support.local import bare_client as wire
from tests.support.local import capture

#: Values that are another in every run; their types are still compared.
VOLATILE = {
    "id", "userid", "transfer_id", "puid", "token", "raw", "salt", "roundtriptoken",
    "download_url", "upload_url", "url", "logon_url", "uid", "user",
}  # fmt: skip
#: Response headers whose values are compared as they are.
EXACT = {
    "Content-Type", "Content-Length", "Content-Transfer-Encoding", "Cache-control", "Expires",
    "Accept-Ranges", "Content-Range",
}  # fmt: skip
#: Attributes of a page whose values are another in every run.
VOLATILE_ATTRIBUTES = {"security-token", "id", "transferid"}
#: Bytes that were read and bytes that were missing of a body that broke off.
Short = Tuple[int, int]
#: Seconds by which two moments may differ: captures and replays take some time.
LATE = 30
#: Words of a path before an id, and the keys under which that id comes back.
KINDS = {"transfer": "files", "file": "puid", "recipient": "download_url", "guest": "upload_url"}


class Replay:
    """Replays a capture against a site, with ids and tokens exchanged for those it gave."""

    def __init__(self, site: wire.Site) -> None:
        self.site = site
        #: Seconds since 1970 at which the capture is, once a request had a timestamp.
        self.clock: Optional[int] = None
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
        for key in ("puid", "token", "roundtriptoken", "salt"):
            if theirs.get(key) and ours.get(key):
                self.words.setdefault(theirs[key], ours[key])
        for key in set(theirs) & set(ours):
            self.learn(theirs[key], ours[key])

    def target(self, exchange: capture.Exchange, body: bytes) -> str:
        """Return the captured target with the ids and tokens of this site, signed again."""
        text = exchange.target
        for old, new in self.words.items():
            text = text.replace(old, new).replace(old.upper(), new.upper())
        text = re.sub(
            r"/(transfer|file|recipient|guest)/(\d+)",
            lambda m: f"/{m[1]}/{self.ids.get((m[1], int(m[2])), int(m[2]))}",
            text,
        )
        text = re.sub(
            r"files_ids=([\d%C]+)",
            lambda m: "files_ids=" + "%2C".join(self._file(word) for word in m[1].split("%2C")),
            text,
        )
        if "signature=SIG" not in text:
            return text
        path, _, query = text.partition("?")
        given = dict(parse_qsl(query, keep_blank_values=True))
        made = ("remote_user", "timestamp", "signature")
        kept = {name: value for name, value in given.items() if name not in made}
        changes: Dict[str, Any] = {"user": given["remote_user"], "stamp": self._stamp(given["timestamp"])}
        if exchange.name == "wrong api key":
            changes["key"] = "0" * 64
        return self.site.signed(exchange.method, path + "?" + urlencode(kept), body, **changes)

    def _file(self, word: str) -> str:
        return str(self.ids.get(("file", int(word)), int(word)))

    def _stamp(self, captured: str) -> int:
        """Return a timestamp as far from now as the captured one was from the clock of the capture."""
        stamp = int(captured)
        if self.clock is None or abs(stamp - self.clock) <= 5:
            self.clock = stamp
        return int(time.time()) + stamp - self.clock

    def body(self, exchange: capture.Exchange) -> bytes:
        """Return the captured body, with moments as far from now as they were then."""
        if isinstance(exchange.body, int):
            return bytes(place % 251 for place in range(exchange.body))
        ahead = int(time.time()) - (self.clock or int(time.time()))
        text = re.sub(
            r'("(?:expires|extend_expiry_date)": )(\d{10})',
            lambda m: m[1] + str(int(m[2]) + ahead),
            exchange.body or "",
        )
        return text.encode()

    def send(self, exchange: capture.Exchange, target: str, body: bytes) -> Tuple[wire.Reply, Optional[Short]]:
        """Send one request; return the answer, and what was read and missing of a body that broke off."""
        parts = urlsplit(self.site.url)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)
        try:
            connection.request(exchange.method, target, body or None, exchange.headers)
            answer = connection.getresponse()
            try:
                return wire.Reply(answer.status, answer.headers, answer.read()), None
            except http.client.IncompleteRead as error:
                short = (len(error.partial), error.expected or 0)
                return wire.Reply(answer.status, answer.headers, error.partial), short
        finally:
            connection.close()

    def play(self, exchange: capture.Exchange) -> None:
        """Send one request, compare the answer."""
        body = self.body(exchange)
        reply, short = self.send(exchange, self.target(exchange, body), body)
        if exchange.short:
            self.same(exchange, "$short", exchange.short, short)
            return
        self.same(exchange, "$status", exchange.status, reply.status)
        self.headers(exchange, reply)
        if not exchange.reply_is_kept:
            # Whether the body was whole was not kept either.
            return
        self.same(exchange, "$short", None, short)
        if exchange.reply_is_json:
            # The wire's own spelling, too: \/ and \u in JSON.
            assert b"/" not in reply.body.replace(b"\\/", b""), reply.body
            assert reply.body.isascii()
            ours = reply.json()
            if exchange.reply_is_cut:
                ours = ours[: len(exchange.reply)]
            self.learn(exchange.reply, ours)
            self.compare(exchange, "$", exchange.reply, ours)
        elif isinstance(exchange.reply, capture.Page):
            self.page(exchange, exchange.reply, capture.Page.of(reply.body.decode()))
        elif exchange.reply is None:
            self.same(exchange, "$", b"", reply.body)
        else:
            self.same(exchange, "$", exchange.reply, len(reply.body))

    def page(self, exchange: capture.Exchange, theirs: capture.Page, ours: capture.Page) -> None:
        """Compare two pages, attribute by attribute."""
        self.same(exchange, "$exception", theirs.exception, ours.exception)
        names = [[name for name, _ in page.attributes] for page in (theirs, ours)]
        self.same(exchange, "$attributes", *names)
        for (name, left), (_, right) in zip(theirs.attributes, ours.attributes):
            if name in VOLATILE_ATTRIBUTES:
                left, right = shape(masked(left)), shape(masked(right))
            self.same(exchange, "$attributes." + name, left, right)

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
        elif path.endswith(".expires.raw") and theirs is not None and ours is not None and self.clock:
            ahead = int(theirs) - self.clock, int(ours) - int(time.time())
            self.same(exchange, path, ahead[0], ahead[0] if abs(ahead[0] - ahead[1]) <= LATE else ahead[1])
        elif path.rsplit(".", 1)[-1] not in VOLATILE:
            self.same(exchange, path, theirs, ours)

    def same(self, exchange: capture.Exchange, path: str, theirs: Any, ours: Any) -> None:
        if isinstance(theirs, str):
            theirs = self.words.get(theirs, theirs)
        if re.fullmatch(r"\$\[\d+\](\.transferid)?", path) and isinstance(theirs, int):
            kind = "transfer" if path.endswith("transferid") else "file"
            theirs = self.ids.get((kind, theirs), theirs)
        if theirs != ours:
            self.found.append((exchange.name, path, f"real {theirs!r}, local {ours!r}"))


def masked(text: str) -> str:
    """Return a text with ids, tokens, times and checksums blotted out."""
    text = re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "UUID", text)
    text = re.sub(r"_files_[0-9a-f]{8}\.", "_files_HASH.", text)
    text = re.sub(r"[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d", "TIME", text)
    return re.sub(r"(?<![a-z]_)(t|f|transfer[/_]|recipient/|guest/|files_ids=)\d+", r"\1N", text)


def shape(moment: Any) -> str:
    """A formatted date or duration without its numbers and names."""
    text = re.sub(r"\b[AP]M\b", "HALF", str(moment))
    return re.sub(r"\d+", "N", re.sub(r"\b[A-Z][a-z]{2}\b", "MONTH", text))
