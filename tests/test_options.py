"""Keys of dictionaries whose keys a protocol fixes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smartxfer.errors import UsageError
from smartxfer.options import check_keys, check_spelling, nearest

KNOWN = ("recipients", "from", "subject", "message")


@pytest.mark.parametrize("good", [{}, None, {"recipients": []}, dict.fromkeys(KNOWN), ["subject"]])
def test_known_keys_pass(good: Any) -> None:
    check_keys(good, KNOWN, "transfer_args")


@pytest.mark.parametrize(
    ("wrong", "remedy"),
    [
        ({"recipient": ["a@b.org"]}, "write 'recipients'"),
        ({"Recipients": []}, "write 'recipients'"),
        ({"to": []}, "write 'recipients'"),
        ({"subjcet": ""}, "write 'subject'"),
        ({"zzz": 1}, "known keys: from, message, recipients, subject"),
        ({"recipient": [], "mesage": ""}, "'recipient': write 'recipients'; 'mesage': write 'message'"),
        ({7: 1}, "known keys"),
        (["subjcet"], "write 'subject'"),
    ],
)
def test_an_unknown_key_names_the_nearest(wrong: Any, remedy: str) -> None:
    with pytest.raises(UsageError, match="transfer_args has no key") as caught:
        check_keys(wrong, KNOWN, "transfer_args", synonyms={"to": "recipients"}, hint="or use extra=")
    assert caught.value.hint.startswith(remedy)
    assert caught.value.hint.endswith("or use extra=")


@pytest.mark.parametrize("wrong", ["recipients", b"x", 7, True])
def test_what_is_no_dictionary(wrong: Any) -> None:
    with pytest.raises(UsageError, match="transfer_args is a dictionary"):
        check_keys(wrong, KNOWN, "transfer_args")


@given(st.text(max_size=20))
def test_the_nearest_is_known_or_none(key: str) -> None:
    assert nearest(key, KNOWN) in (*KNOWN, None)


@pytest.mark.parametrize(("key", "meant"), [("mesage", "message"), ("Subject", "subject"), ("recipient", "recipients")])
def test_a_key_that_is_nearly_known_is_refused(key: str, meant: str) -> None:
    with pytest.raises(UsageError) as caught:
        check_spelling([key], KNOWN, "the call")
    assert caught.value.hint == f"write {meant!r}"


def test_other_keys_of_an_open_list_pass() -> None:
    check_spelling(["relay", "sourcePort", "subject", ""], KNOWN, "the call")
