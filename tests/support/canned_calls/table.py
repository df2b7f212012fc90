"""The form of a service's table of calls."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any, Callable, Dict, Mapping, Tuple

import attrs
import responses

from smartxfer.error_families import ErrorFamily
from smartxfer.testing import canned

#: A call and the check of its result. The call takes a client, the directory ``sent`` and the directory ``out``.
Rows = Dict[str, Tuple[Callable[[Any, Path, Path], Any], Callable[[Any], Any]]]


def facts(service: str, method: str) -> Dict[str, Any]:
    """Return the values in the canned responses of a service."""
    return canned.load(method, mock=responses.RequestsMock(), service=service).facts


@attrs.frozen
class Table:
    """The calls of one service.

    :param cases: all canned cases of the service.
    :param errors: the error classes of the service.
    :param make: ``make(url, **options)`` makes a client.
    :param files: what the directory ``sent`` contains. The first one is what a download writes.
    """

    service: str
    base_url: str
    cases: Mapping[Tuple[str, str], Any]
    errors: ErrorFamily
    make: Callable[..., Any]
    rows: Rows
    files: Dict[str, bytes] = attrs.field(factory=dict)

    def client(self, url: str = "", **options: Any) -> Any:
        """Return a context manager that gives a client, without a logout at its end."""
        made = self.make(url or self.base_url, **options)
        return contextlib.closing(made) if self.service != "jetstream" else _without_logout(made)

    def call(self, client: Any, method: str, directory: Path) -> Any:
        """Write the files and make a call."""
        sent = directory / "sent"
        sent.mkdir()
        for name, data in self.files.items():
            (sent / name).write_bytes(data)
        return self.rows[method][0](client, sent, directory / "out")

    def is_right(self, method: str, result: Any) -> bool:
        """Return True if the result of a call is that of the canned service."""
        return bool(self.rows[method][1](result))


@contextlib.contextmanager
def _without_logout(api: Any) -> Any:
    try:
        yield api
    finally:
        api.session.close()
