"""One call to the API, as the functions behind the routes get it, and the record that it is about.

Source: NRP protocol, sections 2 and 3.
"""

import json
from typing import Any, Dict, List
from urllib.parse import parse_qsl

import attrs

from smartxfer.local.body import BodyTooLong
from smartxfer.local.exchange import Answer, Exchange
from smartxfer.local.nrp.answers import Refusal, json_answer
from smartxfer.local.nrp.backend import Backend
from smartxfer.local.nrp.people import GUEST, User

__all__ = ["Call", "Owner"]

#: Largest JSON body, bytes.
JSON_LIMIT = 16 << 20


@attrs.frozen
class Owner:
    """A record or a draft, as its files see it.

    :param id: id of the record.
    :param bucket: bucket of the files.
    :param draft: whether it is a draft.
    :param enabled: whether it has files at all.
    :param locked: whether the files may not change; the bucket itself may say so too.
    :param base: URL of the file list.
    :param readable: whether the caller may read the files.
    :param writable: whether the caller may change them.
    :param preview: key of the file that pages show first; empty where none was chosen.
    """

    id: str
    bucket: str
    draft: bool
    enabled: bool
    locked: bool
    base: str
    readable: bool = True
    writable: bool = True
    preview: str = ""


@attrs.define(eq=False)
class Call:
    """One call.

    :param backend: what the repository knows and keeps.
    :param exchange: the request.
    :param words: decoded segments of the path behind ``/api``; empty ones are kept.
    :param who: who asks; a guest where nobody known does.
    :param model: name of the model whose records the call is about; empty where it is about none.
    """

    backend: Backend
    exchange: Exchange
    words: List[str]
    who: User = GUEST
    model: str = ""
    #: Media type that was asked for.
    kind: str = "application/json"
    _query: Any = None

    @property
    def method(self) -> str:
        """HTTP method, upper case; HEAD counts as GET."""
        return "GET" if self.exchange.method == "HEAD" else self.exchange.method

    @property
    def user(self) -> str:
        """Name of the user who asks, empty for a guest."""
        return self.who.name

    @property
    def superuser(self) -> bool:
        """Whether the caller may everything."""
        return self.who.superuser

    @property
    def query(self) -> Dict[str, str]:
        """Arguments of the query string; the last one of each name."""
        if self._query is None:
            self._query = dict(parse_qsl(self.exchange.query, keep_blank_values=True))
        found: Dict[str, str] = self._query
        return found

    def header(self, name: str, default: str = "") -> str:
        """Value of a request header; ``name`` in any case."""
        return self.exchange.headers.get(name.lower(), default)

    def json_body(self) -> Any:
        """The body as JSON; None where it is empty.

        :raises Refusal: 400, it is not JSON.
        """
        try:
            raw = self.exchange.body.read(JSON_LIMIT)
        except BodyTooLong:
            raise Refusal(413, "The data value transmitted exceeds the capacity limit.") from None
        if not raw:
            return None
        try:
            return json.loads(raw.decode("utf-8"))
        except (ValueError, RecursionError):
            raise Refusal(400, "Unable to decode JSON data in request body.") from None

    def json(self, value: Any, status: int = 200) -> Answer:
        """An answer whose body is ``value`` as JSON."""
        return json_answer(value, status, pretty=self.query.get("prettyprint", "0") not in ("", "0"))

    def compact(self, value: Any) -> Answer:
        """An answer of the framework's: JSON without blanks."""
        text = json.dumps(value, separators=(",", ":")) + "\n"
        return Answer(200, [("Content-Type", "application/json")], (text.encode("ascii"),))

    def empty(self, status: int = 204) -> Answer:
        """An answer without a body."""
        return Answer(status, [("Content-Type", "text/html; charset=utf-8")], (b"",))
