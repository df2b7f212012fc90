from __future__ import annotations

import logging
import sys
import threading
from typing import Any

import pytest

from smartxfer.transport import redaction


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
    assert redaction.redact(text) == masked


def test_remembered_values() -> None:
    redaction.register_secret("hunter2")
    redaction.register_secret("hunter2-and-more")
    redaction.register_secret("abc")  # too short to tell from any other word
    assert redaction.redact("with hunter2-and-more and hunter2, abc") == "with *** and ***, abc"


def test_remembered_values_as_they_stand_in_urls() -> None:
    redaction.register_secret("a b/c+d")
    assert redaction.redact("/x?p=a%20b%2Fc%2Bd&q=a+b%2Fc%2Bd") == "/x?p=***&q=***"


def test_urllib3s_own_log_is_masked(caplog: pytest.LogCaptureFixture) -> None:
    redaction.install_filters()
    redaction.install_filters()
    logger = logging.getLogger("urllib3.connectionpool")
    assert sum(isinstance(known, redaction.RedactingFilter) for known in logger.filters) == 1
    with caplog.at_level(logging.DEBUG, "urllib3"):
        logger.debug('%s://%s "%s %s" %s', "http", "h", "GET", "/x?key=secret", 200)
        logger.debug("plain %s", 1)
    assert caplog.messages == ['http://h "GET /x?key=***" 200', "plain 1"]


@pytest.mark.parametrize(
    ("logger", "line", "masked"),
    [
        ("requests_oauthlib.oauth1_auth", "Updated headers: {'Authorization': b'OAuth oauth_token=\"marked\"'}",
         "Updated headers: {'Authorization': b'OAuth ***'}"),
        ("oauthlib.oauth1.rfc5849", "Collected params: [('oauth_token', 'marked'), ('oauth_version', '1')]",
         "Collected params: [('oauth_token', '***'), ('oauth_version', '***')]"),
        ("oauthlib.oauth1.rfc5849", 'OAuth oauth_nonce="1", oauth_signature="marked%26marked"',
         'OAuth oauth_nonce="***", oauth_signature="***"'),
        ("urllib3.util.retry", "http://ann:marked@proxy:3128/ refused", "http://ann:***@proxy:3128/ refused"),
        ("urllib3.connectionpool", "Authorization: Bearer marked", "Authorization: Bearer ***"),
        ("urllib3.connectionpool", "Redirecting /a?X-Amz-Signature=marked -> /b", "Redirecting /a?X-Amz-Signature=*** -> /b"),
    ],
)  # fmt: skip
def test_what_the_libraries_log(caplog: pytest.LogCaptureFixture, logger: str, line: str, masked: str) -> None:
    redaction.install_filters()
    with caplog.at_level(logging.DEBUG, logger):
        logging.getLogger(logger).debug("%s", line)
    assert caplog.messages == [masked]


def test_every_library_that_sees_a_secret() -> None:
    """Loggers that exist, of each of them; the root and other programs' are left alone."""
    import urllib3.connectionpool  # noqa: F401

    later = logging.getLogger("keyring.backends.of_a_test")
    redaction.install_filters()
    seen = {name for name, logger in logging.root.manager.loggerDict.items()
            if any(isinstance(one, redaction.RedactingFilter) for one in getattr(logger, "filters", ()))}  # fmt: skip
    assert {"urllib3.connectionpool", "requests_oauthlib.oauth1_auth", later.name, "py.warnings"} <= seen
    assert all(name.partition(".")[0] in {"smartxfer", "http", "py", *redaction._LIBRARY_NAMES} for name in seen)
    assert not any(isinstance(one, redaction.RedactingFilter) for one in logging.root.filters)


def test_every_logger_of_ours_is_filtered() -> None:
    import re
    from pathlib import Path

    import smartxfer

    package = Path(smartxfer.__file__).parent
    text = "\n".join(path.read_text(encoding="utf-8") for path in package.rglob("*.py"))
    used = set(re.findall(r'getLogger\("(smartxfer\.[^"]+)"\)', text))
    assert used
    assert used <= set(redaction._OWN_LOGGERS)


def test_a_record_without_a_secret_is_not_touched(caplog: pytest.LogCaptureFixture) -> None:
    redaction.install_filters()
    argument = ("a", {"b": 1})
    with caplog.at_level(logging.DEBUG, "urllib3"):
        logging.getLogger("urllib3.connectionpool").debug("%s and %s\n", *argument)
    [record] = caplog.records
    assert (record.msg, record.args) == ("%s and %s\n", argument)


def test_arguments_and_tracebacks_of_a_record(caplog: pytest.LogCaptureFixture) -> None:
    """Fails if a handler shows more than the message."""
    held = redaction.register_secret("marked-value")
    redaction.install_filters()

    class Client:
        def __repr__(self) -> str:
            return str(held)

        def __str__(self) -> str:
            return "a client"

    logger = logging.getLogger("urllib3.connectionpool")
    with caplog.at_level(logging.DEBUG, "urllib3"):
        logger.debug("using %s", Client())
        logger.debug("%d", held)  # a bug of the library: logging would print both parts
        try:
            raise ValueError(f"bad header {held}")
        except ValueError:
            logger.warning("failed", exc_info=True)
    shown = [f"{one.getMessage()} {one.args!r} {one.exc_text} {one.exc_info}" for one in caplog.records]
    assert [text for text in shown if "marked-value" in text] == []
    assert "ValueError: bad header ***" in shown[-1]
    assert shown[0].startswith("using a client")


def test_control_characters_in_our_own_log(caplog: pytest.LogCaptureFixture) -> None:
    """Fails if a server's text writes a line of its own."""
    with caplog.at_level(logging.DEBUG, "smartxfer"):
        logging.getLogger("smartxfer.nrp").warning("%s failed", "a\r\x1b[2K\nall 7 files verified\u202e")
    assert caplog.messages == ["a\\r\\x1b[2K\\nall 7 files verified\\u202e failed"]


def test_a_secret_is_known_for_as_long_as_it_is_in_use(monkeypatch: pytest.MonkeyPatch) -> None:
    """Detect a set that only grows, or one that forgets what a client still holds."""
    monkeypatch.setattr(redaction._SecretRegistry, "max_released", 3)
    held = redaction.register_secret("held-by-a-client")
    for number in range(20):
        redaction.register_secret(f"dropped-{number:02}")
    assert redaction.redact("held-by-a-client dropped-19 dropped-00") == "*** *** dropped-00"
    assert redaction.register_secret(held) is held
    assert len(redaction._secrets._registered) <= 6
    del held
    for number in range(20, 30):
        redaction.register_secret(f"dropped-{number:02}")
    assert redaction.redact("held-by-a-client") == "held-by-a-client"


def test_many_threads_at_once() -> None:
    import concurrent.futures

    def use(number: int) -> str:
        held = redaction.register_secret(f"secret-of-{number:04}")
        return redaction.redact(f"a {held} b")

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert set(pool.map(use, range(400))) == {"a *** b"}


class _Steps(threading.Thread):
    """Masks a text, and pauses before one line of it until ``go`` is called.

    :param line: which of the lines that it runs, from 0.
    """

    def __init__(self, secrets: redaction._SecretRegistry, text: str, line: int) -> None:
        super().__init__()
        self._secrets, self._text, self._left = secrets, text, line
        self._there, self._on = threading.Event(), threading.Event()
        self.masked = ""
        self.start()
        assert self._there.wait(20)

    def run(self) -> None:
        sys.settrace(self._trace)
        try:
            self.masked = self._secrets.mask(self._text)
        finally:
            sys.settrace(None)
            self._there.set()

    def _trace(self, frame: Any, event: str, argument: Any) -> Any:
        if frame.f_code is not redaction._SecretRegistry.mask.__code__:
            return None
        if event == "line":
            if self._left == 0:
                self._there.set()
                assert self._on.wait(20)
            self._left -= 1
        return self._trace

    def go(self) -> str:
        self._on.set()
        self.join(20)
        return self.masked


@pytest.mark.parametrize("early", range(14))
def test_a_secret_of_another_thread_is_masked_at_each_step(early: int) -> None:
    """Fails if one thread puts its list of secrets in the place of another's newer one."""
    for late in range(14):
        _mask_in_two_threads(early, late)


def _mask_in_two_threads(early: int, late: int) -> None:
    secrets = redaction._SecretRegistry()
    held = [secrets.add("secret-of-the-first")]
    first = _Steps(secrets, "secret-of-the-first", early)
    held.append(secrets.add("secret-of-the-second"))
    second = _Steps(secrets, "secret-of-the-second", late)
    assert first.go() == "***"
    assert second.go() == "***"
    assert secrets.mask("secret-of-the-second secret-of-the-first") == "*** ***"
