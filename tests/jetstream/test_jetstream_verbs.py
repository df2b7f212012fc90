"""The verbs that all clients share, with JetStream, whose client does not transfer file content itself."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest

from smartxfer.errors import UsageError
from smartxfer.jetstream import API
from tests.support.jetstream_servers import JetStreamServers


def test_list_and_remove(harness: JetStreamServers, api: API) -> None:
    api.mkfile("/docs/a.txt")
    api.mkdir("/docs/inner")
    assert sorted(entry["name"] for entry in api.list("/docs")) == ["a.txt", "inner"]
    assert api.list(PurePosixPath("/docs")) == api.ls("/docs")
    assert [entry["name"] for entry in api.list()] == [entry["name"] for entry in api.ls()]
    assert api.remove("/docs/a.txt") is None
    assert [entry["name"] for entry in api.list("/docs")] == ["inner"]
    api.remove("/docs")
    assert "docs" not in [entry["name"] for entry in api.list("/")]


@pytest.mark.parametrize("wrong", ["", 5, b"/docs", ["/docs"]])
def test_one_path_is_meant(api: API, wrong: object) -> None:
    for call in (api.list, api.remove):
        with pytest.raises(UsageError, match="invalid target"):
            call(wrong)  # type: ignore[operator]


@pytest.mark.parametrize("root", ["/", "//", "/docs/..", ".", "..", "../..", "C:", "C:\\", "c:/"])
def test_a_root_is_not_removed(harness: JetStreamServers, api: API, root: str) -> None:
    before = len(harness.calls)
    with pytest.raises(UsageError, match="root of the server"):
        api.remove(root)
    assert len(harness.calls) == before
