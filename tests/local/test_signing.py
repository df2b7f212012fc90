"""Signatures, time windows, host names, and who may do what."""

from typing import Any

import pytest

from smartxfer.local import LocalServer
from tests.support.local import bare_client as wire
from tests.support.local.releases import message

FAILED = (500, "auth_remote_signature_check_failed")
LATE = (500, "auth_remote_too_late")
ME = "/rest.php/user/@me"


def test_the_name_of_the_server_has_no_port(site: wire.Site) -> None:
    assert site.call("GET", ME).json()["saml_id"] == "ann@example.org"
    with_port = site.url[len("http://") :]
    assert message(site.call("GET", ME, name=with_port)) == FAILED


@pytest.mark.parametrize("given", ["host:port", "127.0.0.1:{}", "fs.example.org"])
def test_an_administrator_names_the_server(given: str) -> None:
    with LocalServer(services=["filesender"]) as server:
        port = server.filesender.listener.port
        server.filesender.configure(server_name=given.format(port))
        name = f"127.0.0.1:{port}" if given == "host:port" else given.format(port)
        site = wire.Site(server.filesender)
        assert message(site.call("GET", ME)) == FAILED
        assert site.call("GET", ME, name=name).status == 200


def test_below_a_base_path() -> None:
    with LocalServer(services=["filesender"], filesender={"base_path": "/file/sender/"}) as server:
        site = wire.Site(server.filesender)
        assert site.url.endswith("/file/sender")
        transfer = site.send("a.bin", b"abc")
        assert transfer["recipients"][0]["download_url"].startswith(site.url + "/?s=download")
        assert site.fetch(transfer).body == b"abc"
        outside = wire.request(site.url[: -len("/file/sender")], "GET", "/rest.php/info")
        assert outside.status == 404
        fault = server.fault("filesender", "GET /rest.php/info", "status 500")
        assert site.bare("GET", "/rest.php/info").status == 500
        assert fault.fired == 1
        assert server.filesender.requests[-1].path == "/rest.php/info"


def test_the_clock_of_the_server_counts(server: LocalServer, site: wire.Site) -> None:
    server.filesender.configure(clock_offset=600.0)
    late = site.call("GET", ME)
    assert message(late) == LATE
    assert site.call("GET", ME, stamp=int(server.filesender.now())).status == 200


def test_the_window_is_measured_when_the_body_has_come(server: LocalServer, site: wire.Site) -> None:
    transfer = site.create([("a.bin", 100_000)])
    file = wire.real_files(transfer)[0]
    # The request takes more than a second, because the window is in full seconds.
    server.fault("filesender", "PUT /rest.php/file/*", "rate 50K")
    target = "/rest.php/file/{}/chunk/0".format(file["id"])
    body = b"x" * 100_000
    stamp = int(server.filesender.now()) - 15
    signed = site.signed("PUT", target, body, stamp=stamp)
    assert message(site.bare("PUT", signed, body)) == LATE
    assert server.filesender.transfers()[0]["files"][0]["stored"] == 0


def test_what_is_not_verified_is_never_stored(server: LocalServer, site: wire.Site) -> None:
    transfer = site.create([("a.bin", 10)])
    file = wire.real_files(transfer)[0]
    target = "/rest.php/file/{}/chunk/0".format(file["id"])
    signed = site.signed("PUT", target, b"0123456789")
    assert message(site.bare("PUT", signed, b"0123456780")) == FAILED
    assert server.filesender.transfers()[0]["files"][0]["stored"] == 0
    assert server.filesender.transfers()[0]["status"] == "started"
    reply = site.bare("PUT", signed, b"0123456789")
    assert reply.json() == {"offset": 0, "written": 10}


@pytest.mark.parametrize("changes", [{"key": ""}, {"user": "unknown@example.org"}, {"user": ""}])
def test_wrong_keys_and_users(site: wire.Site, changes: Any) -> None:
    assert message(site.call("GET", ME, **{"user": "unknown@example.org", **changes})) == FAILED


def test_queries_that_can_and_cannot_verify(site: wire.Site) -> None:
    assert site.call("GET", ME + "?a=b%20c&z=%C3%A9&A=1").status == 200
    # Arrays are flattened in the signed text.
    assert site.call("GET", ME + "?x%5Bb%5D=2&x%5Ba%5D=1").status == 200
    # The sanitiser comes before the check.
    assert message(site.call("GET", ME + "?a=%3Cx")) == FAILED
    assert message(site.call("GET", ME + "?a=%26amp%3B")) == FAILED
    # A `_` argument is not signed.
    signed = site.signed("GET", ME)
    assert site.bare("GET", signed + "&_=123").status == 200
    assert site.bare("GET", signed.replace("%40", "@")).status == 200


def test_a_body_beyond_the_front_end(site: wire.Site) -> None:
    transfer = site.create([("a", 1)])
    target = wire.chunk_target(transfer, wire.real_files(transfer)[0], 0)
    headers = {"Content-Length": str(40 << 20), "Expect": "100-continue"}
    reply = site.bare("PUT", target, b"x", headers)
    assert reply.status == 413
