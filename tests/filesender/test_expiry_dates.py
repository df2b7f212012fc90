"""Dates as text: sites ignore them without an error, so the client sends seconds."""

from __future__ import annotations

import datetime as dt
from typing import Any, Iterator

import pytest

from smartxfer import FileSenderClient, UserAuth
from smartxfer.errors import UsageError
from smartxfer.local import LocalServer

DAY = (dt.datetime.now(dt.timezone.utc) + dt.timedelta(days=5)).date()
BEGINS = int(dt.datetime(DAY.year, DAY.month, DAY.day, tzinfo=dt.timezone.utc).timestamp())


@pytest.fixture
def site() -> Iterator[Any]:
    with LocalServer(services=["filesender"]) as server:
        yield server.filesender


@pytest.fixture
def client(site: Any) -> Iterator[FileSenderClient]:
    with FileSenderClient(site.url, auth=UserAuth(site.username, site.api_key)) as made:
        yield made


@pytest.mark.parametrize("given", [DAY.isoformat(), str(BEGINS), BEGINS])
def test_a_transfer_expires_when_it_was_asked_to(site: Any, client: FileSenderClient, given: Any) -> None:
    client.upload_workflow([("a.txt", b"A")], {"expires": given}, link=True)
    client.create_transfer(
        {"from": "ann@example.org", "files": [{"name": "a", "size": 1}], "expires": given, "options": {}}
    )
    assert [row["expires"] for row in site.transfers()] == [BEGINS, BEGINS]


def test_a_voucher_expires_when_it_was_asked_to(site: Any, client: FileSenderClient) -> None:
    wanted = {"from": "ann@example.org", "recipient": "g@example.net", "expires": DAY.isoformat()}
    assert client.create_guest(wanted).expires.raw == BEGINS


def test_what_is_not_a_date(client: FileSenderClient) -> None:
    wanted = {"from": "ann@example.org", "recipient": "g@example.net", "expires": "soon"}
    with pytest.raises(UsageError, match="invalid expires"):
        client.create_guest(wanted)
