"""Reads the captures of an InvenioRDM 14, and says what they do not show of their requests."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple

import attrs

#: Content that was sent, in the order of the PUTs to a key; the last one is used for all that follow. It is
#: not shown. Where the answers tell its md5 or its size it was found by them: ``twotwo``, ``one`` and
#: ``12345`` by their md5; the 9 bytes that m.bin's last part had at least once, and the 15 of ml.bin's, by
#: the md5 of the whole; ``abc`` by the length of the answer, which leaves one digit for the size. What a
#: refused part held does not matter, its length does: another than 10.
CONTENT: Dict[Tuple[str, str], List[bytes]] = {
    ("1", "a.txt"): [b"hello world"],
    ("1", "dir/b c.txt"): [b"123456789"],
    ("2", "a.txt"): [b"hello world"],
    ("2", "e.bin"): [b""],
    ("2", "ck.txt"): [b"abc"],
    ("2", "ck2.txt"): [b"abc"],
    ("2", "ck3.txt"): [b"abc"],
    ("3", "inc/1"): [b"A" * 10],
    ("4", "m.bin/1"): [b"A" * 7, b"A" * 10],
    ("4", "m.bin/2"): [b"B" * 10],
    ("4", "m.bin/3"): [b"C" * 5, b"C" * 9],
    ("4", "m.bin/0"): [b"Z" * 7],
    ("4", "mc.bin/1"): [b"A" * 10],
    ("4", "mc.bin/2"): [b"B" * 10],
    ("4", "mc.bin/3"): [b"C" * 5],
    ("4", "ml.bin/2"): [b"B" * 15],
    ("4", "p.bin"): [b"one", b"twotwo"],
    ("4", "sz.bin"): [b"one"],
    ("5", "a"): [b"12345"],
    ("5", "big"): [b"x" * 1000],
    ("5", "big2"): [b"x" * 1000],
}
#: Requests whose sender is not shown and is neither the owner, nor a guest, nor named by the section:
#: the rate limit of their answers is a guest's with a token, or they are refused with a user's.
SENDERS = {"1.29": "wrong", "1.30": "bob", "2.29": "wrong", "2.30": "bob"}
#: JSON that a capture cuts off, or does not show.
JSON: Dict[str, Any] = {
    "2.44": b"title=x",
    "2.45": b"{not json",
    "5.13": [{"key": f"n{number}"} for number in range(120)],
    "5.19": [{"key": "x" * 300}],
}
#: Settings of the server that changed between two requests: by what it says to them.
SETTINGS: Dict[str, Dict[str, int]] = {"5.5": {"quota": 500}, "5.10": {"quota": 0, "max_file_size": 500}}

#: A string, which may be cut off, or a sign of JSON.
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*(?:"|\\?$)|[{}\[\],]')


@attrs.define
class Exchange:
    """One exchange of a capture.

    :param name: number of the part, point, number of the request in it.
    """

    name: str
    section: str
    method: str
    target: str
    headers: Dict[str, str]
    #: JSON text as shown, maybe cut off.
    json: Optional[str]
    guest: bool
    #: The body was announced longer than it was.
    short: bool = False
    status: int = 0
    reply_headers: Dict[str, str] = attrs.field(factory=dict)
    #: Lines of the answer's body, maybe cut off.
    shown: List[str] = attrs.field(factory=list)

    @property
    def part(self) -> str:
        return self.name.partition(".")[0]

    @property
    def key(self) -> str:
        """Key of the file whose content is sent, with the number of the part behind it."""
        path = self.target.partition("/files/")[2]
        return re.sub(r"/content(?=/\d+$|$)", "", path)

    @property
    def reply(self) -> Any:
        """The answer's body: decoded JSON, bytes, or None where it is not shown."""
        text = self.shown[0] if self.shown else ""
        if text.startswith("b'"):
            return ast.literal_eval(text if text.endswith("'") else text.rpartition("\\")[0] + "'")
        return whole(text)[0] if text.startswith('{"') else None

    @property
    def cut(self) -> bool:
        """Return whether the shown JSON is cut off."""
        text = self.shown[0] if self.shown else ""
        return text.startswith('{"') and not whole(text)[1]


def whole(text: str) -> Tuple[Any, bool]:
    """Return the JSON value of a text up to where it is cut off, and whether it is complete."""
    try:
        return json.JSONDecoder().raw_decode(text)[0], True
    except ValueError:
        pass
    depth: List[str] = []
    keep, closers = 0, ""
    for token in _TOKEN.finditer(text):
        sign = token.group()
        if sign in ("{", "["):
            depth.append("}" if sign == "{" else "]")
        elif sign in ("}", "]"):
            depth.pop()
        elif sign != ",":
            continue
        keep = token.start() if sign == "," else token.end()
        closers = "".join(reversed(depth))
    return json.loads(text[:keep] + closers), False


def read(path: Path) -> List[Exchange]:
    """The exchanges of one part."""
    part = re.sub(r".*part(\d+)\.txt", r"\1", path.name)
    found: List[Exchange] = []
    section = ""
    for line in path.read_text("utf-8").splitlines():
        if line.startswith("=== "):
            section = line[4:]
        elif line.startswith(">>> "):
            found.append(_request(f"{part}.{len(found) + 1}", section, line[4:]))
        elif line.startswith("<<< "):
            status, headers = line[4:].split(" ", 1)
            found[-1].status, found[-1].reply_headers = int(status), ast.literal_eval(headers)
        elif line.startswith("HTTP/1.1 "):
            found.append(_short(found[-1], f"{part}.{len(found) + 1}", int(line.split()[1])))
        elif line.startswith("Traceback"):
            break  # The script that talked to the server ended here.
        elif line and found and found[-1].short and not line.startswith("{"):
            name, _, value = line.partition(": ")
            found[-1].reply_headers[name] = value
        elif line and found:
            found[-1].shown.append(line)
    assert all(exchange.status for exchange in found)
    return found


def _request(name: str, section: str, text: str) -> Exchange:
    method, rest = text.split(" ", 1)
    guest = rest.endswith("(anon)")
    rest, mark, body = rest[: -len("(anon)") if guest else None].partition(" json=")
    target, braces, headers = rest.partition(" {'")
    sent = ast.literal_eval("{'" + headers.strip()) if braces else {}
    return Exchange(name, section, method, target.strip(), sent, body.strip() if mark else None, guest)


def _short(before: Exchange, name: str, status: int) -> Exchange:
    """The exchange that is shown as it went over the wire: content for the file that was just begun."""
    key = json.loads(before.json or "")[0]["key"]
    target = f"{before.target}/{key}/content"
    kind = {"Content-Type": "application/octet-stream"}
    return Exchange(name, before.section, "PUT", target, kind, None, False, short=True, status=status)
