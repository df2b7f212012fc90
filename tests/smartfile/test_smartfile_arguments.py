"""Arguments in the vendor's order or of another type are a UsageError before anything is sent."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any, Callable, List, Tuple

import pytest

from smartxfer.errors import UsageError
from smartxfer.smartfile import BasicClient, SyncClient

Use = Callable[[BasicClient, Any], Any]


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> BasicClient:
    """A client that may send nothing."""

    def refuse(*given: Any, **named: Any) -> None:
        raise AssertionError("a request is sent")

    monkeypatch.setattr("smartxfer.transport.http_transport.HTTPTransport._send_following_redirects", refuse)
    return BasicClient("key", "password", url="http://127.0.0.1:9")


@pytest.mark.parametrize("name", ["dir/test.txt", "/dir/test.txt", "dir/test.txt/", Path("dir/test.txt")])
@pytest.mark.parametrize("content", [io.BytesIO(b"x"), io.StringIO("x"), b"x", bytearray(b"x")], ids=type)
def test_the_vendors_argument_order_is_an_error_with_a_hint(client: BasicClient, name: Any, content: Any) -> None:
    for use in (client.upload, SyncClient(client).upload):
        with pytest.raises(UsageError) as caught:
            use(name, content)
        assert caught.value.hint == "call upload(file, '/dir/test.txt')"


def test_an_existing_file_of_that_name_changes_nothing(client: BasicClient, tmp_path: Path) -> None:
    (tmp_path / "test.txt").touch()
    with (tmp_path / "test.txt").open("rb") as file, pytest.raises(UsageError, match="first"):
        client.upload(str(tmp_path / "test.txt"), file)  # type: ignore[arg-type]


def test_the_hint_works(live: BasicClient, harness: Any) -> None:
    live.upload(io.BytesIO(b"x"), "/test.txt")
    assert harness.site.read("/test.txt") == b"x"


#: (what is called, what it is called with); "text" is where these are valid.
PLACES: List[Tuple[str, Use]] = [
    ("target", lambda api, thing: api.upload(b"x", thing)),
    ("target", lambda api, thing: SyncClient(api).upload(__file__, thing)),
    ("remote", lambda api, thing: api.download(thing, "x")),
    ("remote", lambda api, thing: SyncClient(api).download("x", thing)),
    ("remote", lambda api, thing: api.delete_link(thing)),
    ("remote", lambda api, thing: api.stat(thing)),
    ("local", lambda api, thing: api.upload(thing, "/x")),
    ("local", lambda api, thing: api.upload_tree(thing, "/x")),
    ("local", lambda api, thing: SyncClient(api).upload_tree(thing, "/x")),
    ("sink", lambda api, thing: api.download("/x", thing)),
    ("sink", lambda api, thing: SyncClient(api).download(thing, "/x")),
    ("sink", lambda api, thing: SyncClient(api).download_tree(thing, "/x")),
    ("word", lambda api, thing: api.checksum("/x", thing)),
]


@pytest.mark.parametrize("thing", [None, 5, {"a": 1}, object(), io.StringIO("x")], ids=type)
@pytest.mark.parametrize(("kind", "use"), PLACES)
def test_another_type_is_an_error(client: BasicClient, kind: str, use: Use, thing: Any) -> None:
    with pytest.raises(UsageError):
        use(client, thing)


@pytest.mark.parametrize("thing", [io.BytesIO(b"x"), b"x", [1], {"a": 1}], ids=type)
def test_content_in_place_of_an_id(client: BasicClient, thing: Any) -> None:
    for call in (client.get, client.put, client.post, client.delete):
        with pytest.raises(UsageError, match="second argument"):
            call("path/data", thing)


def test_a_target_that_is_open_for_reading(client: BasicClient) -> None:
    with open(__file__, "rb") as file, pytest.raises(UsageError, match="writing"):
        client.download("/x", file)
