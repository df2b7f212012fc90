"""Secrets in local variables are not shown by what prints them."""

from __future__ import annotations

import copy
import json
import pprint
import traceback
import weakref
from urllib.parse import urlencode

import pytest

from smartxfer.secret_text import Secret, SecretURL, as_secret, as_url, hidden

MARK = "marked-password"


def test_a_secret_is_text_that_is_not_shown() -> None:
    held = Secret(MARK)
    assert held == MARK
    assert f"Bearer {held}" == f"Bearer {MARK}"
    assert json.loads(json.dumps({"password": held})) == {"password": MARK}
    assert urlencode({"p": held}) == f"p={MARK}"
    assert weakref.ref(held)() is held
    shown = [held, [held], {"a": held}, held[:80], held.strip(), copy.copy(held), copy.deepcopy(held)]
    assert MARK not in repr(shown) + pprint.pformat(shown) + repr(shown[3:4])


def test_a_traceback_with_locals_does_not_show_it() -> None:
    def use(password: str) -> None:
        password = as_secret(password)
        raise ValueError("no")

    with pytest.raises(ValueError, match="no") as caught:
        use(MARK)
    told = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    [*_, frame] = told.stack
    assert frame.locals == {"password": "'***'"}


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://h/a?token=t#x", "'https://h/a?***'"),
        ("https://ann:pw@h:1/a", "'https://h:1/a'"),
        ("h/a", "'h/a'"),
    ],
)
def test_an_address_shows_no_query(url: str, shown: str) -> None:
    assert (as_url(url), repr(as_url(url))) == (url, shown)
    assert as_url(as_url(url)) == url
    assert repr(SecretURL(url)[:80]) == "'***'"


def test_nested_parameters() -> None:
    given = {"a": MARK, "b": [MARK, {"c": (MARK, 1)}], "n": None}
    assert hidden(given) == given
    assert MARK not in repr(hidden(given))
    assert as_secret(None) is None
