"""The head of an answer: interim answers (1xx) before the final one, and the length of the body after it.

The http.client of Python 3.8 to 3.13 skips ``100 Continue`` only: it takes a ``102`` for the final answer,
and what follows for the answer to the next request.  It also takes a ``Content-Length`` that it cannot read
for none at all, and the first of several for the right one.
"""

import http.client
import re
from typing import Any, List, Tuple

from smartxfer.errors import UnexpectedAnswer
from smartxfer.transport.reading import LONGEST_LINE, InvalidFraming, ResponseReader

__all__ = ["MOST", "FinalResponse"]

#: Most interim answers before the final one.  A server at long work sends one every some seconds.
MOST = 100
_MOST_FIELDS = 100
#: Bodies are shorter than this.
_MOST_BYTES = 1 << 63
_LENGTH = re.compile(r"[0-9]{1,19}\Z", re.ASCII)
#: A chunk size, perhaps with zeros in front; int() would also take a sign, a prefix and underscores.
_CHUNK_SIZE = re.compile(rb"(0*[0-9A-Fa-f]{1,15})[ \t]*(?:;[^\n]*)?\r?\n\Z")


class FinalResponse(http.client.HTTPResponse):
    """A response that begins with its final status line (1xx but 101 is read and dropped), within limits."""

    fp: Any = None  # Python closes the object also where Ctrl-C came within its constructor

    def __init__(self, sock: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        file, self.fp = self.fp, None  # one owner at a time, whichever line Ctrl-C comes in
        self.fp = ResponseReader(file.detach(), sock)

    def begin(self) -> None:
        """Read the head of the final answer.

        :raises InvalidFraming: the headers give no length, or several.
        """
        found: Any = self.headers
        if found is not None:
            return
        super().begin()
        self._check_length()
        reader: Any = self.fp
        if reader is not None:
            reader.restart(body=True)

    def _check_length(self) -> None:
        """Determine the length of the body by RFC 9112, section 6.3."""
        lengths = _members(self.headers, "Content-Length")
        codings = [coding.lower() for coding in _members(self.headers, "Transfer-Encoding")]
        if codings and codings != ["chunked"] and codings != ["identity"]:
            raise InvalidFraming(f"unexpected Transfer-Encoding {', '.join(codings)!r}")
        if not lengths:
            return
        if codings == ["chunked"]:
            raise InvalidFraming("both Content-Length and Transfer-Encoding")
        if len(set(lengths)) > 1:
            raise InvalidFraming(f"several values of Content-Length: {', '.join(lengths)}")
        [text] = set(lengths)
        if not _LENGTH.match(text) or int(text) >= _MOST_BYTES:
            raise InvalidFraming(f"invalid Content-Length {text[:40]!r}")
        if len(lengths) > 1:  # the same value again, which http.client and urllib3 read differently
            del self.headers["Content-Length"]
            self.headers["Content-Length"] = text
            if self.length is None:
                self.length = int(text)
                self.will_close = self._check_close()  # type: ignore[attr-defined]

    def _read_status(self) -> Tuple[str, int, str]:
        for _ in range(MOST + 1):
            found: Tuple[str, int, str] = super()._read_status()  # type: ignore[misc]
            if not 100 <= found[1] < 200 or found[1] == 101:
                return found
            self._skip_fields()
            reader: Any = self.fp
            reader.restart()
        raise UnexpectedAnswer(
            f"the server sent more than {MOST} interim answers and no final one", status=found[1]
        )

    def _skip_fields(self) -> None:
        for _ in range(_MOST_FIELDS + 1):
            line = self.fp.readline(LONGEST_LINE + 1)
            if len(line) > LONGEST_LINE:
                raise http.client.LineTooLong("header line")
            if line in (b"\r\n", b"\n", b""):
                return
        raise http.client.HTTPException(f"got more than {_MOST_FIELDS} headers")

    def _read_next_chunk_size(self) -> int:
        found = _CHUNK_SIZE.match(self.fp.readline(LONGEST_LINE + 1))
        if found is None:
            self.close()
            raise ValueError("invalid chunk size")  # to http.client the body breaks off here
        return int(found[1], 16)


def _members(headers: Any, name: str) -> List[str]:
    """Return the values of a header: of each field with that name, and of each list in a field."""
    return [one.strip(" \t") for field in headers.get_all(name, []) for one in field.split(",")]
