"""Secrets in local variables are not shown by programs that print these variables."""

from __future__ import annotations

import copy
import importlib
import inspect
import json
import pprint
import traceback
import weakref
from typing import Callable
from urllib.parse import urlencode

import pytest

from smartxfer.jetstream.recv import RecvInterface
from smartxfer.jetstream.send import SendInterface
from smartxfer.jetstream.server import ServerInterface
from smartxfer.secret_text import (
    Secret,
    SecretURL,
    as_secret,
    as_secret_url,
    hide_method_arguments,
    wrap_secrets,
)

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
    report = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    [*_, frame] = report.stack
    assert frame.locals == {"password": "'***'"}


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://h/a?token=t#x", "'https://h/a?***'"), ("https://ann:pw@h:1/a", "'https://h:1/a'"),
        ("h/a", "'h/a'"),
    ],
)
def test_an_address_shows_no_query(url: str, shown: str) -> None:
    assert (as_secret_url(url), repr(as_secret_url(url))) == (url, shown)
    assert as_secret_url(as_secret_url(url)) == url
    assert repr(SecretURL(url)[:80]) == "'***'"


def test_nested_parameters() -> None:
    given = {"a": MARK, "b": [MARK, {"c": (MARK, 1)}], "n": None}
    assert wrap_secrets(given) == given
    assert MARK not in repr(wrap_secrets(given))
    assert as_secret(None) is None


@hide_method_arguments("password", links=("link",))
class Client:
    """Its methods fail at once, in every form of a method."""

    def __init__(self, password: str = "", **options: object) -> None:
        self.given = password, options

    def use(self, link: str, name: str, *, password: object = None) -> None:
        """Fail."""
        raise ValueError(name)

    @classmethod
    def opened(cls, link: str, **options: object) -> None:
        raise ValueError("opened")

    @staticmethod
    def joined(password: str, *more: str) -> None:
        raise ValueError("joined")


@pytest.mark.parametrize(
    "call",
    [
        lambda: Client().use(f"https://h/?token={MARK}", "n", password=MARK),
        lambda: Client().use(f"https://h/?token={MARK}", "n", password=MARK.encode()),
        lambda: Client().use(name="n", password={"http": MARK}, link="plain"),
        lambda: Client.opened(f"x://h/?token={MARK}", password=MARK),
        lambda: Client.joined(MARK, "a", "b"),
    ],
)
def test_arguments_are_hidden_in_every_frame_of_ours(call: Callable[[], None]) -> None:
    with pytest.raises(ValueError, match="^(n|opened|joined)$") as caught:
        call()
    frames = [frame for frame, _ in traceback.walk_tb(caught.tb)][2:]
    assert len(frames) == 2
    assert MARK not in "".join(repr(frame.f_locals) for frame in frames)


def test_hidden_arguments_are_the_same_to_the_method() -> None:
    made = Client(MARK, password_too=MARK)
    assert made.given == (MARK, {"password_too": MARK})
    assert (Client.use.__name__, Client.use.__doc__) == ("use", "Fail.")
    assert list(inspect.signature(Client.use).parameters) == ["self", "link", "name", "password"]


#: Names of arguments that are secrets wherever a program gives one.
_SECRETS = {"password", "token", "api_key", "client_secret", "client_token", "access_token", "access_secret", "verifier"}


@pytest.mark.parametrize("package", ["filesender", "smartfile", "nrp", "perseus", "jetstream"])
def test_every_method_that_takes_a_secret_hides_it(package: str) -> None:
    """Detect a new method of a client, whose frame would show the password that is passed to it."""
    module = importlib.import_module(f"smartxfer.{package}")
    exported = [getattr(module, name) for name in module.__all__]
    if package == "jetstream":
        exported += [ServerInterface, SendInterface, RecvInterface]
    seen, bare = 0, []
    for kind in {base for one in exported if inspect.isclass(one) for base in one.__mro__}:
        for name, member in vars(kind).items():
            function = getattr(member, "__func__", member)
            made = inspect.isfunction(function) and not function.__code__.co_filename.startswith("<")
            if made and _SECRETS & set(inspect.signature(function).parameters):
                seen += 1
                if not hasattr(function, "__wrapped__"):
                    bare.append(f"{kind.__name__}.{name}")
    assert seen
    assert bare == []
