"""Addresses in every form that people paste, and the site's configuration as it really looks."""

from __future__ import annotations

import doctest
from pathlib import Path
from typing import Any, List, Optional

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smartxfer.errors import UsageError
from smartxfer.filesender import FileSenderClient, site_address
from smartxfer.filesender.models import Recipient
from smartxfer.filesender.site_address import (
    SiteConfig,
    extract_token,
    parse_config,
    parse_site_url,
    read_user_ini,
)

TOKEN = "0f2a9c1e-7b6d-4e5f-8a9b-0c1d2e3f4a5b"


def test_the_doctest_runs() -> None:
    results = doctest.testmod(site_address)
    assert results.attempted >= 1
    assert results.failed == 0


@pytest.mark.parametrize(
    ("base", "texts"),
    [
        (
            "https://fs.example.org",
            [
                "https://fs.example.org", "https://fs.example.org/", "  https://fs.example.org/\n", "fs.example.org",
                "https://fs.example.org/rest.php/", "https://fs.example.org/rest.php/transfer/7",
                "https://fs.example.org/index.php",
            ],
        ),
        ("https://fs.example.org:8443/send", ["fs.example.org:8443/send"]),
        ("https://fs.example.org/Send", ["HTTPS://FS.Example.org/Send/"]),
        ("https://fs.example.org/filesender", ["https://fs.example.org/filesender/rest.php"]),
        ("https://fs.example.org/f", ["https://fs.example.org/f/index.php?s=home"]),
        ("http://fs.example.org:8080/f", ["http://fs.example.org:8080/f/"]),
        ("http://localhost:8080", ["localhost:8080"]),
        ("http://127.0.0.1:8080/f", ["127.0.0.1:8080/f"]),
        ("http://[::1]:8080", ["[::1]:8080"]),
        ("https://[2001:db8::1]/f", ["https://[2001:DB8::1]/f"]),
        ("https://[2001:db8::1]:8443", ["[2001:db8::1]:8443"]),
        ("https://fs.example.org/my.rest.php.d", ["https://fs.example.org/my.rest.php.d"]),
    ],
)
def test_base_urls(base: str, texts: List[str]) -> None:
    for text in texts:
        address = parse_site_url(text)
        assert (address.base_url, address.token, address.guest_token) == (base, None, None)


@pytest.mark.parametrize(
    ("text", "base", "token", "vid"),
    [
        (f"https://fs.example.org/?s=download&token={TOKEN}", "https://fs.example.org", TOKEN, None),
        (f"https://fs.example.org/f/index.php?token={TOKEN}&s=download", "https://fs.example.org/f", TOKEN, None),
        (f"https://fs.example.org/download.php?token={TOKEN}&files_ids=7", "https://fs.example.org", TOKEN, None),
        (f"https://fs.example.org/#?s=download&token={TOKEN}", "https://fs.example.org", TOKEN, None),
        (f"https://fs.example.org/?s=upload&vid={TOKEN}", "https://fs.example.org", None, TOKEN),
        (f"fs.example.org/f/?s=upload&vid={TOKEN}", "https://fs.example.org/f", None, TOKEN),
    ],
)
def test_links(text: str, base: str, token: Optional[str], vid: Optional[str]) -> None:
    address = parse_site_url(text)
    assert (address.base_url, address.token, address.guest_token) == (base, token, vid)
    assert TOKEN not in repr(address)


@pytest.mark.parametrize(
    "text",
    ["", "https://", "ftp://fs.example.org", "file:///etc/passwd", "https://fs.example.org:99999", "https://h:x/"]
    + ["javascript:alert(1)", "https://fs.exam ple.org", "https://h\\@evil.example/", "https://h/\x00", "[@0"],
)
def test_an_invalid_web_address_is_rejected(text: str) -> None:
    with pytest.raises(UsageError):
        parse_site_url(text)


@pytest.mark.parametrize("text", ["https://ann:hunter2@fs.example.org/", "ann:hunter2@fs.example.org", "ann@h"])
def test_an_address_with_a_password_is_rejected(text: str) -> None:
    with pytest.raises(UsageError, match="must not contain a user name or password") as caught:
        parse_site_url(text)
    assert "hunter2" not in str(caught.value)


@given(st.text(max_size=60) | st.text("htps:/[]@?#&=.%\\0 az", max_size=40))
def test_whatever_is_pasted_it_is_an_address_or_our_error(text: str) -> None:
    try:
        address = parse_site_url(text)
    except UsageError:
        return
    assert address.base_url.startswith(("http://", "https://"))
    assert not address.base_url.endswith("/")
    assert parse_site_url(address.base_url).base_url == address.base_url


def test_tokens() -> None:
    assert extract_token(TOKEN) == TOKEN
    assert extract_token(f" {TOKEN.upper()} ") == TOKEN.upper()
    assert extract_token(f"https://fs.example.org/?s=download&token={TOKEN}") == TOKEN
    assert extract_token(Recipient.from_wire({"id": 1, "token": TOKEN})) == TOKEN


@pytest.mark.parametrize(
    "text", ["", "token", "reads.fastq", "not a token", f"{TOKEN}\n.", f"{TOKEN}&x=1", "https://h/?s=download", None, 7]
)
def test_an_invalid_token_is_rejected(text: Any) -> None:
    with pytest.raises(UsageError, match="invalid download token"):
        extract_token(text)


# -- the public configuration ----------------------------------------------------------------------------


SCRIPT = r"""
if (typeof window === 'undefined') window = {};
if (!('filesender' in window)) window.filesender = {};
window.filesender.config = {
    log: true,

    upload_chunk_size: 5242880,
    'max_transfer_size': 107374182400,
    max_transfer_files : '30',
    max_transfer_recipients: 50,
    max_transfer_file_size: 0,
    max_transfer_days_valid: 20,
    default_transfer_days_valid: null,
    ban_extension: 'exe,bat',
    extension_whitelist_regex: '^[a-zA-Z0-9]*$',
    valid_filename_regex: '^[ \\/\\p{L}\\p{N}_\\.,;:!@#$%^&*)(\\]\\[-]+$',
    encryption_mandatory: false,
    site_name: "It's \"ours\", max_transfer_files: 1",
    max_transfer_files: 99,
};
"""


def test_a_site_s_script() -> None:
    config = parse_config(SCRIPT)
    assert config == SiteConfig(
        upload_chunk_size=5242880, max_transfer_size=107374182400, max_transfer_files=30, max_transfer_recipients=50,
        max_transfer_file_size=0, max_transfer_days_valid=20, ban_extension="exe,bat", encryption_mandatory=False,
        extension_whitelist_regex="^[a-zA-Z0-9]*$", valid_filename_regex=r"^[ \/\p{L}\p{N}_\.,;:!@#$%^&*)(\]\[-]+$",
    )


@pytest.mark.parametrize(
    ("line", "name", "value"),
    [
        *((f"upload_chunk_size: {text}", "upload_chunk_size", 5) for text in ("5,", "5")),
        ('"upload_chunk_size":"5",', "upload_chunk_size", 5),
        ("not_upload_chunk_size: 5,", "upload_chunk_size", None),
        *(
            (f"upload_chunk_size: {text}", "upload_chunk_size", None)
            for text in ("5.5,", "-1,", "'',", "undefined,", "[1],", "{")
        ),
        ("encryption_mandatory: true,", "encryption_mandatory", True),
        ("encryption_mandatory: '1',", "encryption_mandatory", True),
        ("encryption_mandatory: '',", "encryption_mandatory", False),
        ("ban_extension: '',", "ban_extension", ""),
        ("ban_extension: null,", "ban_extension", None),
        (r"ban_extension: 'it\'s',", "ban_extension", "it's"),
    ],
)
def test_values_are_quoted_or_bare(line: str, name: str, value: Any) -> None:
    assert getattr(parse_config(f"window.x = {{\n  {line}\n}};"), name) == value


@pytest.mark.parametrize("script", ["", "<html><body>404</body></html>", "{}", "upload_chunk_size", "'" * 5000])
def test_a_script_that_says_nothing_sets_no_limit(script: str) -> None:
    assert parse_config(script) == SiteConfig()


@given(st.text(max_size=200) | st.lists(st.sampled_from(SCRIPT.splitlines()), max_size=8).map("\n".join))
def test_whatever_the_script_it_is_a_configuration(script: str) -> None:
    config = parse_config(script)
    for field in attrs.fields(SiteConfig):
        value = getattr(config, field.name)
        assert value is None or type(value).__name__ in str(field.type)


# -- the user's own file ---------------------------------------------------------------------------------


@pytest.fixture
def ini(home: Path) -> Path:
    path = home / ".filesender" / "filesender.py.ini"
    path.parent.mkdir()
    return path


def test_the_file_that_sites_offer(ini: Path) -> None:
    ini.write_text(
        "[system]\nbase_url = https://fs.example.org/rest.php\ndefault_transfer_days_valid = 10\n"
        "[user]\nusername = ann@example.org\napikey = 0123%abc\n"
    )
    assert read_user_ini() == {
        "base_url": "https://fs.example.org/rest.php", "username": "ann@example.org", "api_key": "0123%abc",
    }


@pytest.mark.parametrize("content", [None, b"", b"[system]\n", b"[user]\nusername =\n"])
def test_a_file_that_says_nothing_gives_nothing(ini: Path, content: Optional[bytes]) -> None:
    if content is not None:
        ini.write_bytes(content)
    assert read_user_ini() == {}


@pytest.mark.parametrize("content", [b"apikey = hunter2\n", b"\xff\xfe", b"[user]\nusername = a\nusername = b\n"])
def test_a_malformed_file_is_passed_over(ini: Path, content: bytes, caplog: pytest.LogCaptureFixture) -> None:
    ini.write_bytes(content)
    with FileSenderClient.from_environment() as client:
        assert [source for _, _, source in client.explain_credentials()] == ["not found"] * 3
    assert "~/.filesender/filesender.py.ini is ignored" in caplog.text
    assert "hunter2" not in caplog.text
