"""The local repository: files in parts, on local storage and on S3 (NRP protocol, section 6).

Parts that are sent at the same time: tests/faults/test_nrp_multipart.py.
"""

import hashlib
from typing import Any, Dict
from urllib.parse import urlsplit

from smartxfer.local import LocalServer
from tests.support.local import bare_client
from tests.support.local.nrp_calls import repository
from tests.support.local.nrp_file_calls import Draft, Reply, until

WHOLE = b"A" * 10 + b"B" * 10 + b"C" * 5
PIECES = {1: WHOLE[:10], 2: WHOLE[10:20], 3: WHOLE[20:]}

running = repository()


def begun(draft: Draft, key: str = "m.bin", size: int = 25, parts: int = 3, **values: Any) -> Any:
    transfer = {"type": "M", "parts": parts, "part_size": 10}
    return draft.started(key, size=size, transfer=transfer, **values)


def md5(data: bytes) -> str:
    return "md5:" + hashlib.md5(data).hexdigest()


def send_all(draft: Draft) -> None:
    for part, data in PIECES.items():
        draft.part("m.bin", part, data)


def test_a_part_that_changes_is_hashed_as_it_is(draft: Draft) -> None:
    begun(draft)
    for data in (bytes(25), b"\1" * 25, WHOLE):
        for part in PIECES:
            draft.part("m.bin", part, data[10 * part - 10 : 10 * part])
    assert draft.commit("m.bin").json()["checksum"] == md5(WHOLE)


def test_wrong_parts(draft: Draft) -> None:
    begun(draft)
    for part, data in ((1, b"x" * 11), (4, b"x" * 10), (0, b"x"), (1, iter([b"x" * 10])), (10**30, b"x" * 10)):
        reply = draft.part("m.bin", part, data)
        assert (reply.status, reply.json()["errors"]) == (200, "File upload transfer failed.")
    assert draft.part("m.bin", 0, b"x" * 10).status == 500
    assert Draft(draft.service, draft.id, draft.service.superuser_token).get("m.bin").body == bytes(25)
    assert draft.entry("m.bin")["status"] == "pending"
    draft.service.configure(wrong_part_is_200=False)
    assert draft.part("m.bin", 1, b"x").status == 400


def test_gaps_where_they_are_refused(draft: Draft) -> None:
    draft.service.configure(commit_with_gaps=False)
    begun(draft)
    draft.part("m.bin", 1, b"A" * 10)
    assert draft.commit("m.bin").status == 400
    assert draft.entry("m.bin")["status"] == "pending"


def test_a_given_checksum_that_no_header_can_carry(draft: Draft) -> None:
    begun(draft, checksum="md5:0\r\nX-Made: up")
    assert draft.commit("m.bin").status == 200
    reply = draft.get("m.bin")
    assert (reply.body, reply.headers["ETag"], reply.headers["X-Made"]) == (bytes(25), None, None)


def test_the_checksum_may_come_later(draft: Draft) -> None:
    draft.service.configure(checksum_delay=0.05)
    begun(draft)
    send_all(draft)
    entry = draft.commit("m.bin").json()
    assert (entry["status"], entry["checksum"]) == ("completed", None)
    look = until(lambda: draft.entry("m.bin"), lambda seen: seen["checksum"] is not None)
    assert look["checksum"] == md5(WHOLE)


# On S3 parts are sent to the storage's origin.


def sent(method: str, url: str, body: Any = None, headers: Any = None) -> Reply:
    """Send a request to a presigned or other URL."""
    parts = urlsplit(url)
    target = parts.path + "?" + parts.query
    return bare_client.request(f"{parts.scheme}://{parts.netloc}", method, target, body, headers)


def part_urls(draft: Draft, key: str = "m.bin") -> Dict[int, str]:
    return {part["part"]: part["url"] for part in draft.entry(key)["links"]["parts"]}


def test_parts_to_the_storage(draft: Draft) -> None:
    draft.service.configure(storage="s3", checksum_delay=0.05)
    entry = begun(draft)
    assert list(entry["links"]) == ["self", "commit", "parts"]
    tags = []
    for part, url in part_urls(draft).items():
        assert urlsplit(url).netloc != urlsplit(draft.service.url).netloc
        assert urlsplit(url).path.startswith("/storage/")
        reply = sent("PUT", url, PIECES[part])
        assert reply.status == 200
        tags.append(reply.headers["ETag"])
    assert tags == [f'"{hashlib.md5(piece).hexdigest()}"' for piece in PIECES.values()]
    joined = hashlib.md5(b"".join(hashlib.md5(piece).digest() for piece in PIECES.values()))
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


def test_the_storage_counts_parts(draft: Draft) -> None:
    draft.service.configure(storage="s3")
    begun(draft)
    urls = part_urls(draft)
    for part in (1, 3):
        sent("PUT", urls[part], PIECES[part])
    assert draft.commit("m.bin").status == 500
    assert draft.entry("m.bin")["status"] == "pending"
    # Another GET returns new links; a part may be sent twice.
    for part in (1, 2):
        assert sent("PUT", part_urls(draft)[part], PIECES[part]).status == 200
    assert draft.commit("m.bin").status == 200
    assert draft.service.read(draft.id, "m.bin") == WHOLE
    begun(draft, "deleted")
    late = part_urls(draft, "deleted")[1]
    assert draft.call("DELETE", "/deleted").status == 204
    for url in (urls[1], late):
        reply = sent("PUT", url, PIECES[1])
        assert (reply.status, b"<Code>NoSuchUpload</Code>" in reply.body) == (404, True)


def test_local_files_are_read_from_the_storage_too(draft: Draft) -> None:
    draft.sent("a.txt", b"hello world")
    draft.sent("empty", b"")
    draft.service.configure(storage="s3")
    url = draft.get("a.txt").headers["Location"]
    reply = sent("GET", url)
    assert (reply.body, reply.headers["Content-Type"]) == (b"hello world", "text/plain")
    assert reply.headers["ETag"] == '"5eb63bbbe01eeed093cb22bb8f5acdc3"'
    assert draft.call("HEAD", "/a.txt/content").status == 302
    assert sent("GET", draft.get("empty").headers["Location"]).body == b""
    draft.service.configure(presigned_seconds=0)
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
                    assert sent("PUT", link["url"], PIECES[link["part"]], bearer).status == 200
            link = draft.entry("late")["links"]["parts"][2]
            assert sent("PUT", link["url"], PIECES[3], bearer).status == 200
            assert draft.commit("late").status == 200
            assert not (draft.entry("late")["checksum"] or "").startswith("md5:")
        with LocalServer(data, services=["nrp"], nrp={"storage": storage}) as server:
            again = Draft(server.nrp, draft.id, draft.token)
            look = until(
                lambda: again.entry("late"), lambda seen: (seen["checksum"] or "").startswith("md5:")
            )
            assert look["checksum"] == md5(WHOLE)
            link = again.entry("m.bin")["links"]["parts"][2]
            assert sent("PUT", link["url"], PIECES[3], bearer).status == 200
            assert again.commit("m.bin").status == 200
            look = until(lambda: again.entry("m.bin"), lambda seen: seen["checksum"].startswith("md5:"))
            assert look["checksum"] == md5(WHOLE)
