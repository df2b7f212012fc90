"""The local repository: files in parts, on local storage and on S3 (NRP protocol, section 6)."""

import concurrent.futures
import hashlib
import threading
from typing import Any, Dict, Iterator
from urllib.parse import urlsplit

import pytest

from smartxfer.local import LocalServer
from tests.support.local import bare_client
from tests.support.local.nrp_file_calls import Draft, Reply, path_of

FAILED = "File upload transfer failed."
WHOLE = b"A" * 10 + b"B" * 10 + b"C" * 5


@pytest.fixture(scope="module")
def repository() -> Iterator[Any]:
    with LocalServer(services=["nrp"], nrp={"rate_limit": 100_000}) as server:
        yield server.nrp
        assert server.nrp.listener.crashes == []


@pytest.fixture
def draft(repository: Any) -> Draft:
    return Draft(repository)


@pytest.fixture
def configured(repository: Any) -> Iterator[Any]:
    """Change the configuration for one test."""
    yield repository.configure
    repository.configure(
        storage="local", checksum_delay=0.0, commit_with_gaps=True, wrong_part_is_200=True,
        presigned_seconds=60, part_seconds=604800,
    )  # fmt: skip


def begun(draft: Draft, key: str = "m.bin", size: int = 25, parts: int = 3, **values: Any) -> Any:
    transfer = {"type": "M", "parts": parts, "part_size": 10}
    return draft.started(key, size=size, transfer=transfer, **values)


def superuser(draft: Draft) -> Draft:
    """Return the same draft as seen by a superuser."""
    return Draft(draft.service, draft.id, draft.service.superuser_token)


def pieces(data: bytes = WHOLE) -> Dict[int, bytes]:
    return {at // 10 + 1: data[at : at + 10] for at in range(0, len(data), 10)}


def md5(data: bytes) -> str:
    return "md5:" + hashlib.md5(data).hexdigest()


def error(reply: Reply) -> Any:
    return reply.status, reply.json().get("errors")


def until(look: Any, wanted: Any) -> Any:
    """Poll a condition for at most 10 seconds."""
    pause = threading.Event()
    for _ in range(1000):
        seen = look()
        if wanted(seen):
            return seen
        pause.wait(0.01)
    raise AssertionError(seen)


def test_the_entry_while_it_waits_for_parts(draft: Draft) -> None:
    entry = begun(draft)
    assert list(entry)[9:] == ["key", "size", "transfer", "status", "checksum", "storage_class"]
    assert entry["transfer"] == {"type": "M", "part_size": 10, "parts": 3}
    assert (entry["status"], entry["checksum"], entry["size"]) == ("pending", None, 25)
    assert list(entry["links"]) == ["self", "commit", "parts"]
    own = path_of(draft.service, entry["links"]["self"])
    assert [(part["part"], path_of(draft.service, part["url"])) for part in entry["links"]["parts"]] == [
        (number, f"{own}/content/{number}") for number in (1, 2, 3)
    ]
    assert all(part["expiration"].endswith("+00:00") for part in entry["links"]["parts"])
    # A superuser gets zeros for missing parts, others get an error.
    assert draft.get("m.bin").status == draft.call("HEAD", "/m.bin/content").status == 403
    reply = superuser(draft).get("m.bin")
    assert (reply.status, reply.body, reply.headers["ETag"]) == (200, bytes(25), None)


def test_parts_in_any_order(draft: Draft) -> None:
    begun(draft)
    for part in (3, 1, 2, 1):
        reply = draft.part("m.bin", part, pieces()[part])
        assert (reply.status, reply.json()["status"]) == (200, "pending")
        assert "errors" not in reply.json()
    entry = draft.commit("m.bin").json()
    assert (entry["transfer"], entry["status"]) == ({"type": "L"}, "completed")
    assert (entry["checksum"], entry["size"]) == (md5(WHOLE), 25)
    assert list(entry["links"]) == ["self", "content", "commit"]
    assert draft.get("m.bin").body == WHOLE
    assert draft.commit("m.bin").json()["metadata"] == {}
    reply = draft.part("m.bin", 1, b"A" * 10)
    text = 'Transfer type "L" does not support multipart uploads.'
    assert (reply.status, reply.json()["message"]) == (400, text)


def test_parts_at_the_same_time(draft: Draft) -> None:
    data = hashlib.sha256(b"parts").digest() * 2048  # 64 KiB
    size = len(data) // 16
    transfer = {"type": "M", "parts": 16, "part_size": size}
    draft.started("m", size=len(data), transfer=transfer)

    def send(part: int) -> int:
        return draft.part("m", part, data[(part - 1) * size : part * size]).status

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert set(pool.map(send, range(1, 17))) == {200}
    assert draft.commit("m").json()["checksum"] == md5(data)
    assert draft.get("m").body == data


def test_a_part_that_changes_is_hashed_as_it_is(draft: Draft) -> None:
    begun(draft)
    for data in (bytes(25), b"\1" * 25, WHOLE):
        for part, piece in pieces(data).items():
            draft.part("m.bin", part, piece)
    assert draft.commit("m.bin").json()["checksum"] == md5(WHOLE)


def test_errors_of_parts_have_status_200(draft: Draft) -> None:
    begun(draft)
    for part, data in (
        (1, b"x"),
        (1, b"x" * 11),
        (4, b"x" * 10),
        (0, b"x"),
        (1, iter([b"x" * 10])),
        (10**30, b"x" * 10),
    ):
        assert error(draft.part("m.bin", part, data)) == (200, FAILED)
    assert draft.part("m.bin", 0, b"x" * 10).status == 500
    assert superuser(draft).get("m.bin").body == bytes(25)
    assert draft.entry("m.bin")["status"] == "pending"


def test_wrong_parts_as_one_would_expect(draft: Draft, configured: Any) -> None:
    configured(wrong_part_is_200=False)
    begun(draft)
    assert draft.part("m.bin", 1, b"x").status == 400


def test_whole_content_ends_a_file_in_parts(draft: Draft) -> None:
    begun(draft)
    assert error(draft.put("m.bin", WHOLE)) == (200, FAILED)
    assert draft.keys() == []
    assert draft.part("m.bin", 1, b"x" * 10).status == 404


def test_the_last_part_may_be_longer(draft: Draft) -> None:
    begun(draft)
    for part, data in {**pieces(), 3: b"C" * 9}.items():
        draft.part("m.bin", part, data)
    # As seen on a real server: counted in the checksum, but not served.
    assert draft.commit("m.bin").json()["checksum"] == "md5:d698fd7b84e132871d5be65573ba9256"
    assert draft.get("m.bin").body == WHOLE


def test_gaps_are_zeros(draft: Draft, configured: Any) -> None:
    begun(draft, "inc")
    draft.part("inc", 1, b"A" * 10)
    entry = draft.commit("inc").json()
    assert (entry["status"], entry["checksum"]) == ("completed", "md5:58027a47ef48ec46d49b0809c27844c1")
    assert draft.get("inc").body == b"A" * 10 + bytes(15)
    begun(draft, "ml.bin", parts=2)
    draft.part("ml.bin", 2, b"B" * 15)
    assert draft.commit("ml.bin").json()["checksum"] == "md5:ddde927cd21dc244471d28633d5fe85e"
    configured(commit_with_gaps=False)
    begun(draft, "strict")
    draft.part("strict", 1, b"A" * 10)
    assert draft.commit("strict").status == 400
    assert draft.entry("strict")["status"] == "pending"


def test_a_given_checksum_is_believed(draft: Draft) -> None:
    given = "md5:" + "0" * 32
    begun(draft, checksum=given)
    for part, data in pieces().items():
        draft.part("m.bin", part, data)
    entry = draft.commit("m.bin").json()
    assert list(entry)[9:] == ["key", "checksum", "size", "transfer", "status", "storage_class"]
    assert entry["checksum"] == given
    assert draft.get("m.bin").headers["ETag"] == f'"{given}"'


def test_a_given_checksum_that_no_header_can_carry(draft: Draft) -> None:
    begun(draft, checksum="md5:0\r\nX-Made: up")
    assert draft.commit("m.bin").status == 200
    reply = draft.get("m.bin")
    assert (reply.body, reply.headers["ETag"], reply.headers["X-Made"]) == (bytes(25), None, None)


def test_a_start_that_is_undone_leaves_nothing(draft: Draft) -> None:
    transfer = {"type": "M", "parts": 1, "part_size": 100}
    reply = draft.start({"key": "m", "size": 100, "transfer": transfer}, {"key": "m"})
    assert reply.status == 400
    draft.sent("a", b"xy")
    with open(draft.service.stored_path(draft.id, "a"), "rb") as stream:
        assert stream.read() == b"xy"


def test_the_checksum_may_come_later(draft: Draft, configured: Any) -> None:
    configured(checksum_delay=0.05)
    begun(draft)
    for part, data in pieces().items():
        draft.part("m.bin", part, data)
    entry = draft.commit("m.bin").json()
    assert (entry["status"], entry["checksum"]) == ("completed", None)
    look = until(lambda: draft.entry("m.bin"), lambda seen: seen["checksum"] is not None)
    assert look["checksum"] == md5(WHOLE)


@pytest.mark.parametrize(
    ("size", "transfer", "wanted"),
    [
        (25, {"parts": 3}, "Multipart file transfer to local storage requires part_size."),
        (None, {"parts": 3, "part_size": 10}, "Multipart file transfer requires file size."),
        (25, {}, [{"field": "0.transfer.parts", "messages": ["Missing data for required field."]}]),
        (25, {"parts": 0, "part_size": 10},
         [{"field": "0.transfer.parts", "messages": ["Must be greater than or equal to 1."]}]),
        (25, {"parts": 3, "part_size": 10, "bogus": 1},
         [{"field": "0.transfer.bogus", "messages": ["Unknown field."]}]),
    ],
)  # fmt: skip
def test_starts_that_are_not_valid(draft: Draft, size: Any, transfer: Any, wanted: Any) -> None:
    sized = {} if size is None else {"size": size}
    reply = draft.start({"key": "m", "transfer": {"type": "M", **transfer}, **sized})
    assert reply.status == 400
    assert reply.json()["message" if isinstance(wanted, str) else "errors"] == wanted
    assert draft.keys() == []


# On S3 parts are sent to the storage's origin.


def sent(method: str, url: str, body: Any = None, headers: Any = None) -> Reply:
    """Send a request to a presigned or other URL."""
    parts = urlsplit(url)
    target = parts.path + "?" + parts.query
    return bare_client.request(f"{parts.scheme}://{parts.netloc}", method, target, body, headers)


def part_urls(draft: Draft, key: str = "m.bin") -> Dict[int, str]:
    return {part["part"]: part["url"] for part in draft.entry(key)["links"]["parts"]}


def test_parts_to_the_storage(draft: Draft, configured: Any) -> None:
    configured(storage="s3", checksum_delay=0.05)
    entry = begun(draft)
    assert list(entry["links"]) == ["self", "commit", "parts"]
    tags = []
    for part, url in part_urls(draft).items():
        assert urlsplit(url).netloc != urlsplit(draft.service.url).netloc
        assert urlsplit(url).path.startswith("/storage/")
        reply = sent("PUT", url, pieces()[part])
        assert reply.status == 200
        tags.append(reply.headers["ETag"])
    assert tags == [f'"{hashlib.md5(piece).hexdigest()}"' for piece in pieces().values()]
    joined = hashlib.md5(b"".join(hashlib.md5(piece).digest() for piece in pieces().values()))
    entry = draft.commit("m.bin").json()
    assert (entry["status"], entry["transfer"]) == ("completed", {"type": "L"})
    assert entry["checksum"] == f"multipart:{joined.hexdigest()}-3-10"
    later = until(lambda: draft.entry("m.bin"), lambda seen: seen["checksum"].startswith("md5:"))
    assert later["checksum"] == md5(WHOLE)
    reply = draft.get("m.bin")
    assert (reply.status, reply.body) == (302, b"")
    url = reply.headers["Location"]
    reply = sent("GET", url)
    assert (reply.status, reply.body) == (200, WHOLE)
    assert reply.headers["ETag"] == f'"{joined.hexdigest()}-3"'
    assert reply.headers["Content-Disposition"] == "attachment; filename=m.bin"
    reply = sent("GET", url, None, {"Range": "bytes=8-21"})
    assert (reply.status, reply.body) == (206, WHOLE[8:22])
    assert reply.headers["Content-Range"] == "bytes 8-21/25"
    assert sent("HEAD", url).status == 403
    assert draft.service.read(draft.id, "m.bin") == WHOLE
    with open(draft.service.stored_path(draft.id, "m.bin"), "rb") as stream:
        assert stream.read() == WHOLE
    assert sent("GET", url).body == WHOLE


def test_the_storage_counts_parts(draft: Draft, configured: Any) -> None:
    configured(storage="s3")
    begun(draft)
    urls = part_urls(draft)
    for part in (1, 3):
        sent("PUT", urls[part], pieces()[part])
    assert draft.commit("m.bin").status == 500
    assert draft.entry("m.bin")["status"] == "pending"
    # Another GET returns new links; a part may be sent twice.
    for part in (1, 2):
        assert sent("PUT", part_urls(draft)[part], pieces()[part]).status == 200
    assert draft.commit("m.bin").status == 200
    assert draft.service.read(draft.id, "m.bin") == WHOLE
    assert sent("PUT", urls[1], pieces()[1]).status == 404


def test_what_the_storage_turns_down(draft: Draft, configured: Any) -> None:
    configured(storage="s3")
    begun(draft)
    url = part_urls(draft)[1]
    bearer = {"Authorization": "Bearer " + draft.token}
    for reply in (sent("PUT", url, b"A" * 10, bearer), sent("PUT", url + "0", b"A" * 10), sent("GET", url)):
        assert reply.status in (400, 403)
        assert reply.body.startswith(b"<?xml")
    assert draft.call("DELETE", "/m.bin").status == 204
    reply = sent("PUT", url, b"A" * 10)
    assert (reply.status, b"<Code>NoSuchUpload</Code>" in reply.body) == (404, True)


def test_local_files_are_read_from_the_storage_too(draft: Draft, configured: Any) -> None:
    draft.sent("a.txt", b"hello world")
    draft.sent("empty", b"")
    configured(storage="s3")
    url = draft.get("a.txt").headers["Location"]
    reply = sent("GET", url)
    assert (reply.body, reply.headers["Content-Type"]) == (b"hello world", "text/plain")
    assert reply.headers["ETag"] == '"5eb63bbbe01eeed093cb22bb8f5acdc3"'
    assert draft.call("HEAD", "/a.txt/content").status == 302
    assert sent("GET", draft.get("empty").headers["Location"]).body == b""
    configured(presigned_seconds=0)
    late = draft.get("a.txt").headers["Location"]
    assert until(lambda: sent("GET", late).status, lambda status: status == 403) == 403


def test_parts_outlive_a_restart(tmp_path: Any) -> None:
    for storage in ("local", "s3"):
        data = tmp_path / storage
        with LocalServer(data, services=["nrp"], nrp={"storage": storage, "checksum_delay": 60.0}) as server:
            draft = Draft(server.nrp)
            begun(draft)
            begun(draft, "late")
            for key in ("m.bin", "late"):
                for link in draft.entry(key)["links"]["parts"][:2]:
                    bearer = {} if storage == "s3" else {"Authorization": "Bearer " + draft.token}
                    assert sent("PUT", link["url"], pieces()[link["part"]], bearer).status == 200
            link = draft.entry("late")["links"]["parts"][2]
            assert sent("PUT", link["url"], pieces()[3], bearer).status == 200
            assert draft.commit("late").status == 200
            assert not (draft.entry("late")["checksum"] or "").startswith("md5:")
        with LocalServer(data, services=["nrp"], nrp={"storage": storage}) as server:
            again = Draft(server.nrp, draft.id, draft.token)
            look = until(
                lambda: again.entry("late"), lambda seen: (seen["checksum"] or "").startswith("md5:")
            )
            assert look["checksum"] == md5(WHOLE)
            link = again.entry("m.bin")["links"]["parts"][2]
            assert sent("PUT", link["url"], pieces()[3], bearer).status == 200
            assert again.commit("m.bin").status == 200
            look = until(lambda: again.entry("m.bin"), lambda seen: seen["checksum"].startswith("md5:"))
            assert look["checksum"] == md5(WHOLE)
