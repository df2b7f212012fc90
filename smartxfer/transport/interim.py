"""Interim answers (1xx), which come before the final one.

The http.client of Python 3.8 to 3.13 skips ``100 Continue`` only: it takes a ``102`` for the final answer,
and what follows for the answer to the next request.
"""

import http.client
from typing import Any, Dict, Tuple

from smartxfer.errors import UnexpectedAnswer

__all__ = ["MOST", "FinalResponse", "with_final_responses"]

#: Most interim answers before the final one.  A server at long work sends one every some seconds.
MOST = 100
_MOST_FIELDS = 100
_LONGEST_LINE = 65536


class FinalResponse(http.client.HTTPResponse):
    """A response that begins with its final status line: 1xx but 101 is read and dropped."""

    def _read_status(self) -> Tuple[str, int, str]:
        for _ in range(MOST + 1):
            found: Tuple[str, int, str] = super()._read_status()  # type: ignore[misc]
            if not 100 <= found[1] < 200 or found[1] == 101:
                return found
            self._skip_fields()
        raise UnexpectedAnswer(
            f"the server sent more than {MOST} interim answers and no final one", status=found[1]
        )

    def _skip_fields(self) -> None:
        for _ in range(_MOST_FIELDS + 1):
            line = self.fp.readline(_LONGEST_LINE + 1)
            if len(line) > _LONGEST_LINE:
                raise http.client.LineTooLong("header line")
            if line in (b"\r\n", b"\n", b""):
                return
        raise http.client.HTTPException(f"got more than {_MOST_FIELDS} headers")


def with_final_responses(pools: Dict[str, Any]) -> Dict[str, Any]:
    """Return the connection pools, by scheme, with connections that skip interim answers."""
    made = {}
    for scheme, pool in pools.items():
        connection = type(
            pool.ConnectionCls.__name__, (pool.ConnectionCls,), {"response_class": FinalResponse}
        )
        made[scheme] = type(pool.__name__, (pool,), {"ConnectionCls": connection})
    return made
