"""Redaction of secrets in logs and messages.

Secrets are masked in two ways: parameters and headers with a sensitive name, and the values of all
registered secrets.  The filter is added to the loggers of this package and of the libraries that handle
secrets, never to the root logger.
"""

import collections
import html
import json
import logging
import re
import threading
import traceback
import weakref
from typing import Any, Dict, List, Match, Optional, Pattern, Tuple
from urllib.parse import quote, quote_plus

from smartxfer.secret_text import Secret
from smartxfer.terminal_text import escape_unprintable

__all__ = [
    "RedactingFilter",
    "install_filters",
    "redact",
    "redact_json",
    "redacted_excerpt",
    "register_secret",
]

_SENSITIVE_PARAMS = (
    "signature|token|access_token|key|puid|uid|vid|roundtriptoken|transaction_id|password|api_?key|secret"
    "|oauth_[a-z_]+|X-Amz-[A-Za-z-]+|AWSAccessKeyId|csrfptoken|security_token"
)
#: JSON may escape the ampersand; a form body begins with its first parameter.
_URL_PARAMETER = re.compile(rf"(?i)((?:\A|(?<=[?&;])|(?<=\\u0026))(?:{_SENSITIVE_PARAMS})=)[^&\s\"'#)\\]*")
#: A sensitive field in a JSON body.
_JSON_FIELD = re.compile(
    r'(?i)("(?:[a-z_]*token|[a-z_]*password|api_?key|secret|signature|puid|uid)"\s*:\s*")(?:[^"\\]|\\.)*'
)
#: A sensitive attribute of an HTML page, such as ``data-security-token="..."``.
_HTML_ATTRIBUTE = re.compile(r"""(?i)(\bdata-[a-z-]*token\s*=\s*["']?)[^"'\s>]+""")
#: An OAuth parameter in a header or in a list of pairs.
_OAUTH_PARAMETER = re.compile(r"""(?i)(\boauth_[a-z_]+(?:\\?["']=?|="|['"],)\s*\\?["']?)[^"'\\,\s)]+""")
#: The password of a URL.
_URL_PASSWORD = re.compile(r"""(://[^/?#\s@:'"]*:)[^/?#\s@'"]+(?=@)""")
#: Headers that carry credentials, as libraries log them.
_SECRET_HEADER = re.compile(
    r"""(?i)(\b(?:proxy-authorization|authorization|set-cookie|cookie|x-filesender-security-token|csrfptoken)"""
    r"""['"]?\s*[:,]\s*(?:b(?=['"]))?)('[^']*'|"[^"]*"|[^\r\n'"]+)"""
)
_AUTH_SCHEME = re.compile(r"(?i)['\"]?(?:(?:bearer|basic|oauth|digest|token)\s)?")

#: Loggers of this package; control characters in their messages are escaped, too.
_OWN_LOGGERS = tuple(
    f"smartxfer.{name}"
    for name in (
        "credentials", "delta", "filesender", "jetstream", "jetstream_bridge", "local", "nrp", "perseus",
        "smartfile", "transfer", "transport", "worker_pool",
    )
)  # fmt: skip
#: Loggers that exist once their library is loaded.  A filter of a parent logger does not see their records.
_LIBRARY_LOGGERS = (
    "dotenv.main",
    "http.client",
    "keyring.backend",
    "keyring.core",
    "oauthlib",
    "oauthlib.oauth1.rfc5849",
    "oauthlib.oauth1.rfc5849.signature",
    "py.warnings",
    "requests",
    "requests_oauthlib",
    "requests_oauthlib.oauth1_auth",
    "requests_oauthlib.oauth1_session",
    "urllib3.connection",
    "urllib3.connectionpool",
    "urllib3.poolmanager",
    "urllib3.response",
    "urllib3.util.retry",
    "urllib3.util.ssl_",
    "werkzeug",
)
#: Other loggers of these libraries are found by their names.
_LIBRARY_NAMES = frozenset({
    "chardet", "charset_normalizer", "cryptography", "dotenv", "filelock", "jeepney", "keyring", "keyrings",
    "oauthlib", "platformdirs", "requests", "requests_oauthlib", "secretstorage", "tqdm", "urllib3",
    "werkzeug",
})  # fmt: skip

#: Shorter secrets are masked as whole words only.
_MIN_SUBSTRING_LENGTH = 8


class _SecretRegistry:
    """The secrets in use: those that a client refers to, and the most recently registered ones.

    Readers need no lock, because the dictionary is replaced, never changed.
    """

    #: Number of recent secrets that are kept without a client, for messages about its last call.
    max_released = 256

    def __init__(self) -> None:
        self._lock = threading.RLock()  # reentrant, because a finalizer may log while it is held
        self._registered: Dict[int, Tuple[weakref.ref[Secret], Tuple[str, ...]]] = {}
        self._recently_used: collections.OrderedDict[str, Secret] = collections.OrderedDict()
        #: The dictionary and the texts and pattern compiled from it; replaced in a single assignment.
        self._compiled: Tuple[Any, List[str], Optional[Pattern[str]]] = (None, [], None)

    def add(self, value: str) -> Secret:
        """Register a secret; it stays registered while the returned object exists."""
        with self._lock:
            secret = value if isinstance(value, Secret) else self._recently_used.get(value) or Secret(value)
            text = str(secret)
            self._recently_used.setdefault(text, secret)
            self._recently_used.move_to_end(text)
            while len(self._recently_used) > self.max_released:
                self._recently_used.popitem(last=False)
            entry = self._registered.get(id(secret))
            if entry is None or entry[0]() is not secret:
                live = {
                    key: registered
                    for key, registered in self._registered.items()
                    if registered[0]() is not None
                }
                live[id(secret)] = (weakref.ref(secret), _encoded_forms(text))
                self._registered = live
        return secret

    def mask(self, text: str) -> str:
        """Return text with the secrets masked, the longest first, because one may be a prefix of another.

        A short secret may be part of an ordinary word, and is masked only as a whole word.
        """
        live = self._registered
        compiled_from, known, pattern = self._compiled
        if compiled_from is not live:
            forms = {form for _, several in live.values() for form in several}
            ordered = sorted(forms, key=len, reverse=True)
            short = "|".join(re.escape(form) for form in ordered if len(form) < _MIN_SUBSTRING_LENGTH)
            pattern = re.compile(rf"(?:(?<!\w)|(?<=%[0-9A-Fa-f]{{2}}))(?:{short})(?!\w)") if short else None
            known = [form for form in ordered if len(form) >= _MIN_SUBSTRING_LENGTH]
            self._compiled = live, known, pattern
        for form in known:
            if form in text:
                text = text.replace(form, "***")
        return pattern.sub("***", text) if pattern is not None else text


def _encoded_forms(value: str) -> Tuple[str, ...]:
    """Return a secret and its encodings in URLs, JSON, HTML pages, OAuth headers and reprs."""
    once = quote(value, safe="", errors="replace")
    forms = {
        value, once, quote_plus(value, errors="replace"), quote(once, safe=""), json.dumps(value)[1:-1],
        json.dumps(value, ensure_ascii=False)[1:-1], html.escape(value), repr(value)[1:-1],
    }  # fmt: skip
    return tuple(forms)


_secrets = _SecretRegistry()


def register_secret(value: str) -> Secret:
    """Mask ``value`` and its encodings in all logs and messages, if it has at least 4 characters.

    It is masked while the returned object exists: store that object instead of the plain text.
    """
    return _secrets.add(value) if len(value) >= 4 else Secret(value)


def redact(text: str) -> str:
    """Return ``text`` with secrets masked."""
    if "=" in text or ":" in text:
        text = _JSON_FIELD.sub(r"\1***", _URL_PARAMETER.sub(r"\1***", text))
        text = _URL_PASSWORD.sub(r"\1***", _HTML_ATTRIBUTE.sub(r"\1***", text))
    return _secrets.mask(text)


def redacted_excerpt(value: Any, max_length: int = 300) -> str:
    """Return the start of a text or value in one line, redacted before it is shortened."""
    return redact(" ".join(str(value)[:20_000].split()))[:max_length]


def redact_json(value: Any, depth: int = 20) -> Any:
    """Return decoded JSON with secrets masked in texts and keys; values below ``depth`` are left out."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, (dict, list)) and not depth:
        return None
    if isinstance(value, dict):
        return {redact(str(key)): redact_json(inner, depth - 1) for key, inner in value.items()}
    if isinstance(value, list):
        return [redact_json(inner, depth - 1) for inner in value]
    return value


class RedactingFilter(logging.Filter):
    """Filter that masks secrets in the message, arguments and traceback of a record, and rejects no record.

    A record without secrets is not changed.

    :param is_own_logger: True for a logger of this package: control characters are escaped, too.
    """

    def __init__(self, is_own_logger: bool = False) -> None:
        super().__init__()
        self._is_own_logger = is_own_logger

    def filter(self, record: logging.LogRecord) -> bool:
        """Mask the record in place."""
        try:
            message = record.getMessage()
        except Exception:  # noqa: BLE001 - the handler would print message and arguments unmasked
            record.msg, record.args = f"{record.msg} {record.args!r}", ()
            message = record.msg
        masked = self._mask(message)
        if masked != message or (record.args and self._mask(args_text := repr(record.args)) != args_text):
            record.msg, record.args = masked, ()
        if record.exc_info and not record.exc_text:
            text = "".join(traceback.format_exception(*record.exc_info)).rstrip("\n")
            masked = self._mask(text, allowed="\n")
            if masked != text:
                record.exc_text, record.exc_info = masked, None
        return True

    def _mask(self, text: str, allowed: str = "") -> str:
        masked = redact(text)
        if self._is_own_logger:
            return escape_unprintable(masked, max_length=20_000, allowed=allowed)
        return _SECRET_HEADER.sub(_mask_header_value, _OAUTH_PARAMETER.sub(r"\1***", masked))


def _mask_header_value(header: "Match[str]") -> str:
    """Return a header with its value masked, except the scheme of an Authorization header."""
    value = header.group(2)
    scheme = _AUTH_SCHEME.match(value)
    closing = value[0] if value[0] in "'\"" else ""
    return f"{header.group(1)}{scheme.group() if scheme else ''}***{closing}"


def install_filters() -> None:
    """Add the filter to the loggers of this package and of the libraries, once each."""
    loaded = logging.root.manager.loggerDict.copy()
    names = [name for name in loaded if name.partition(".")[0].lower() in _LIBRARY_NAMES]
    for name in {*_OWN_LOGGERS, *_LIBRARY_LOGGERS, *names}:
        logger = logging.getLogger(name)
        if not any(isinstance(known, RedactingFilter) for known in logger.filters):
            logger.addFilter(RedactingFilter(is_own_logger=name in _OWN_LOGGERS))


install_filters()
