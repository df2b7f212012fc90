"""A FileSender of a few lines, written from the protocol page alone: no code is shared with the local server.

Source: FileSender protocol, sections 4, 6, 10 and 15.
"""

from __future__ import annotations

import json
import re
import threading
from typing import Any, Callable, Dict, List, Optional, Tuple
from urllib.parse import parse_qs, urlsplit

from smartxfer import FileSenderClient, RetryPolicy, UserAuth
from tests.support.raw_server import Peer, RawServer, Request, answering

VID = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"
PUID = "11111111-2222-3333-4444-555555555555"
TOKEN = "99999999-8888-7777-6666-555555555555"
#: As a stock site publishes it: without an end, and escaped for JavaScript.
STOCK_RULE = r"^[ \\/\\p{L}\\p{N}_\\.,;:!@#$%^&*)(\\]\\[_-]+"

#: Content of the files that tests send to it.
DATA = bytes(range(256)) * 20

ANN = UserAuth("ann@example.org", "k3y")
TO_BOB = {"recipients": ["bob@example.net"]}

Answer = Tuple[int, Any, List[str]]


class RawSite:
    """One site with one transfer.

    ``refuse(method, path, status, word)`` has a request refused once; ``options`` and ``recipients`` are those
    in force, whatever is asked for.
    """

    def __init__(self, options: Any = None, recipients: Any = ("bob@example.net",), chunk_size: int = 1000) -> None:
        self.options = {"get_a_link": False} if options is None else options
        self.recipients = list(recipients)
        self.chunk_size = chunk_size
        self.script = f"    valid_filename_regex: '{STOCK_RULE}',\n    ban_extension: 'exe,bat',\n"
        self.stored: Dict[int, bytearray] = {}
        self.files: List[Dict[str, Any]] = []
        self.status = ""
        self.events: List[str] = []
        self.reminders = 0
        self.page: Callable[[], str] = lambda: (
            f'<html><body data-security-token="{self.security_token}" data-auth-type="guest"></body></html>'
        )
        self.security_token = "token-1"
        self.headers: List[str] = []
        #: Called with each request before it is answered.
        self.watch: Callable[[Request], None] = lambda request: None
        self.largest_body: Optional[int] = None
        #: The answer to the completion where a mail fails: the transfer is available by then.
        self.mail_failure: Optional[Answer] = None
        self._refusals: List[Tuple[str, Any, Answer]] = []
        self._lock = threading.RLock()
        self.server = RawServer(answering(self._reply))

    @property
    def url(self) -> str:
        return self.server.url

    @property
    def requests(self) -> List[Request]:
        return self.server.requests

    def client(self, **options: Any) -> FileSenderClient:
        """A client of the site's user that makes one attempt and sends one chunk at a time."""
        settings = {"auth": ANN, "retry": RetryPolicy(attempts=1), "concurrent_chunks": 1, **options}
        return FileSenderClient(self.url, **settings)

    def send(self, path: Any, args: Any = TO_BOB, client: Any = None, **options: Any) -> Any:
        """Send one file with a new client.

        :param client: options of the client.
        """
        with self.client(**(client or {})) as made:
            return made.upload_workflow([path], args, **options)

    def refuse(self, method: str, path: str, status: int, word: Any, *headers: str) -> None:
        body = {"message": word, "uid": "6b0c", "details": None} if isinstance(word, str) else word
        self._refusals.append((method, re.compile(path + r"\Z"), (status, body, list(headers))))

    def count(self, method: str, path: str) -> int:
        found = re.compile(path + r"\Z")
        return sum(1 for one in self.requests if one.method == method and found.match(one.path))

    def __enter__(self) -> RawSite:
        self.server.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self.server.__exit__(*error)

    # -- answers ----------------------------------------------------------------------------------------

    def _reply(self, request: Request, peer: Peer) -> None:
        with self._lock:
            self.watch(request)
            status, body, headers = self._answer(request)
            headers = [*headers, *self.headers]
        if isinstance(body, bytes):
            peer.answer(status, body, "Content-Type: text/html; charset=UTF-8", *headers)
        else:
            peer.answer(status, json.dumps(body).encode(), "Content-Type: application/json", *headers)

    def _answer(self, request: Request) -> Answer:
        for refusal in self._refusals:
            if refusal[0] == request.method and refusal[1].match(request.path):
                self._refusals.remove(refusal)
                return refusal[2]
        if self.largest_body is not None and len(request.body) > self.largest_body:
            return 413, b"<html>413 Request Entity Too Large</html>", []
        path = request.path
        if path == "/rest.php/info":
            return 200, {"url": f"{self.url}/", "upload_chunk_size": self.chunk_size}, []
        if path == "/filesender-config.js.php":
            return 200, self.script.encode(), []
        if path == "/":
            return 200, self.page().encode(), ["Set-Cookie: PHPSESSID=s1; path=/"]
        found = re.match(r"/rest.php/file/(\d+)/chunk/(\d+)\Z", path)
        if found is not None:
            return self._chunk(int(found[1]), int(found[2]), request.body)
        if path.startswith("/rest.php/file/"):
            return 200, True, []
        return self._transfer(request)

    def _chunk(self, number: int, offset: int, data: bytes) -> Answer:
        self.status = "uploading"
        held = self.stored[number]
        held[offset : offset + len(data)] = data
        return 200, {"offset": offset, "written": len(data)}, []

    def _transfer(self, request: Request) -> Answer:
        if request.method == "DELETE":
            self.status = "deleted"
            return 200, None, []
        if request.path.endswith("/auditlog"):
            return 200, [{"event": event} for event in self.events], []
        if request.method == "GET":
            arguments = parse_qs(urlsplit(request.target).query)
            if self.status == "deleted" or ("puid" in arguments and self.status == "available"):
                return 403, {"message": "rest_authentication_required", "uid": "6b0c", "details": None}, []
            return 200, self._shown(), []
        given = json.loads(request.body)
        if request.method == "POST":
            return self._create(given)
        if given.get("complete") and self.status != "available":
            self.status = "available"
            self.events += ["upload_ended", "transfer_available"]
            if self.mail_failure is not None:
                failure, self.mail_failure = self.mail_failure, None
                return failure
            self.events += [] if self.options.get("get_a_link") else ["transfer_sent"]
        if given.get("remind"):
            self.reminders += 1
        return 200, self._shown(), []

    def _create(self, given: Any) -> Answer:
        self.files = [
            {"id": 20 + at, "transfer_id": 7, "puid": PUID, "name": one["name"], "size": one["size"]}
            for at, one in enumerate(given["files"])
        ]
        self.stored = {one["id"]: bytearray(one["size"]) for one in self.files}
        self.status, self.events = "started", ["transfer_started"]
        shown = {**self._shown(), "roundtriptoken": "0123456789abcdef0123456789abcdef", "salt": "s" * 32}
        return 201, shown, [f"Location: {self.url}/rest.php/transfer/7"]

    def _shown(self) -> Dict[str, Any]:
        people = [
            {"id": 30 + at, "transfer_id": 7, "token": TOKEN, "email": email, "download_url": f"{self.url}/?s=download&token={TOKEN}"}
            for at, email in enumerate(self.recipients)
        ]
        return {"id": 7, "options": self.options, "files": self.files, "recipients": people, "roundtriptoken": ""}
