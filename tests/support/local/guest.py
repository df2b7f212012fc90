"""A guest's browser, as bare as can be."""

import json
from html.parser import HTMLParser
from typing import Any, Dict, List, Optional, Tuple
from urllib.parse import urlencode

from tests.support.local import bare_client as wire


class Guest:
    """A guest's browser: the page is opened, its tokens are kept."""

    def __init__(self, site: wire.Site, voucher: Any) -> None:
        self.site, self.vid = site, voucher["token"]
        page = site.bare("GET", "/?s=upload&vid=" + self.vid)
        assert page.status == 200
        body = _Body()
        body.feed(page.body.decode())
        self.body = body.attributes
        self.set_cookies: List[str] = page.headers.get_all("Set-Cookie") or []
        jar = dict(cookie.split(";")[0].split("=", 1) for cookie in self.set_cookies)
        self.session, self.csrf = jar.get("PHPSESSID", ""), jar.get("csrfptoken", "")

    def call(self, method: str, target: str, body: Any = None, **changes: Optional[str]) -> wire.Reply:
        headers: Dict[str, Optional[str]] = {
            "Cookie": "PHPSESSID=" + self.session,
            "csrfptoken": self.csrf,
            "X-Filesender-Security-Token": self.body["data-security-token"],
        }
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        if isinstance(body, bytes):
            headers["X-Filesender-Chunk-Size"] = str(len(body))
        headers.update({name.replace("_", "-"): value for name, value in changes.items()})
        kept = {name: value for name, value in headers.items() if value is not None}
        mark = "&" if "?" in target else "?"
        return self.site.bare(method, target + mark + urlencode({"vid": self.vid}), raw, kept)

    def create(self, size: int = 10000, **more: Any) -> wire.Reply:
        given = {"files": [{"name": "g.txt", "size": size}], "recipients": [], "options": {}}
        return self.call("POST", "/rest.php/transfer", {**given, **more})

    def place(self, transfer: Any, tail: str = "") -> str:
        """Path and keys of the first file of a transfer."""
        file = transfer["files"][0]
        keys = urlencode({"key": file["puid"], "roundtriptoken": transfer["roundtriptoken"]})
        return "/rest.php/file/{}{}?{}".format(file["id"], tail, keys)

    def complete(self, transfer: Any) -> wire.Reply:
        return self.call("PUT", "/rest.php/transfer/{}".format(transfer["id"]), {"complete": True})

    def send(self, body: bytes, **more: Any) -> Any:
        """A whole transfer with one file and one chunk."""
        size = more.pop("size", len(body))
        transfer = self.create(files=[{"name": "g.bin", "size": size}], **more).json()
        sizes: Dict[str, str] = {"X_Filesender_Chunk_Size": str(size)}
        if transfer["options"]["encryption"]:
            sizes.update(X_Filesender_Encrypted="1", X_Filesender_Chunk_Size_Encrypted=str(len(body)))
        assert self.call("PUT", self.place(transfer, "/chunk/0"), body, **sizes).status == 200
        assert self.call("PUT", self.place(transfer), {"complete": True}).body == b"true"
        assert self.complete(transfer).status == 200
        return transfer


class _Body(HTMLParser):
    attributes: Dict[str, str]

    def handle_starttag(self, tag: str, attrs: List[Tuple[str, Optional[str]]]) -> None:
        if tag == "body":
            self.attributes = {name: value or "" for name, value in attrs}


def invite(site: wire.Site, guest: Any = None, **more: Any) -> Any:
    options = {"guest": guest or {"can_only_send_to_me": True}, "transfer": {}}
    given = {"from": "ann@example.org", "recipient": "g@example.net", "options": options}
    reply = site.call("POST", "/rest.php/guest", {**given, **more})
    assert reply.status == 201, reply.body
    return reply.json()
