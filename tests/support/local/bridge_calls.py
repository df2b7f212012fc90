"""Calls to the bridge, with the stand-in for the vendor's package."""

import itertools
import sys
from pathlib import Path
from typing import Any, Iterator, Optional

import pytest
import requests

__all__ = ["Calls", "Refused", "stand_in"]

STAND_IN = str(Path(__file__).parent.parent / "stand_in")


class Refused(Exception):
    """A JSON-RPC error."""


class Calls:
    """A session on one connection."""

    ids = itertools.count(1)

    def __init__(self, url: str) -> None:
        self.url = url + "/jsonrpc"
        self.http = requests.Session()

    def __call__(self, method: str, id: Optional[int] = None, **params: Any) -> Any:
        call = {"jsonrpc": "2.0", "id": id or next(self.ids), "method": method, "params": params}
        answer = self.http.post(self.url, json=call, timeout=30)
        assert answer.status_code == 200
        reply = answer.json()
        if "error" in reply:
            raise Refused(reply["error"]["data"]["type"] + ": " + reply["error"]["message"])
        return reply["result"]

    def login(self) -> "Calls":
        assert self("auth", user="ann", password="s3cret") is None
        return self


def stand_in() -> Any:
    """Return a fixture: the stand-in, as the bridge imports it."""

    @pytest.fixture(scope="module")
    def package() -> Iterator[Any]:
        with pytest.MonkeyPatch.context() as patch:
            patch.syspath_prepend(STAND_IN)
            import jetstream  # type: ignore[import-not-found]

            yield jetstream
            del sys.modules["jetstream"]

    return package
