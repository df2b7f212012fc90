from __future__ import annotations

import multiprocessing
from typing import Any, Callable, Dict, Iterator

import pytest

from smartxfer.errors import ServerError
from smartxfer.transport import Attempt, HTTPTransport, Origin, RequestSpec, RetryPolicy
from smartxfer.transport.session import ConnectionSettings, create_session
from tests.support.certificates import trustme
from tests.support.fake_clock import FakeClock
from tests.support.raw_server import RawServer, answering, scripted, status

MakeWire = Callable[..., HTTPTransport]
POLICY = RetryPolicy(attempts=3, backoff=0.001)


down = status(503, b"down", "Retry-After: 0")


def test_the_adapter_tries_once_within_an_attempt_and_by_the_policy_outside() -> None:
    with RawServer(answering(down)) as server, create_session(POLICY, 4) as session:
        with Attempt().activate():
            assert session.get(f"{server.url}/x").status_code == 503
        assert len(server.requests) == 1
        assert session.get(f"{server.url}/x").text == "down"  # the last answer, not a RetryError
        assert len(server.requests) == 1 + 3
        session.post(f"{server.url}/x", data=b"")
        assert len(server.requests) == 1 + 3 + 1


def test_the_adapter_asks_once_where_the_wait_is_over_the_cap() -> None:
    with RawServer(answering(status(503, b"down", "Retry-After: 3600"))) as server:
        with create_session(POLICY, 4) as session:
            assert session.get(f"{server.url}/x").text == "down"
        assert len(server.requests) == 1


def test_the_adapter_waits_before_each_repeat_of_a_refused_request(monkeypatch: pytest.MonkeyPatch) -> None:
    """Detect urllib3's own back-off, which repeats at once the first time."""
    clock = FakeClock()
    monkeypatch.setattr("smartxfer.transport.adapter_retry.SYSTEM_CLOCK", clock)
    refusals = [status(429, b"", f"Retry-After: {value}") for value in ("0", "-1", "3")]
    with RawServer(scripted(*refusals, status(200))) as server, create_session(RetryPolicy(), 4) as session:
        assert session.get(f"{server.url}/x").status_code == 200
    assert clock.waits == [0.75, 1.5, 3.25]


def test_tries_are_not_multiplied(make_wire: MakeWire) -> None:
    with RawServer(answering(status(503))) as server:
        with pytest.raises(ServerError):
            make_wire(server.url, policy=POLICY).request(RequestSpec("GET", f"{server.url}/x"))
        assert len(server.requests) == 3


def test_a_generator_is_never_sent_a_second_time_empty() -> None:
    def pieces() -> Iterator[bytes]:
        yield b"all "
        yield b"of it"

    with RawServer(scripted(status(503), status(200))) as server, create_session(POLICY, 4) as session:
        assert session.put(f"{server.url}/x", data=pieces()).status_code == 503
        assert [request.body for request in server.requests] == [b"all of it"]


def test_bytes_are_sent_again_in_full() -> None:
    with RawServer(scripted(status(503), status(200))) as server, create_session(POLICY, 4) as session:
        assert session.put(f"{server.url}/x", data=b"12345").status_code == 200
        assert [request.body for request in server.requests] == [b"12345"] * 2


# -- the way to an origin ------------------------------------------------------------------------------

HERE = Origin.parse("http://h")


@pytest.fixture(scope="module")
def pems(tmp_path_factory: pytest.TempPathFactory) -> Dict[str, str]:
    """Files that exist, by the names of their uses: Route refuses others."""
    authority, directory = trustme.CA(), tmp_path_factory.mktemp("pems")
    for name in ("ca", "mine", "ours", "theirs"):
        authority.cert_pem.write_to_path(str(directory / f"{name}.pem"))
    for name in ("our-cert", "their-cert"):
        pem = authority.issue_cert("me@example.org").private_key_and_cert_chain_pem
        pem.write_to_path(str(directory / f"{name}.pem"))
    return {path.stem: str(path) for path in directory.iterdir()}


def test_the_environment_is_read_once(monkeypatch: pytest.MonkeyPatch, pems: Dict[str, str]) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy:1")
    monkeypatch.setenv("NO_PROXY", "inside.example,127.0.0.0/8")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", pems["ca"])
    route = ConnectionSettings(True, None, None, HERE)
    outside = Origin.parse("https://outside.example")
    assert route.for_origin(outside)["proxies"]["https"] == "http://proxy:1"
    assert route.for_origin(outside)["verify"] == pems["ca"]
    assert route.for_origin(Origin.parse("https://inside.example"))["proxies"] == {}
    assert route.for_origin(Origin.parse("https://127.0.0.1:8443"))["proxies"] == {}
    monkeypatch.setenv("HTTPS_PROXY", "http://other:2")
    assert route.for_origin(outside)["proxies"]["https"] == "http://proxy:1"


def test_arguments_stand_above_the_environment(monkeypatch: pytest.MonkeyPatch, pems: Dict[str, str]) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy:1")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", pems["ca"])
    pair = (pems["our-cert"], pems["our-cert"])
    route = ConnectionSettings(False, pair, {}, Origin.parse("https://h"))
    assert route.for_origin(Origin.parse("https://h")) == {"verify": False, "cert": pair, "proxies": {}}
    assert ConnectionSettings(pems["mine"], None, {}, HERE).verify == pems["mine"]


def test_a_given_sessions_settings_hold_where_ours_were_left_alone(pems: Dict[str, str]) -> None:
    with create_session(POLICY, 1) as session:
        session.verify, session.cert = pems["theirs"], pems["their-cert"]
        session.proxies = {"http": "http://theirs"}
        found = ConnectionSettings(True, None, None, HERE).merged_with_session(session, "http://h")
        assert (found["verify"], found["cert"]) == (pems["theirs"], pems["their-cert"])
        assert found["proxies"]["http"] == "http://theirs"
        route = ConnectionSettings(pems["ours"], pems["our-cert"], {"http": "http://ours"}, HERE)
        found = route.merged_with_session(session, "http://h")
        assert (found["verify"], found["cert"]) == (pems["ours"], pems["our-cert"])
        assert found["proxies"]["http"] == "http://ours"
        assert session.proxies == {"http": "http://theirs"}


# -- forks ---------------------------------------------------------------------------------------------


def _in_child(wire: HTTPTransport, url: str, pipe: Any) -> None:
    pipe.send(wire.request(RequestSpec("GET", url)).text)
    pipe.close()


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_opens_its_own_connections(make_wire: MakeWire) -> None:
    with RawServer(answering(lambda request, peer: peer.answer(200, str(peer.number).encode()))) as server:
        wire = make_wire(server.url)
        assert wire.request(RequestSpec("GET", f"{server.url}/x")).text == "1"
        context = multiprocessing.get_context("fork")
        here, there = context.Pipe()
        child = context.Process(target=_in_child, args=(wire, f"{server.url}/x", there))
        child.start()
        assert here.poll(10)
        assert here.recv() == "2"
        child.join(10)
        assert child.exitcode == 0
        assert wire.request(RequestSpec("GET", f"{server.url}/x")).text == "1"  # the parent's is as it was
        here.close()
        there.close()
