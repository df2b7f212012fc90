"""The request for an earlier run's transfer fails: only an error of the site itself ends the resume."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from smartxfer.errors import ClientError, RateLimited, ServerError
from tests.support.minimal_filesender import DATA, RawSite

PAGE = b"<html>blocked</html>"
LOOK, CREATE = ("GET", r"/rest.php/transfer/7"), ("POST", r"/rest.php/transfer")


def send(site: RawSite, path: Path) -> Any:
    [result] = site.send(path).results
    return result


def break_off(site: RawSite, path: Path) -> None:
    site.refuse("PUT", r"/rest.php/file/20/chunk/3000", 502, b"")
    with pytest.raises(ServerError):
        send(site, path)


@pytest.mark.parametrize("status", [403, 404, 407, 429])
def test_a_proxy_error_does_not_restart_the_upload(site: RawSite, path: Path, status: int) -> None:
    break_off(site, path)
    site.refuse(*LOOK, status, PAGE)
    with pytest.raises(ClientError) as caught:
        send(site, path)
    assert caught.value.status == status
    assert isinstance(caught.value, RateLimited) == (status == 429)
    assert send(site, path).resumed == 3000
    assert site.count(*CREATE) == 1
    assert bytes(site.stored[20]) == DATA


@pytest.mark.parametrize("status", [404, 429])
def test_nor_after_the_completion(site: RawSite, path: Path, status: int) -> None:
    site.mail_failure = (500, {"message": "mail_could_not_be_sent", "uid": "6b0c", "details": None}, [])
    with pytest.raises(ServerError):
        send(site, path)
    site.refuse(*LOOK, 403, "rest_authentication_required")
    site.refuse(*LOOK, status, PAGE)
    with pytest.raises(ClientError) as caught:
        send(site, path)
    assert caught.value.status == status
    assert send(site, path).resumed == len(DATA)
    assert (site.count(*CREATE), site.reminders) == (1, 1)


def test_a_transfer_unknown_to_the_site_is_sent_again(site: RawSite, path: Path) -> None:
    break_off(site, path)
    site.status = "deleted"
    assert send(site, path).resumed == 0
    assert site.count(*CREATE) == 2


def test_a_creation_that_is_refused_keeps_the_journal(site: RawSite, path: Path) -> None:
    """Fails if a journal is emptied first: the site answers well again when the next run looks."""
    break_off(site, path)
    site.refuse(*LOOK, 403, "rest_authentication_required")
    site.refuse(*CREATE, 500, "rate_limit_exceeded")
    with pytest.raises(ClientError, match="rate_limit_exceeded"):
        send(site, path)
    assert send(site, path).resumed == 3000
    assert site.count(*CREATE) == 2
