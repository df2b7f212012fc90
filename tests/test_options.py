"""Keys of dictionaries whose keys a protocol fixes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smartxfer.errors import UsageError
from smartxfer.validation import find_nearest_key, merge_extra, validate_keys

KNOWN = ("recipients", "from", "subject", "message")


@pytest.mark.parametrize("good", [{}, None, {"recipients": []}, dict.fromkeys(KNOWN), ["subject"]])
def test_known_keys_pass(good: Any) -> None:
    validate_keys(good, KNOWN, "transfer_args")


@pytest.mark.parametrize(
    ("wrong", "remedy"),
    [
        ({"recipient": ["a@b.org"]}, "write 'recipients'"),
        ({"Recipients": []}, "write 'recipients'"),
        ({"to": []}, "write 'recipients'"),
        ({"subjcet": ""}, "write 'subject'"),
        ({"zzz": 1}, "write one of: from, message, recipients, subject"),
        ({"recipient": [], "mesage": ""}, "'recipient': write 'recipients'; 'mesage': write 'message'"),
        ({7: 1}, "write one of: from"),
        (["subjcet"], "write 'subject'"),
    ],
)
def test_an_unknown_key_names_the_nearest(wrong: Any, remedy: str) -> None:
    with pytest.raises(UsageError, match="transfer_args has no key") as caught:
        validate_keys(wrong, KNOWN, "transfer_args", synonyms={"to": "recipients"}, hint="or use extra=")
    assert caught.value.hint.startswith(remedy)
    assert caught.value.hint.endswith("or use extra=")


@pytest.mark.parametrize("wrong", ["recipients", b"x", 7, True])
def test_what_is_no_dictionary(wrong: Any) -> None:
    with pytest.raises(UsageError, match="transfer_args must be a dictionary"):
        validate_keys(wrong, KNOWN, "transfer_args")


@given(st.text(max_size=20))
def test_the_nearest_is_known_or_none(key: str) -> None:
    assert find_nearest_key(key, KNOWN) in (*KNOWN, None)


def test_extra_adds_fields_and_replaces_none() -> None:
    body = {"subject": "a", "options": {"b": 1}}
    assert merge_extra(body, None, KNOWN) == merge_extra(body, {}, KNOWN) == body
    assert merge_extra(body, {"new": 1, "options": {"c": 2}}, KNOWN) == {
        "subject": "a", "options": {"b": 1, "c": 2}, "new": 1,
    }  # fmt: skip
    assert body == {"subject": "a", "options": {"b": 1}}
    for wrong, said in (
        ({"subject": "b"}, "passed already"), ({"options": {"b": 2}}, "passed already"),
        ({"message": "b"}, "the known field 'message' .pass 'message' without extra="), ([1], "extra must be a dictionary"),
        ("x", "extra must be a dictionary"),
    ):
        with pytest.raises(UsageError, match=said):
            merge_extra(body, wrong, KNOWN)  # type: ignore[arg-type]

