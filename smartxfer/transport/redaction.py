"""Keeping secrets out of logs and messages.

Two nets: parameters and headers that are secret by their name, and the very values of the secrets in use.
The filter sits on our own loggers and on those of every library that sees a secret, never on the root.
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
#: JSON may write the ampersand as an escape; a form begins with its first parameter.
_URL_PARAMETER = re.compile(rf"(?i)((?:\A|(?<=[?&;])|(?<=\\u0026))(?:{_SENSITIVE_PARAMS})=)[^&\s\"'#)\\]*")
#: The same in a body of JSON that is quoted.
_JSON_FIELD = re.compile(
    r'(?i)("(?:[a-z_]*token|[a-z_]*password|api_?key|secret|signature|puid|uid)"\s*:\s*")(?:[^"\\]|\\.)*'
)
#: And an attribute of a page, such as ``data-security-token="..."``.
_HTML_ATTRIBUTE = re.compile(r"""(?i)(\bdata-[a-z-]*token\s*=\s*["']?)[^"'\s>]+""")
#: A parameter of OAuth in a header, and in a list of pairs.
_OAUTH_PARAMETER = re.compile(r"""(?i)(\boauth_[a-z_]+(?:\\?["']=?|="|['"],)\s*\\?["']?)[^"'\\,\s)]+""")
#: The password in front of a host.
_URL_PASSWORD = re.compile(r"""(://[^/?#\s@:'"]*:)[^/?#\s@'"]+(?=@)""")
#: Headers that carry credentials, as libraries log them.
_SECRET_HEADER = re.compile(
    r"""(?i)(\b(?:proxy-authorization|authorization|set-cookie|cookie|x-filesender-security-token|csrfptoken)"""
    r"""['"]?\s*[:,]\s*(?:b(?=['"]))?)('[^']*'|"[^"]*"|[^\r\n'"]+)"""
)
_AUTH_SCHEME = re.compile(r"(?i)['\"]?(?:(?:bearer|basic|oauth|digest|token)\s)?")

#: Our own loggers: what they say is also made visible.
_OWN_LOGGERS = tuple(
    f"smartxfer.{name}"
    for name in (
        "credentials", "delta", "filesender", "jetstream", "jetstream_bridge", "local", "nrp", "perseus",
        "smartfile", "transfer", "transport", "worker_pool",
    )
)  # fmt: skip
#: Loggers that are there once their library is loaded; a filter on a parent sees no record of its children.
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
#: Any other logger of these libraries is found by its name.
_LIBRARY_NAMES = frozenset({
    "chardet", "charset_normalizer", "cryptography", "dotenv", "filelock", "jeepney", "keyring", "keyrings",
    "oauthlib", "platformdirs", "requests", "requests_oauthlib", "secretstorage", "tqdm", "urllib3",
    "werkzeug",
})  # fmt: skip

#: A secret of fewer characters is masked as a whole word only.
_MIN_SUBSTRING_LENGTH = 8


class _SecretRegistry:
    """The secrets in use: each for as long as a client holds it, and the latest ones a while longer.

    Readers take no lock: the dictionary is replaced, never changed.
    """

    #: How many are kept that no client holds any more; a message about the last call may still come.
    max_released = 256

    def __init__(self) -> None:
        self._lock = threading.RLock()  # a finalizer may log in the middle of it
        self._registered: Dict[int, Tuple[weakref.ref[Secret], Tuple[str, ...]]] = {}
        self._recently_used: collections.OrderedDict[str, Secret] = collections.OrderedDict()
        #: What ``mask`` looks for, and the dictionary that it was made of: replaced in one step.
        self._compiled: Tuple[Any, List[str], Optional[Pattern[str]]] = (None, [], None)

    def add(self, value: str) -> Secret:
        """Note a secret; the object that is returned keeps it noted."""
        with self._lock:
            held = value if isinstance(value, Secret) else self._recently_used.get(value) or Secret(value)
            text = str(held)
            self._recently_used.setdefault(text, held)
            self._recently_used.move_to_end(text)
            while len(self._recently_used) > self.max_released:
                self._recently_used.popitem(last=False)
            entry = self._registered.get(id(held))
            if entry is None or entry[0]() is not held:
                live = {key: one for key, one in self._registered.items() if one[0]() is not None}
                live[id(held)] = (weakref.ref(held), _encoded_forms(text))
                self._registered = live
        return held

    def mask(self, text: str) -> str:
        """Return text without them, the longest first: one may be the start of another.

        A short one may be an ordinary word, and counts only where it stands alone.
        """
        live = self._registered
        made_of, known, pattern = self._compiled
        if made_of is not live:
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
    """Return a secret as it is, and as it is written in URLs, JSON, pages, OAuth headers and by repr."""
    once = quote(value, safe="", errors="replace")
    forms = {
        value, once, quote_plus(value, errors="replace"), quote(once, safe=""), json.dumps(value)[1:-1],
        json.dumps(value, ensure_ascii=False)[1:-1], html.escape(value), repr(value)[1:-1],
    }  # fmt: skip
    return tuple(forms)


_secrets = _SecretRegistry()


def register_secret(value: str) -> Secret:
    """Have ``value``, also as it is written in URLs, masked in every log and message (4 characters and more).

    It is masked while the returned object is in use; hold that one instead of the plain text.
    """
    return _secrets.add(value) if len(value) >= 4 else Secret(value)


def redact(text: str) -> str:
    """``text`` with secrets masked."""
    if "=" in text or ":" in text:
        text = _JSON_FIELD.sub(r"\1***", _URL_PARAMETER.sub(r"\1***", text))
        text = _URL_PASSWORD.sub(r"\1***", _HTML_ATTRIBUTE.sub(r"\1***", text))
    return _secrets.mask(text)


def redacted_excerpt(value: Any, max_length: int = 300) -> str:
    """Return the start of a text or value in one line, cleaned before it is cut through a secret."""
    return redact(" ".join(str(value)[:20_000].split()))[:max_length]


def redact_json(value: Any, depth: int = 20) -> Any:
    """The same for decoded JSON: texts and keys at any place in it; what lies deeper is left out."""
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
    """Masks secrets in a record: message, arguments and traceback; lets every record pass.

    A record without any is left as it is.

    :param is_own_logger: the logger is ours: control characters in a message are written out, too.
    """

    def __init__(self, is_own_logger: bool = False) -> None:
        super().__init__()
        self._is_own_logger = is_own_logger

    def filter(self, record: logging.LogRecord) -> bool:
        """Mask the record in place."""
        try:
            message = record.getMessage()
        except Exception:  # noqa: BLE001 - the handler would print message and arguments as they are
            record.msg, record.args = f"{record.msg} {record.args!r}", ()
            message = record.msg
        masked = self._mask(message)
        if masked != message or (record.args and self._mask(shown := repr(record.args)) != shown):
            record.msg, record.args = masked, ()
        if record.exc_info and not record.exc_text:
            told = "".join(traceback.format_exception(*record.exc_info)).rstrip("\n")
            masked = self._mask(told, allowed="\n")
            if masked != told:
                record.exc_text, record.exc_info = masked, None
        return True

    def _mask(self, text: str, allowed: str = "") -> str:
        masked = redact(text)
        if self._is_own_logger:
            return escape_unprintable(masked, max_length=20_000, allowed=allowed)
        return _SECRET_HEADER.sub(_mask_header_value, _OAUTH_PARAMETER.sub(r"\1***", masked))


def _mask_header_value(header: "Match[str]") -> str:
    """Return a header with its value masked; the scheme of an Authorization is left."""
    value = header.group(2)
    scheme = _AUTH_SCHEME.match(value)
    closing = value[0] if value[0] in "'\"" else ""
    return f"{header.group(1)}{scheme.group() if scheme else ''}***{closing}"


def install_filters() -> None:
    """Put the filter on our loggers and on those of the libraries, once each."""
    loaded = logging.root.manager.loggerDict.copy()
    found = [name for name in loaded if name.partition(".")[0].lower() in _LIBRARY_NAMES]
    for name in {*_OWN_LOGGERS, *_LIBRARY_LOGGERS, *found}:
        logger = logging.getLogger(name)
        if not any(isinstance(known, RedactingFilter) for known in logger.filters):
            logger.addFilter(RedactingFilter(is_own_logger=name in _OWN_LOGGERS))


install_filters()
