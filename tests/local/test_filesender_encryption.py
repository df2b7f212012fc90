"""Encrypted transfers on the server's side: fields, sizes, offsets, ranges (FileSender protocol, section 9)."""

import base64
import http.client
import json
import re
from typing import Any, Dict, List

import pytest

from smartxfer.local import LocalServer
from smartxfer.local.filesender.encryption import blob_size, encrypted_size, stored_offset
from tests.support.local import bare_client as wire
from tests.support.local.releases import C, configured, each_release, is_2x, message

TRANSFER = "/rest.php/transfer"
AEAD = base64.b64encode(
    b'{"aeadversion":1,"chunkcount":3,"chunksize":1024,"iv":"AAAAAAAAAAAAAAAA","aeadterminator":1}'
).decode()
#: Options of a client for key versions with AES-GCM and with AES-CBC.
FIELDS: Dict[int, Dict[str, Any]] = {
    3: {
        "encryption_password_version": 1, "encryption_password_encoding": "none",
        "encryption_password_hash_iterations": 1000,
        "encryption_client_entropy": base64.b64encode(b"e" * 32).decode(),
    },
    1: {
        "encryption_password_version": 2, "encryption_password_encoding": "base64",
        "encryption_password_hash_iterations": 2000, "encryption_client_entropy": "",
    },
}  # fmt: skip

server = each_release(encryption_iterations=1000)


def create(site: wire.Site, size: int, version: int = 3, **more: Any) -> Any:
    file = {"name": "e.bin", "size": size, "iv": "QUJDREVGR0hJSktM", "aead": AEAD if version == 3 else ""}
    given = {"encryption": True, "encryption_key_version": version, "files": [file], **FIELDS[version]}
    options = {"get_a_link": False, "encryption": True}
    return site.create([], **{**given, "options": options, **more})


def blobs(size: int, version: int) -> List[bytes]:
    """Random bytes in place of encrypted chunks, which the server cannot distinguish."""
    plain = [min(C, size - at) for at in range(0, size, C)]
    return [bytes((65 + n,)) * blob_size(count, version) for n, count in enumerate(plain)]


def put(site: wire.Site, transfer: Any, offset: int, body: bytes, plain: int, **changes: Any) -> wire.Reply:
    headers = {
        "Content-Type": "application/octet-stream",
        "X-Filesender-Chunk-Offset": str(offset),
        "X-Filesender-Chunk-Size": str(plain),
        "X-Filesender-Chunk-Size-Encrypted": str(len(body)),
        "X-Filesender-Encrypted": "1",
        **{name.replace("_", "-"): value for name, value in changes.items()},
    }
    target = wire.chunk_target(transfer, wire.real_files(transfer)[0], offset)
    kept = {name: value for name, value in headers.items() if value is not None}
    return site.bare("PUT", target, body, kept)


def upload(site: wire.Site, size: int, version: int) -> Any:
    transfer = create(site, size, version)
    for place, blob in enumerate(blobs(size, version)):
        reply = put(site, transfer, place * C, blob, min(C, size - place * C))
        assert reply.json() == {"offset": place * (C + 32), "written": len(blob)}
    site.complete(transfer)
    return transfer


def fetched(site: wire.Site, transfer: Any, start: int, count: int) -> bytes:
    return site.fetch(transfer, {"Range": f"bytes={start}-{start + count - 1}"}).body


@pytest.mark.parametrize("version", [1, 3])
def test_fields_come_back(site: wire.Site, version: int) -> None:
    transfer = create(site, 2500, version)
    assert transfer["options"]["encryption"] is True
    assert re.fullmatch(r"[A-Za-z0-9+/]{32}", transfer["salt"])
    place = "{}/{}".format(TRANSFER, transfer["id"])
    assert site.call("GET", place + "/salt").json() == transfer["salt"]
    for n, blob in enumerate(blobs(2500, version)):
        put(site, transfer, n * C, blob, min(C, 2500 - n * C))
    site.complete(transfer)
    given = FIELDS[version]
    expected: Dict[str, Any] = {
        "encrypted_size": 2596 if version == 3 else 2500 + 32 * 2 + 16 + 12,
        "key_version": version,
        "key_salt": transfer["salt"],
        "password_version": given["encryption_password_version"],
        "password_encoding": given["encryption_password_encoding"],
        "password_hash_iterations": given["encryption_password_hash_iterations"],
        "client_entropy": given["encryption_client_entropy"],
        "fileiv": "QUJDREVGR0hJSktM",
        "fileaead": AEAD if version == 3 else "",
    }
    token = "?token=" + transfer["recipients"][0]["token"]
    [facts] = site.call("GET", TRANSFER + "/fileidsextended" + token).json()
    assert (facts["encrypted"], facts["size"]) == (True, 2500)
    for name, value in expected.items():
        assert facts[name] == facts[name.replace("_", "-")] == value, name


def test_the_field_beside_the_options_decides(site: wire.Site) -> None:
    for field in (None, False, "false"):
        plain = create(site, 10, encryption=field)
        assert plain["options"]["encryption"] is False
    assert create(site, 10, options={"get_a_link": True})["options"]["encryption"] is True


@pytest.mark.parametrize("version", [1, 3])
@pytest.mark.parametrize("size", [0, 1, 15, 16, C - 1, C, C + 1, 3 * C + 1])
def test_sizes_and_chunks(site: wire.Site, size: int, version: int) -> None:
    transfer = upload(site, size, version)
    stored = blobs(size, version)
    total = sum(map(len, stored))
    head = wire.request(site.url, "HEAD", wire.download_target(transfer))
    assert head.headers["Content-Length"] == str(total)
    for place, blob in enumerate(stored):
        assert fetched(site, transfer, place * C, len(blob)) == blob
    if size > C:
        # Boundaries lose 32 bytes on real servers.
        with pytest.raises(http.client.IncompleteRead) as short:
            site.fetch(transfer)
        lost = {C + 1: 32, 3 * C + 1: 64}[size]
        assert (len(short.value.partial), short.value.expected) == (total - lost, lost)
    else:
        assert site.fetch(transfer).body == b"".join(stored)


def test_a_whole_file_from_a_server_without_the_fault(server: LocalServer, site: wire.Site) -> None:
    transfer = upload(site, 2500, 3)
    with configured(server, strict_ranges=False):
        assert site.fetch(transfer).body == b"".join(blobs(2500, 3))
        for place, blob in enumerate(blobs(2500, 3)):
            assert fetched(site, transfer, place * C, len(blob)) == blob


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Chunk_Size", "1023"), ("Chunk_Size", "1056"), ("Chunk_Size", "x"), ("Chunk_Size_Encrypted", "1055"),
        ("Encrypted", "0"), ("File_Size", "2596"), ("Chunk_Offset", "1056"),
    ],
)  # fmt: skip
def test_wrong_headers(server: LocalServer, site: wire.Site, name: str, value: str) -> None:
    transfer = create(site, 2500)
    reply = put(site, transfer, 0, bytes(C + 32), C, **{"X_Filesender_" + name: value})
    if reply.status == 500:
        # A 3.x reads the number of bytes in the header, and fails.
        assert (is_2x(server), reply.body) == (False, b"")
    else:
        assert message(reply) == (400, "rest_sanity_check_failed")
    target = "/rest.php/file/{}/chunk/0".format(wire.real_files(transfer)[0]["id"])
    headers = {"X-Filesender-Chunk-Size": "1024", "X-Filesender-Chunk-Size-Encrypted": "1056"}
    headers["X-Filesender-" + name.replace("_", "-")] = value
    signed = site.bare("PUT", site.signed("PUT", target, bytes(C + 32)), bytes(C + 32), headers)
    assert message(signed) == (400, "rest_sanity_check_failed")


def test_bounds_and_completion(site: wire.Site) -> None:
    transfer = create(site, 2500)
    assert message(put(site, transfer, 3 * C, bytes(132), 100)) == (500, "file_chunk_out_of_bounds")
    assert message(put(site, transfer, 2 * C, bytes(C + 32), C)) == (500, "file_chunk_out_of_bounds")
    assert message(put(site, transfer, 0, bytes(C + 33), C + 1)) == (500, "storage_chunk_too_large")
    file = wire.real_files(transfer)[0]
    done = "/rest.php/file/{}".format(file["id"])
    for place in range(2):
        assert put(site, transfer, place * C, bytes(C + 32), C).status == 200
        assert message(site.call("PUT", done, {"complete": True})) == (500, "file_integrity_check_failed")
    assert put(site, transfer, 2 * C, bytes(484), 452).status == 200
    assert site.call("PUT", done, {"complete": True}).json() is True


def test_the_size_of_a_chunk_in_base64(server: LocalServer, site: wire.Site) -> None:
    stored = blobs(2500, 3)
    if not is_2x(server):
        text = base64.b64encode(stored[0])
        with configured(server, base64_chunks=True):
            for length in (len(text), len(stored[0])):
                changes = {"X_Filesender_Chunk_Size_Encrypted": str(length)}
                refused = put(site, create(site, 2500), 0, text, C, **changes)
                assert message(refused) == (400, "rest_sanity_check_failed")
        return
    with configured(server, base64_chunks=True):
        transfer = create(site, 2500)
        file = wire.real_files(transfer)[0]
        for place, blob in enumerate(stored[:2]):
            # The header contains the length of the text or of the decoded bytes.
            length = str(len(blob)) if place else str(len(base64.b64encode(blob)))
            changes = {"X_Filesender_Chunk_Size_Encrypted": length}
            reply = put(site, transfer, place * C, base64.b64encode(blob), C, **changes)
            assert reply.json() == {"offset": place * (C + 32), "written": len(blob)}
        target = "/rest.php/file/{}/chunk/{}".format(file["id"], 2 * C)
        text = base64.b64encode(stored[2])
        signed = site.bare("PUT", site.signed("PUT", target, text), text)
        assert signed.json() == {"offset": 2 * (C + 32), "written": 484}
        assert message(put(site, transfer, 0, b"?" * 1408, C)) == (400, "rest_sanity_check_failed")
        wrong = put(site, transfer, 0, base64.b64encode(stored[0][:-1]), C)
        assert message(wrong) == (400, "rest_sanity_check_failed")
        site.complete(transfer)
        # Plain chunks are not decoded.
        assert site.fetch(site.send("p", b"QUJD")).body == b"QUJD"
    assert [fetched(site, transfer, n * C, len(blob)) for n, blob in enumerate(stored)] == stored


def test_published_values(server: LocalServer, site: wire.Site) -> None:
    def published(*names: str) -> List[str]:
        script = site.bare("GET", "/filesender-config.js.php").body.decode()
        return [re.findall(rf"^ *{name}: '?([^',]*)'?,$", script, re.MULTILINE)[0] for name in names]

    switches = ("encryption_mandatory", "encryption_encode_encrypted_chunks_in_base64_during_upload")
    assert published("encryption_password_hash_iterations_new_files", *switches) == ["1000", "false", "false"]
    assert published("upload_chunk_size", "upload_crypted_chunk_size") == ["1024", "1056"]
    changes: Dict[str, Any] = {"encryption_mandatory": True, "base64_chunks": True}
    with configured(server, **changes, max_transfer_encrypted_file_size=9):
        assert published("max_transfer_encrypted_file_size", *switches) == ["9", "true", "true"]
    with LocalServer(services=["filesender"]) as stock:
        text = wire.Site(stock.filesender).bare("GET", "/filesender-config.js.php").body
    assert b"encryption_password_hash_iterations_new_files: '4096000'," in text


def test_a_site_where_encryption_is_mandatory(server: LocalServer, site: wire.Site) -> None:
    with configured(server, encryption_mandatory=True):
        body = {"from": "ann@example.org", "files": [{"name": "a", "size": 1}], "options": {}}
        for more in ({}, {"encryption": False}, {"options": {"encryption": True}}):
            reply = site.call("POST", TRANSFER, {**body, **more})
            assert message(reply) == (500, "transfer_must_be_encrypted")
        upload(site, 10, 3)


def test_each_kind_of_file_has_its_limit(server: LocalServer, site: wire.Site) -> None:
    with configured(server, max_transfer_encrypted_file_size=50, max_transfer_file_size=100):

        def ask(size: int, encrypted: bool) -> wire.Reply:
            body = {"from": "ann@example.org", "options": {}, "encryption": encrypted}
            return site.call("POST", TRANSFER, {**body, "files": [{"name": "a", "size": size}]})

        # The limit applies to the plain size, even of encrypted files.
        assert [ask(50, True).status, ask(100, False).status] == [201, 201]
        assert message(ask(51, True)) == (500, "transfer_maximum_encrypted_file_size_exceeded")
        assert message(ask(101, False)) == (500, "transfer_maximum_file_size_exceeded")
    with configured(server, max_transfer_file_size=100):
        assert create(site, 101)["options"]["encryption"] is True


def test_a_failed_decryption_is_noted(site: wire.Site) -> None:
    transfer = upload(site, 10, 3)
    place = "{}/{}".format(TRANSFER, transfer["id"])
    assert site.call("PUT", place, {"decryptfailed": True}).json() == []
    events = [entry["event"] for entry in site.call("GET", place + "/auditlog").json()]
    assert events[-1] == "transfer_decrypt_failed"


def test_the_server_keeps_what_it_got(server: LocalServer, site: wire.Site) -> None:
    transfer = upload(site, 2500, 1)
    [file] = wire.real_files(transfer)
    with open(server.filesender.stored(file["id"]), "rb") as stream:
        assert stream.read() == b"".join(blobs(2500, 1))
    [row] = [row for row in server.filesender.transfers() if row["id"] == transfer["id"]]
    assert json.loads(row["encryption"])["key_version"] == 1


def test_sizes_by_the_formulas_of_the_page() -> None:
    for size in (0, 1, 15, 16, C - 1, C, C + 1, 2 * C, 3 * C + 1):
        chunks = -(-size // C)
        last = size - (chunks - 1) * C
        gcm = size + 32 * chunks
        cbc = size + 32 * (chunks - 1) + 16 - last % 16 + 16 if size else 0
        for version in (2, 3):
            assert encrypted_size(size, C, {"encryption": True, "key_version": version}) == gcm
        for version in (0, 1):
            assert encrypted_size(size, C, {"encryption": True, "key_version": version}) == cbc
        assert encrypted_size(size, C, {"encryption": False, "key_version": 0}) == cbc
    assert [stored_offset(place * C, C) for place in range(3)] == [0, 1056, 2112]
