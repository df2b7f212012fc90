"""E-mail addresses by the rule of PHP's FILTER_VALIDATE_EMAIL."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smartxfer.errors import UsageError
from smartxfer.filesender.email_addresses import is_email_address, validate_email_address

#: As the captured sites took them.
TAKEN = ["a@example.net", "a+b@example.net", "ann@example.org", "1@2.com"]
#: As the captured sites, or the protocol page, refused them: each made a site discard all recipients.
REFUSED = ["bad", "x", "", "\u00fc@example.net", "a.@example.net"]


@pytest.mark.parametrize(
    "address",
    TAKEN
    + [
        "a.b.c@sub.example.org", "o'neil@example.org", "!#$%&'*+-/=?^_`{|}~@example.org", "A@EXAMPLE.ORG",
        "a@b.co", "a@1b.c2", "a@xn--mnchen-3ya.example", "a@b.xn--p1ai", "a@b--c.org",
        "x" * 64 + "@example.org", "a@" + "b" * 63 + ".org", '"ann"@example.org', '"a\\ b"@example.org',
        "a@[192.0.2.1]", "a@[IPv6:2001:db8::1]",
    ],
)
def test_addresses_that_php_takes(address: str) -> None:
    validate_email_address(address, "recipient")


@pytest.mark.parametrize(
    "address",
    REFUSED
    + [
        ".a@example.org", "a..b@example.org", "a b@example.org", "a(b)@example.org", "a,b@example.org",
        "a;b@example.org", "a:b@example.org", "a<b>@example.org", "a@b@example.org", "a@localhost",
        "a@example", "a@example.", "a@.example.org", "a@exam_ple.org", "a@-example.org", "a@example-.org",
        "a@example..org", "a@ex\u00e4mple.org", "a@2.34", "a@example.1rg", "x" * 65 + "@example.org",
        "a@" + "b" * 64 + ".org", "a@" + "b." * 130 + "org", '"a b"@example.org', '"a@example.org',
        "a@[192.0.2.256]", "a@[192.0.2.1", "a@[IPv6:2001:db8::%1]", "a@[]", "a@example.org\n",
        " a@example.org", "Ann <a@example.org>", "a@example.org,b@example.org", None, 7, b"a@example.org",
    ],
)
def test_addresses_that_php_refuses(address: Any) -> None:
    with pytest.raises(UsageError, match="recipient .* is not an e-mail address"):
        validate_email_address(address, "recipient")


def test_the_remedy_for_other_scripts() -> None:
    with pytest.raises(UsageError) as caught:
        validate_email_address("a@ex\u00e4mple.org", "recipient")
    assert "xn--" in caught.value.hint


@given(st.text(max_size=20) | st.text('ab."\\@-[]:1 ', max_size=16))
def test_whatever_the_text_it_is_yes_or_no(text: str) -> None:
    for address in (text, text + "@example.org", "a@" + text):
        taken = is_email_address(address)
        assert isinstance(taken, bool)
        if taken:
            assert address.isascii()
            assert "@" in address
            assert not address.startswith(("@", "."))
