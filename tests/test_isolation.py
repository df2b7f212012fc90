"""The isolation of every test by conftest.py works."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest
import requests


def test_a_connection_off_this_machine_is_refused() -> None:
    with socket.socket() as sock, pytest.raises(BaseException, match="stay on loopback"):
        sock.connect(("192.0.2.1", 80))


@pytest.mark.parametrize("url", ["http://192.0.2.1/", "http://example.org/"])
def test_no_retry_swallows_the_refusal(url: str) -> None:
    with pytest.raises(BaseException, match="stay on loopback"):
        requests.get(url, timeout=1)


def test_a_name_that_never_resolves_needs_no_resolver() -> None:
    with pytest.raises(requests.ConnectionError, match="not known"):
        requests.get("http://nowhere.invalid/", timeout=1)


def test_loopback_is_open() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        with socket.create_connection(("localhost", listener.getsockname()[1]), timeout=5) as sock:
            assert sock.getpeername()[0] == "127.0.0.1"


def test_home_is_empty_and_temporary(home: Path) -> None:
    assert Path("~").expanduser() == home
    assert list(home.iterdir()) == []
    assert os.environ["SMARTXFER_STATE_DIR"].startswith(str(home))


def test_the_users_own_settings_are_out_of_sight() -> None:
    hidden = [name for name in os.environ if name.upper().endswith("_PROXY")]
    hidden += [name for name in os.environ if name.startswith("FILESENDER_")]
    assert hidden == []
