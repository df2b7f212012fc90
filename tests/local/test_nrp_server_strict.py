"""The local repository: limits, links, pages and remote files as in single captures (section 9)."""

from __future__ import annotations

import math
from typing import Any, Dict, List, Tuple

import pytest

from smartxfer.errors import UsageError
from smartxfer.local import LocalServer
from tests.support.local.nrp_calls import Api, repository
from tests.support.local.nrp_file_calls import Draft

running = repository(remote_hosts=["files.example"])


# -- the window --------------------------------------------------------------------------------------------


def test_the_window_moves(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    api.service.configure(rate_limit=2, rate_window=10)
    start = math.floor(api.service.now()) + 0.25

    def at(second: float) -> Tuple[int, int, int]:
        monkeypatch.setattr(api.service.backend, "now", lambda: start + second)
        reply = api.call("GET", "records?size=1")
        return reply.status, int(reply.headers["Retry-After"]), int(reply.headers["X-RateLimit-Remaining"])

    assert at(0) == (200, 10, 1)
    assert at(4) == (200, 6, 0)
    assert at(9) == (429, 1, 0)
    # Less than a second is left: the header says 0.
    assert at(9.9) == (429, 0, 0)
    # The request of second 0 has left the window; rejected ones were not counted.
    assert at(10.1) == (200, 4, 0)
    assert at(10.2) == (429, 4, 0)
    assert at(14.1) == (200, 6, 0)
    assert at(30) == (200, 10, 1)


# -- secret links ------------------------------------------------------------------------------------------

RESTRICTED = {"record": "restricted", "files": "restricted"}


def test_a_link_ends(service: Any, guest: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    record = service.create({"a": b"1"}, published=True, access=RESTRICTED)
    token = service.share(record, until="2030-01-01")
    path = f"records/{record}/files/a/content"
    assert guest.refused("GET", path)[0] == 403
    assert guest.call("GET", f"{path}?token={token}").body == b"1"
    monkeypatch.setattr(service.backend, "now", lambda: 1893542400.0)  # 2030-01-02
    assert guest.refused("GET", f"{path}?token={token}")[0] == 403


def test_a_link_is_for_all_versions_of_one_record(service: Any, api: Api, guest: Api) -> None:
    record = service.create({"a": b"1"}, published=True, access=RESTRICTED)
    other = service.create({"a": b"2"}, published=True, access=RESTRICTED)
    token = service.share(record)
    assert guest.refused("GET", f"records/{other}?token={token}")[0] == 403
    draft = api.ok("POST", f"records/{record}/versions")
    api.ok("POST", draft["links"]["self"] + "/actions/files-import")
    api.ok("POST", draft["links"]["publish"])
    assert guest.call("GET", f"records/{draft['id']}/files/a/content?token={token}").body == b"1"
    # The parent id redirects to the newest version, without the token.
    moved = guest.call("GET", f"records/{draft['parent']['id']}?token={token}")
    assert (moved.status, moved.headers["Location"]) == (302, "/api/records/" + draft["id"])


def test_what_cannot_be_shared(service: Any) -> None:
    with pytest.raises(UsageError, match="permission must be one of view, preview, edit"):
        service.share(service.create(), "own")
    with pytest.raises(UsageError, match="no such record"):
        service.share("none")


def test_links_outlive_a_restart(tmp_path: Any) -> None:
    with LocalServer(tmp_path / "data", services=["nrp"]) as server:
        record = server.nrp.create({"a": b"1"}, published=True, access=RESTRICTED)
        token = server.nrp.share(record)
    with LocalServer(tmp_path / "data", services=["nrp"]) as server:
        path = f"records/{record}/files/a/content?token={token}"
        assert Api(server.nrp, "").call("GET", path).body == b"1"


# -- remote files ------------------------------------------------------------------------------------------


def _remote(service: Any, url: str, *files: Dict[str, Any]) -> Tuple[Draft, List[Any]]:
    draft = Draft(service, token=service.superuser_token)
    for values in files:
        draft.started(transfer={"type": "R", "url": url}, **values)
    entries = [draft.entry(values["key"]) for values in files]
    return draft, entries


def test_remote_files_of_one_url_are_one(service: Any) -> None:
    url, md5 = "https://files.example/a", "md5:" + "1" * 32
    draft, entries = _remote(service, url, {"key": "a"}, {"key": "b", "size": 5, "checksum": md5})
    assert [(entry["size"], entry["checksum"]) for entry in entries] == [(0, None), (0, None)]
    assert entries[0]["file_id"] == entries[1]["file_id"]
    _, [again] = _remote(service, url, {"key": "c", "size": 9})
    assert (again["size"], again["file_id"]) == (0, entries[0]["file_id"]), "in every record"
    _, known = _remote(service, url + "?b", {"key": "a", "size": 5, "checksum": md5}, {"key": "b"})
    assert [(entry["size"], entry["checksum"]) for entry in known] == [(5, md5), (5, md5)]
    assert draft.call("DELETE", "/a").status == 204
    assert draft.entry("b")["file_id"] == entries[0]["file_id"]


def test_who_is_sent_on_to_a_remote_file(service: Any, api: Api) -> None:
    url = "https://files.example/b"
    record = service.create({})
    root = Draft(service, record, service.superuser_token)
    root.started("a", transfer={"type": "R", "url": url})
    owner = Draft(service, record)
    for method in ("GET", "HEAD"):
        assert owner.call(method, "/a/content").status == 403
        reply = root.call(method, "/a/content")
        assert (reply.status, reply.headers["Location"]) == (302, url)
    service.configure(remote_for_all=True)
    assert owner.call("GET", "/a/content").headers["Location"] == url
