"""Errors that are detected before anything is sent."""

from __future__ import annotations

import contextlib
import re
import time
import unicodedata
from typing import Any, Dict, List

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smartxfer.errors import UsageError
from smartxfer.filesender.site_address import SiteConfig, parse_config
from smartxfer.filesender.validation import filename_pattern, validate_guest, validate_name, validate_transfer

NOW = 1_700_000_000.0
DAY = 86400
STOCK = SiteConfig(
    max_transfer_size=1000,
    max_transfer_files=3,
    max_transfer_recipients=2,
    max_transfer_days_valid=20,
    max_transfer_file_size=0,
    ban_extension="exe, BAT",
    extension_whitelist_regex="^[a-zA-Z0-9]*$",
    valid_filename_regex=r"^[ \/\p{L}\p{N}_\.,;:!@#$%^&*)(\]\[-]+$",
)
NOTHING_KNOWN = SiteConfig()


def files(*sizes: int) -> List[Dict[str, Any]]:
    return [{"name": f"f{at}.txt", "size": size} for at, size in enumerate(sizes)]


def body(**more: Any) -> Dict[str, Any]:
    return {"from": "ann@example.org", "recipients": ["bob@example.net"], "files": files(1), **more}


@pytest.mark.parametrize("config", [STOCK, NOTHING_KNOWN])
def test_a_good_transfer_passes(config: SiteConfig) -> None:
    validate_transfer(body(files=files(0, 999, 1), expires=NOW + DAY), config, NOW)
    validate_transfer(body(recipients=[]), config, NOW)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"files": []}, "no files to send"),
        ({"files": files(1, 1, 1, 1)}, "too many files: 4; the site allows 3 per transfer"),
        ({"files": files(500, 501)}, "too many bytes: 1001; the site allows 1000 per transfer"),
        ({"recipients": ["a@b.org", "c@d.org", "e@f.org"]}, "too many recipients: 3; the site allows 2 per transfer"),
        ({"recipients": ["a@b.org", "bob"]}, "recipient 'bob' is not an e-mail address"),
        ({"from": ""}, "'from' '' is not an e-mail address"),
        ({"files": [{"name": "a.exe", "size": 1}]}, "'exe' ('a.exe')"),
        ({"files": [{"name": "a+b", "size": 1}]}, "'a+b': invalid characters: +"),
        ({"expires": NOW - 1}, "in the past"),
        ({"expires": NOW + 22 * DAY}, "20 days"),
        ({"expires": str(int(NOW + 22 * DAY))}, "20 days"),
        ({"expires": "2024-13-01"}, "invalid expires: '2024-13-01'"),
        ({"expires": "tomorrow"}, "invalid expires: 'tomorrow'"),
        ({"expires": ["2024-01-01"]}, "invalid expires: ['2024-01-01']"),
    ],
)
def test_what_is_wrong_is_named(wrong: Dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=re.escape(said)):
        validate_transfer(body(**wrong), STOCK, NOW)


def test_zero_means_no_limit() -> None:
    config = SiteConfig(max_transfer_size=0, max_transfer_files=0, max_transfer_recipients=0)
    validate_transfer(body(files=files(*[10**12] * 100), recipients=["a@b.org"] * 100), config, NOW)


@pytest.mark.parametrize("days", [1, 20, 20.5, 21])
def test_the_last_day_is_exact(days: float) -> None:
    """The captured sites refused 20.5 days where 20 are allowed."""
    for expires in (NOW + days * DAY, int(NOW + days * DAY), str(int(NOW + days * DAY))):
        with contextlib.nullcontext() if days <= 20 else pytest.raises(UsageError, match="20 days"):
            validate_transfer(body(expires=expires), STOCK, NOW)
    for expires in ("2023-11-20", None):
        validate_transfer(body(expires=expires), STOCK, NOW)


def test_a_site_for_encrypted_transfers_only() -> None:
    with pytest.raises(UsageError, match="accepts only encrypted transfers"):
        validate_transfer(body(), SiteConfig(encryption_mandatory=True), NOW)


def test_guests_have_two_addresses() -> None:
    validate_guest({"from": "ann@example.org", "recipient": "eve@example.net"})
    for wrong in ({"from": "ann@example.org"}, {"recipient": "eve@example.net"}, {}):
        with pytest.raises(UsageError):
            validate_guest(wrong)


# -- names -----------------------------------------------------------------------------------------------

#: As a stock site publishes it: without its end. The captured sites refused other names, and left an orphan.
PUBLISHED = parse_config(
    r"""    valid_filename_regex: '^[ \\/\\p{L}\\p{N}_\\.,;:!@#$%^&*)(\\]\\[_-]+',
    ban_extension: 'exe,bat',
"""
)
CONFIGS = pytest.mark.parametrize("config", [STOCK, NOTHING_KNOWN, PUBLISHED], ids=["stock", "nothing known", "published"])


@CONFIGS
@pytest.mark.parametrize(
    "name",
    [
        "a", "0", "run 1/a.fastq", "a_b,;:!@#$%^&*)(][-.txt", "\u00e9t\u00e9.txt", "\u6f22\u5b57", "\u0444.txt",
        "\u0661", "x" * 255, ".bashrc", "a.tar.gz", "dir.d/file", "a..b", unicodedata.normalize("NFC", "e\u0301t.txt"),
    ],
)
def test_names_that_a_stock_site_takes(name: str, config: SiteConfig) -> None:
    validate_name(name, config, filename_pattern(config.valid_filename_regex))


@CONFIGS
@pytest.mark.parametrize(
    "name",
    [f"a{character}b" for character in "+'=~\"<>?{}\\|`\n\t\x00\u2013\u0301"]
    + ["", "/etc/x", "../x", "a/../b", "..", "x" * 256, "e\u0301", "x" * 100 + "?", "a\n"],
)
def test_names_that_a_stock_site_refuses(name: str, config: SiteConfig) -> None:
    with pytest.raises(UsageError):
        validate_name(name, config, filename_pattern(config.valid_filename_regex))


@pytest.mark.parametrize("name", ["a.EXE", "a.bat", "a.exe.txt", "exe", "dir.exe/a.txt", "a."])
def test_extensions_that_pass(name: str) -> None:
    validate_name(name, STOCK, None)


@pytest.mark.parametrize("name", ["a.exe", "a.BAT", "a.t-t"])
def test_extensions_that_do_not_pass(name: str) -> None:
    with pytest.raises(UsageError, match="extension"):
        validate_name(name, STOCK, None)


# -- the site's own rule ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pattern", "name", "passes"),
    [
        ("ok", "this is ok", True),
        ("ok", "this is not", False),
        ("a|b", "xb", True),
        ("^[a-z]+", "ab", True),
        ("^[a-z]+", "ab1", False),
        ("^[[a]+$", "[a", True),
        ("^[a&&b]+$", "a&b", True),
        ("^[a||b~~]+$", "a|b~", True),
        ("^[+--]+$", "+-", True),
        ("^[+--]+$", ".", False),
        (r"^[\[\]&]+$", "[&]", True),
        (r"^[^\[]+$", "a[", False),
        (r"^\[a\]$", "[a]", True),
    ],
)
def test_a_rule_means_what_it_means_to_a_site(pattern: str, name: str, passes: bool) -> None:
    """The server adds an end, and sets may hold brackets and doubled signs."""
    rule = filename_pattern(pattern)
    assert rule is not None
    assert (rule.search(name) is not None) is passes


def test_a_site_may_be_stricter() -> None:
    rule = filename_pattern("^[a-z]+$")
    validate_name("abc", SiteConfig(), rule)
    with pytest.raises(UsageError, match="invalid characters: 1 A"):
        validate_name("abcA1", SiteConfig(), rule)


@pytest.mark.parametrize(
    "pattern",
    [
        "[", "(?<name>", r"^[\p{M}\p{L}]+$", r"^\p{Han}+$", "x{99999999999999}", "a" * 301, "(a+)+$",
        "(a|a)*$", "([a-z]+)*", "(?:a*){2,}", ".*.*.*x", "a?" * 60 + "a" * 60, "(a{1,9}){1,9}", "(?:x+x+)+y",
    ],
)
def test_a_rule_that_cannot_be_run_here_is_left_to_the_site(pattern: str) -> None:
    assert filename_pattern(pattern) is None
    validate_name("\u0e01\u0e34", SiteConfig(valid_filename_regex=pattern), filename_pattern(pattern))


@given(st.text("a.*+?()[]{}|^$\\,1x", max_size=24))
def test_no_rule_takes_long(pattern: str) -> None:
    rule = filename_pattern(pattern)
    if rule is None or not pattern:
        return
    begun = time.process_time()
    rule.search("a" * 254 + "!")
    assert time.process_time() - begun < 2


def test_every_bad_name_is_listed() -> None:
    names = ["good.txt", "a+b.txt", "it's.txt", "fine", "virus.exe", "a/../b", "x" * 256, "c=d"]
    with pytest.raises(UsageError) as caught:
        validate_transfer(body(files=[{"name": name, "size": 1} for name in names]), PUBLISHED, NOW)
    said = str(caught.value)
    assert said.startswith("6 invalid names: ")
    bad = ("a+b.txt", "it's.txt", "virus.exe", "a/../b", "x" * 40, "c=d")
    assert [name for name in (*bad, "good.txt", "'fine'") if name in said] == [*bad]
    assert "(other_name, path)" in caught.value.hint


def test_a_thousand_bad_names_make_no_endless_message() -> None:
    with pytest.raises(UsageError, match="and 900 more"):
        validate_transfer(body(files=[{"name": f"{at}+", "size": 1} for at in range(1000)]), PUBLISHED, NOW)


def test_every_file_that_is_too_large_is_listed() -> None:
    config = SiteConfig(max_transfer_file_size=10)
    with pytest.raises(UsageError, match=r"'f0.txt' \(11 bytes\); 'f2.txt' \(12 bytes\); the site allows 10 "):
        validate_transfer(body(files=files(11, 10, 12)), config, NOW)
