"""Conversion of hosts, ports and links to addresses, and back."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from smartxfer.errors import UsageError
from smartxfer.jetstream import JetStream
from smartxfer.jetstream.address import (
    DEFAULT_PORT,
    Link,
    build_base_url,
    build_download_link,
    parse_host_port,
    parse_link,
)

PORTS = st.integers(1, 65535)
NAMES = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?(\.[a-z]{2,5}){0,2}", fullmatch=True)
HOSTS = NAMES | st.ip_addresses(v=4).map(str) | st.ip_addresses(v=6).map(str)
TOKENS = st.text(st.characters(min_codepoint=33, max_codepoint=0x2FF), min_size=1, max_size=20)


class TestUrl:
    @pytest.mark.parametrize(
        ("address", "port", "url"),
        [
            ("localhost", None, "http://localhost:8886"),
            ("LOCALHOST", 9000, "http://LOCALHOST:9000"),
            ("127.0.0.1", 9000, "http://127.0.0.1:9000"),
            ("127.8.9.10", None, "http://127.8.9.10:8886"),
            ("::1", None, "http://[::1]:8886"),
            ("[::1]:9000", None, "http://[::1]:9000"),
            ("localhost:9000", None, "http://localhost:9000"),
            ("localhost:9000", 7, "http://localhost:9000"),
            (" files.example.org ", None, "https://files.example.org:8886"),
            ("files.example.org", 443, "https://files.example.org:443"),
            ("localhost.example.org", None, "https://localhost.example.org:8886"),
            ("192.0.2.1:9000", None, "https://192.0.2.1:9000"),
            ("2001:db8::1", 9000, "https://[2001:db8::1]:9000"),
            ("0.0.0.0", None, "https://0.0.0.0:8886"),
            ("http://files.example.org:9000/bridge/", None, "http://files.example.org:9000/bridge"),
            ("https://localhost:1", 2, "https://localhost:1"),
        ],
    )
    def test_http_on_loopback_https_elsewhere_unless_it_is_a_url(
        self, address: str, port: Any, url: str
    ) -> None:
        assert build_base_url(address, port) == url

    @pytest.mark.parametrize(
        "address",
        [
            "",
            " ",
            ":9000",
            "a b",
            "a/b",
            "user@host",
            "host?x",
            "host#x",
            "a\\b",
            "[]",
            "ftp://host",
            "http://",
        ],
    )
    def test_invalid_addresses(self, address: str) -> None:
        with pytest.raises(UsageError):
            build_base_url(address)

    @pytest.mark.parametrize("port", [0, -1, 65536, True, "x", 8886.0, "٣"])
    def test_invalid_ports(self, port: Any) -> None:
        with pytest.raises(UsageError, match="not a port"):
            build_base_url("localhost", port)

    @pytest.mark.parametrize("address", ["localhost:0", "localhost:x", "localhost:65536", "[::1]:-1"])
    def test_invalid_ports_in_an_address(self, address: str) -> None:
        with pytest.raises(UsageError, match="not a port"):
            build_base_url(address)

    def test_a_link_is_an_error_with_a_hint_and_without_its_token(self) -> None:
        with pytest.raises(UsageError, match="from_uri") as raised:
            build_base_url("jetstream://files.example.org/download?token=ONE.TWO")
        assert "ONE" not in str(raised.value)


@given(HOSTS, PORTS)
def test_a_host_and_a_port_come_through(host: str, port: int) -> None:
    bracketed = f"[{host}]" if ":" in host else host
    assert parse_host_port(host, port) == (host, port)
    assert parse_host_port(bracketed, port) == (host, port)
    assert parse_host_port(f"{bracketed}:{port}") == (host, port)
    assert parse_host_port(host) == (host, DEFAULT_PORT)
    assert build_base_url(host, port).endswith(f"://{bracketed}:{port}")


@given(HOSTS, PORTS, TOKENS)
def test_a_link_leads_back(host: str, port: int, token: str) -> None:
    assert parse_link(build_download_link(host, port, token)) == Link(host, port, "download", token)


@given(st.text(max_size=30))
def test_any_text_is_a_link_or_an_error(text: str) -> None:
    assume("?" not in text)
    for link in (text, f"jetstream://{text}", f"jetstream://host/{text}"):
        try:
            parts = parse_link(link)
        except UsageError:
            continue
        assert parts.host
        assert parts.action in ("connect", "download")


class TestLink:
    @pytest.mark.parametrize(
        ("link", "parts"),
        [
            (
                "jetstream://files.example.org/download?token=ONE.TWO.THREE",
                Link("files.example.org", 8886, "download", "ONE.TWO.THREE"),
            ),
            ("jetstream://h:9000/connect", Link("h", 9000, "connect", "")),
            ("jetstream://h/connect/", Link("h", 8886, "connect", "")),
            ("JETSTREAM://h/Download/?token=A", Link("h", 8886, "download", "A")),
            ("jetstream://ann:secret@h/download?token=A&x=y#part", Link("h", 8886, "download", "A")),
            ("jetstream://h/download/more/of/it?x=y&token=A", Link("h", 8886, "download", "A")),
            ("jetstream://[2001:db8::1]:9000/connect", Link("2001:db8::1", 9000, "connect", "")),
            (f"jetstream://h/download?token={quote('ä b&c', safe='')}", Link("h", 8886, "download", "ä b&c")),
            (" jetstream://h/connect\n", Link("h", 8886, "connect", "")),
        ],
    )
    def test_taken_apart(self, link: str, parts: Link) -> None:
        assert parse_link(link) == parts

    @pytest.mark.parametrize(
        ("link", "why"),
        [
            ("", "not a jetstream:// link"),
            ("http://h/download?token=A", "not a jetstream:// link"),
            ("jetstream:///download?token=A", "desktop client"),
            ("jetstream:download?token=A", "desktop client"),
            ("jetstream://h/upload?token=A", "unknown action 'upload'"),
            ("jetstream://h", "unknown action ''"),
            ("jetstream://h/download", "no token"),
            ("jetstream://h/download?token=", "no token"),
            ("jetstream://h:nine/connect", "not a jetstream:// link"),
            ("jetstream://h:99999/connect", "not a jetstream:// link"),
            ("jetstream://[h/connect", "not a jetstream:// link"),
        ],
    )
    def test_an_invalid_link_is_reported_without_its_token(self, link: str, why: str) -> None:
        with pytest.raises(UsageError, match=why) as raised:
            parse_link(link)
        assert "token=A" not in str(raised.value)

    def test_the_default_port_is_left_out(self) -> None:
        assert build_download_link("h", 8886, "A.B") == "jetstream://h/download?token=A.B"
        assert build_download_link("::1", 9000, "A&B") == "jetstream://[::1]:9000/download?token=A%26B"


class TestConstructor:
    def test_the_seed_s_two_places(self) -> None:
        assert JetStream().api("localhost", 8886).base_url == "http://localhost:8886"
        assert JetStream().api(address="localhost", port=8886).base_url == "http://localhost:8886"

    def test_the_address_is_validated_at_once_and_is_in_the_repr(self) -> None:
        with pytest.raises(UsageError):
            JetStream().api("jetstream://h/connect")
        assert "127.0.0.1:1" in repr(JetStream().api("127.0.0.1", 1).server)
