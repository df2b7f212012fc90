"""The clients of all services, seen alike by the tests of credentials."""

from __future__ import annotations

import contextlib
import logging
from typing import Any, Callable, Dict, List, Optional, Tuple

import pytest

from smartxfer import BasicClient, FileSenderClient, PerseusClient
from smartxfer.jetstream import JetStream
from smartxfer.nrp import get_client

URL = "http://127.0.0.1:9"
#: By service: what makes a client, the variable of its secret, the value's name, the user in the keyring.
SERVICES: Dict[str, Tuple[Callable[[], Any], str, str, str]] = {
    "filesender": (lambda: FileSenderClient(URL), "FILESENDER_API_KEY", "api_key", "ann"),
    "smartfile": (lambda: BasicClient(url=URL), "SMARTFILE_API_PASSWORD", "password", "ann"),
    "nrp": (lambda: get_client(URL), "NRP_TOKEN", "token", "token"),
    "perseus": (lambda: PerseusClient(URL), "PERSEUS_API_KEY", "api_key", "api_key"),
    "jetstream": (lambda: JetStream().api(URL), "JETSTREAM_API_PASSWORD", "password", "ann"),
}
#: Variables of the users' names.
USERS = ("FILESENDER_USERNAME", "SMARTFILE_API_KEY", "JETSTREAM_API_USER")


def secret_of(service: str) -> Tuple[Optional[str], str]:
    """Return the secret that a client finds, and its source."""
    make, _, name, _ = SERVICES[service]
    with contextlib.closing(make()) as client:
        sources = {row[0]: row[2] for row in client.explain_credentials()}
        return client._credentials.get(name), sources[name]


def warnings_of(caplog: pytest.LogCaptureFixture) -> List[str]:
    """Return the warnings that were logged."""
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
