from __future__ import annotations

import logging

import pytest

from smartxfer.transport import redact


@pytest.fixture(autouse=True)
def _forget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redact, "_values", set())


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("GET /x?signature=abc&timestamp=1", "GET /x?signature=***&timestamp=1"),
        ("/x?a=1&token=t-t", "/x?a=1&token=***"),
        ("url: /x?roundtriptoken=r (Caused by X)", "url: /x?roundtriptoken=*** (Caused by X)"),
        ("/x?X-Amz-Signature=s&X-Amz-Date=d", "/x?X-Amz-Signature=***&X-Amz-Date=***"),
        ("/x?API_KEY=s", "/x?API_KEY=***"),
        ("/x?tokens=3", "/x?tokens=3"),
        ("no secret", "no secret"),
        ("oauth_token=t&oauth_token_secret=s", "oauth_token=***&oauth_token_secret=***"),
        ('<body data-security-token="t" data-auth-type="guest">', '<body data-security-token="***" data-auth-type="guest">'),
        ("<body class=x data-security-token=t>", "<body class=x data-security-token=***>"),
        ('{"puid": "p", "uid": "u", "id": 7}', '{"puid": "***", "uid": "***", "id": 7}'),
    ],
)
def test_parameters_that_are_secret_by_name(text: str, masked: str) -> None:
    assert redact.clean(text) == masked


def test_remembered_values() -> None:
    redact.remember_secret("hunter2")
    redact.remember_secret("hunter2-and-more")
    redact.remember_secret("abc")  # too short to tell from any other word
    assert redact.clean("with hunter2-and-more and hunter2, abc") == "with *** and ***, abc"


def test_remembered_values_as_they_stand_in_urls() -> None:
    redact.remember_secret("a b/c+d")
    assert redact.clean("/x?p=a%20b%2Fc%2Bd&q=a+b%2Fc%2Bd") == "/x?p=***&q=***"


def test_urllib3s_own_log_is_masked(caplog: pytest.LogCaptureFixture) -> None:
    redact.install()
    redact.install()
    logger = logging.getLogger("urllib3.connectionpool")
    assert sum(isinstance(known, redact.RedactingFilter) for known in logger.filters) == 1
    with caplog.at_level(logging.DEBUG, "urllib3"):
        logger.debug('%s://%s "%s %s" %s', "http", "h", "GET", "/x?key=secret", 200)
        logger.debug("plain %s", 1)
    assert caplog.messages == ['http://h "GET /x?key=***" 200', "plain 1"]
