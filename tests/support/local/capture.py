"""Reads a capture of exchanges with a real server."""

import ast
import json
import re
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple

import attrs

#: The mark of a body that the capture leaves out.
NOT_KEPT = "(body not kept)"


@attrs.define
class Exchange:
    """One exchange of a capture."""

    name: str
    method: str = ""
    target: str = ""
    headers: Dict[str, str] = attrs.field(factory=dict)
    #: Text as sent, or a number of octets.
    body: Any = None
    status: int = 0
    reply_headers: Dict[str, str] = attrs.field(factory=dict)
    #: Decoded JSON, a number of octets, a :class:`Page`, or None for an empty body.
    reply: Any = None
    reply_is_json: bool = False
    #: Whether the capture has only the first elements of a list.
    reply_is_cut: bool = False
    #: Whether the capture has the body of the answer.
    reply_is_kept: bool = True
    #: (bytes read, bytes missing) of a body that broke off.
    short: Optional[Any] = None


@attrs.frozen
class Page:
    """An HTML page as far as captures keep it.

    :param exception: whether it is an exception page.
    :param attributes: its ``data-*`` attributes in the order of the page.
    """

    exception: bool
    attributes: List[Tuple[str, str]]

    @classmethod
    def of(cls, text: str) -> "Page":
        """Reduce a page, one that was reduced before among them."""
        found = re.findall(r'data-([a-z-]+)="([^"]*)"', text)
        return cls("<html> exception page" in text or 'class="exception' in text, found)


def read(path: Path) -> List[Exchange]:
    found = []
    for block in re.split(r"^=== ", path.read_text("utf-8"), flags=re.MULTILINE)[1:]:
        lines = block.split("\n")
        exchange = Exchange(lines[0])
        for place, line in enumerate(lines[1:], 1):
            _line(exchange, line, lines[place + 1 :])
        assert exchange.method, block
        assert exchange.status or exchange.short, block
        found.append(exchange)
    return found


def _line(exchange: Exchange, line: str, rest: List[str]) -> None:
    octets = re.fullmatch(r"    body <(\d+) bytes>", line)
    short = re.search(r"IncompleteRead\((\d+) bytes read, (\d+) more expected\)", line)
    if line.startswith(">>> "):
        exchange.method, url = line[4:].split(" ", 1)
        assert url.startswith("BASE"), url
        exchange.target = url[4:]
    elif line.startswith("    headers "):
        exchange.headers = ast.literal_eval(line[12:])
    elif octets:
        exchange.body = int(octets.group(1))
    elif line.startswith("    body "):
        exchange.body = line[9:]
    elif short:
        exchange.short = (int(short.group(1)), int(short.group(2)))
    elif line.startswith("<<< "):
        status, headers = line[4:].split(" ", 1)
        exchange.status, exchange.reply_headers = int(status), json.loads(headers)
        _reply(exchange, "\n".join(rest).strip())


def _reply(exchange: Exchange, text: str) -> None:
    octets = re.fullmatch(r"<(\d+) bytes [^>]*>", text)
    if text == NOT_KEPT:
        exchange.reply_is_kept = False
    elif text.startswith("<html>"):
        exchange.reply = Page.of(text)
    elif octets:
        exchange.reply = int(octets.group(1))
    elif text:
        exchange.reply_is_json = True
        try:
            exchange.reply = json.loads(text)
        except ValueError:
            exchange.reply, exchange.reply_is_cut = _cut(text), True


def _cut(text: str) -> List[Any]:
    """Return the whole elements of a list that the capture breaks off."""
    decoder, found, at = json.JSONDecoder(), [], 1
    assert text.startswith("["), text
    while True:
        try:
            element, at = decoder.raw_decode(text, at)
        except ValueError:
            return found
        found.append(element)
        at += 1
