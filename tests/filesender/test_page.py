"""Pages of sites of both releases, in every spelling of HTML."""

from __future__ import annotations

import html
import re
from pathlib import Path
from typing import Any, Dict, List

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smartxfer.errors import AuthError, DecodeError, Maintenance, NotFound
from smartxfer.filesender.html_pages import parse_download_page, parse_guest_page

DATA = Path(__file__).parent.parent / "data"
FACTS = {
    "id": "11", "encrypted": "", "mime": "text/plain", "chunk-size": "1048576",
    "crypted-chunk-size": "1048608", "name": 'run 1/\u00e9t\u00e9 & "co" <1>.txt', "size": "5",
    "encrypted-size": "", "key-version": "3", "transferid": "7",
}


def page(*rows: str, body: str = "") -> str:
    return (
        f'<!DOCTYPE html>\n<html><head><meta charset="utf-8"><title>FileSender</title>'
        f'<script>var x = \'<tr class="file" data-id="99" data-name="no" data-size="1">\';</script></head>'
        f"<body {body}><table>{''.join(rows)}</table></body></html>"
    )


def row(facts: Dict[str, str], tag: str = "tr", classes: str = "file", gap: str = "\n   ") -> str:
    data = gap.join(f'data-{name}="{html.escape(value)}"' for name, value in facts.items())
    return f'<{tag} class="{classes}"{gap}{data}><td>x<a class="file">y</a></td></{tag}>'


@pytest.mark.parametrize("tag", ["tr", "div"])
@pytest.mark.parametrize("gap", [" ", "\n\t", "\r\n"])
def test_both_lines_list_their_files(tag: str, gap: str) -> None:
    second = {**dict(reversed(list(FACTS.items()))), "id": "12", "name": "b", "size": "0"}
    first, other = parse_download_page(page(row(FACTS, tag, gap=gap), row(second, tag, "box file odd", gap)))
    assert (first.id, first.name, first.size) == (11, 'run 1/\u00e9t\u00e9 & "co" <1>.txt', 5)
    assert (first.mime, first.encrypted, first.chunk_size, first.transferid) == ("text/plain", False, 1048576, 7)
    assert first.encrypted_size is None
    assert (other.id, other.name, other.size) == (12, "b", 0)


def test_quotes_may_be_single_or_missing() -> None:
    (file,) = parse_download_page(page("<TR CLASS=file DATA-ID=11 data-size='5' data-name='it&#39;s'>"))
    assert (file.id, file.size, file.name) == (11, 5, "it's")


@pytest.mark.parametrize("chunk_size", ["", "1048576"])
@pytest.mark.parametrize("encrypted", ["", "1"])
def test_an_encrypted_file_and_a_chunk_size_are_recognised(encrypted: str, chunk_size: str) -> None:
    """An older site gives no chunk size."""
    facts = {name: value for name, value in FACTS.items() if chunk_size or "chunk" not in name}
    (file,) = parse_download_page(page(row({**facts, "encrypted": encrypted})))
    assert (file.encrypted, file.chunk_size) == (bool(encrypted), int(chunk_size) if chunk_size else None)


@pytest.mark.parametrize("wrong", [{"size": "5 MB"}, {"size": "-5"}, {"id": ""}, {"size": None}, {"name": None}])
def test_a_file_that_cannot_be_read_is_an_error(wrong: Dict[str, Any]) -> None:
    """An empty attribute is a falsy value, a missing one is not."""
    facts = {name: value for name, value in {**FACTS, **wrong}.items() if value is not None}
    with pytest.raises(DecodeError):
        parse_download_page(page(row(facts)))


@pytest.mark.parametrize("release", ["3.8", "2.67"])
def test_the_page_of_a_real_site_with_an_empty_file_and_a_file_named_0(release: str) -> None:
    """The attributes are those that the release sent; only the elements around them are made here."""
    text = (DATA / f"filesender-{release}-wire.txt").read_text("utf-8")
    captured = re.search(r"\n=== page\n>>> .*\n<<< 200 .*\n(.*)\n", text)
    assert captured is not None
    elements = [part for part in re.split("(?=data-id=)", captured[1]) if "data-name=" in part]
    tag = "tr" if release == "3.8" else "div"
    files = parse_download_page(page(*[f'<{tag} class="file" {part}></{tag}>' for part in elements]))
    found = {file.name: (file.size, file.encrypted_size, file.key_version, file.encrypted) for file in files}
    # Encrypted sizes of plain files are what the server printed; they have no meaning (section 15).
    assert found == {"0": (3, 32, 0, False), "d/a.txt": (5, 32, 0, False), "empty.bin": (0, 0, 0, False)}


ERRORS: List[str] = [
    '<div class="exception">\n<div class="message">guest_expired</div>\n</div>',
    '<div class="box exception"><img src="x"><br/><p>guest_expired</p></div><p>footer</p>',
    '<div class="exception"><hr>guest_expired</div>',
]


@pytest.mark.parametrize("content", ERRORS)
def test_an_error_page_says_what_is_wrong(content: str) -> None:
    with pytest.raises(NotFound) as caught:
        parse_download_page(page(content))
    assert "'guest_expired'" in str(caught.value)
    assert "ask the sender" in caught.value.hint


def test_the_words_of_an_error_page_are_cut() -> None:
    with pytest.raises(NotFound) as caught:
        parse_download_page(page('<div class="exception">' + "word " * 5000 + "</div>"))
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize("text", ["", "not html", page(), page("<p>Please log on</p>"), page('<b class="file">x</b>')])
def test_a_page_without_files_wants_a_browser(text: str) -> None:
    with pytest.raises(AuthError, match="lists no files") as caught:
        parse_download_page(text)
    assert "browser" in caught.value.hint


def test_what_no_parser_reads_is_our_error() -> None:
    # Later Pythons read it as a comment: then it is a page without files, or without a token.
    for parse in (parse_download_page, parse_guest_page):
        with pytest.raises((DecodeError, AuthError)):
            parse("<![ ]>")


def test_the_security_token_of_a_guest() -> None:
    text = page(body='data-auth-type="guest"\n data-security-token="abc123"')
    found = parse_guest_page(text)
    assert found.security_token == "abc123"
    assert "abc123" not in repr(found)


@pytest.mark.parametrize(
    "text",
    ["", page(), page(ERRORS[0]), page(body='data-security-token=""')]
    + [page(body='data-security-token="abc123" data-auth-type="sp"')],
)
def test_a_page_that_is_not_a_guest_page(text: str) -> None:
    with pytest.raises(AuthError, match="voucher") as caught:
        parse_guest_page(text)
    assert "abc123" not in str(caught.value)


@given(st.text(max_size=120) | st.text("<>/=\"' trdivclass=file data-id&#;!-[]1", max_size=80))
def test_whatever_the_page_it_is_files_or_our_error(text: str) -> None:
    for wrapped in (text, page(text), page(f"<tr class=file {text}>")):
        try:
            files = parse_download_page(wrapped)
        except (AuthError, NotFound, DecodeError):
            continue
        assert files
        assert all(file.size >= 0 for file in files)


MAINTENANCE = [
    '<main><div id="page" class="maintenance_page"><h1>Service wird gewartet</h1></div></main>',
    "<div class=box><h1>This application is under maintenance</h1></div>",
]


@pytest.mark.parametrize("content", MAINTENANCE)
def test_a_site_under_maintenance_is_a_temporary_error_of_its_own(content: str) -> None:
    for parse in (parse_download_page, parse_guest_page):
        with pytest.raises(Maintenance) as caught:
            parse(page(content))
        assert caught.value.retryable


def test_an_announcement_of_maintenance_is_not_an_error() -> None:
    announced = page("<p>Planned maintenance on Sunday</p>", body='data-auth-type="guest" data-security-token="abc123"')
    assert parse_guest_page(announced).security_token == "abc123"
    (file,) = parse_download_page(page("<h1>maintenance on Sunday</h1>" + row(FACTS)))
    assert file.id
    with pytest.raises(AuthError, match="lists no files"):
        parse_download_page(page("<p>Planned maintenance on Sunday</p><p>Please log on</p>"))


@pytest.mark.parametrize("auth_type", ["", "guest"])
def test_an_error_page_with_a_token_is_not_a_session(auth_type: str) -> None:
    """As the captured sites show a bad voucher: with a security token."""
    shown = page('<div class="exception">no</div>', body=f'data-security-token="abc123" data-auth-type="{auth_type}"')
    with pytest.raises(AuthError, match="voucher"):
        parse_guest_page(shown)
