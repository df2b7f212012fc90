"""Parsers for a site's URLs and links, its public configuration, and the user's settings file.

Source: FileSender protocol, sections 1, 3 and 4.
"""

import re
from typing import Any, Dict, Mapping, Optional, Tuple
from urllib.parse import parse_qs, urlsplit

import attrs

from smartxfer.credentials import parse_ini, read_secret_file
from smartxfer.errors import ConfigError, UsageError
from smartxfer.os_text import get_home_directory
from smartxfer.secret_text import Secret, as_secret_url, wrap_secrets
from smartxfer.transport import Origin
from smartxfer.transport.origin import is_loopback

__all__ = [
    "SiteAddress",
    "SiteConfig",
    "extract_token",
    "get_link_base_url",
    "is_same_site",
    "parse_config",
    "parse_site_url",
    "read_user_ini",
]

#: Distinguishes a token from a name or a sentence; the site checks whether a token is valid.
_TOKEN_PATTERN = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+){4,5}\Z", re.IGNORECASE)
_SCRIPT_PATH = re.compile(r"/(?:rest|index|download)\.php(?:/.*)?\Z")


@attrs.frozen
class SiteAddress:
    """Base URL of a site, and the tokens of the link that it was parsed from.

    :param base_url: without a trailing slash.
    :param token: of a download link.
    :param guest_token: of a voucher link.
    """

    base_url: str
    token: Optional[str] = attrs.field(default=None, repr=False)
    guest_token: Optional[str] = attrs.field(default=None, repr=False)


def parse_site_url(text: str) -> SiteAddress:
    """Parse the URL of a site or of one of its pages.

    >>> parse_site_url("https://fs.example.org/filesender/rest.php").base_url
    'https://fs.example.org/filesender'

    :raises UsageError: it is not an http or https URL.
    """
    text = url = as_secret_url(str(text).strip())
    if "://" not in url:
        url = as_secret_url(f"{'http' if _is_local_host(url) else 'https'}://{url}")
    origin = Origin.parse(url)
    try:
        parts = urlsplit(url)
    except ValueError:
        raise UsageError(
            "invalid URL: its host cannot be parsed",
            hint="pass the address of the site, such as https://filesender.example.org",
        ) from None
    if parts.username is not None:
        del parts
        raise UsageError(
            "the base URL must not contain a user name or password", hint="pass auth=UserAuth(...)"
        )
    path = _SCRIPT_PATH.sub("", parts.path).rstrip("/")
    query = wrap_secrets(parse_qs(parts.query or parts.fragment.partition("?")[2]))
    return SiteAddress(
        base_url=f"{origin}{path}",
        token=query.get("token", [None])[0],
        guest_token=query.get("vid", [None])[0],
    )


def extract_token(source: Any) -> str:
    """Return the download token of a token, a download link, or an object with a ``token``.

    :raises UsageError: it is something else.
    """
    token: Optional[str] = Secret(getattr(source, "token", source)).strip()
    if token and ("/" in token or "?" in token):
        token = parse_site_url(token).token
    if not token or not _TOKEN_PATTERN.match(token):
        raise UsageError(
            "invalid download token or link", hint="copy the complete link, or the value of token= in it"
        )
    return token


def split_source(text: str) -> Tuple[str, Optional[str]]:
    """Split ``"TOKEN/NAME"``, a token, or a link into (token or link, file name or None).

    :raises UsageError: it is not text.
    """
    if not isinstance(text, str):
        raise UsageError(
            f"a download source must be text, not a {type(text).__name__}",
            hint='pass "TOKEN/NAME", a token or a download link',
        )
    token, slash, name = str(text).strip().partition("/")
    if slash and _TOKEN_PATTERN.match(token):
        return Secret(token), name or None
    return Secret(text), None


def is_same_site(first_url: str, second_url: str) -> bool:
    """Return True if two base URLs belong to one site; http and https on the standard ports are equal."""
    first, second = Origin.parse(first_url), Origin.parse(second_url)
    is_same_host = first.allows_credentials_for(second) or second.allows_credentials_for(first)
    return is_same_host and urlsplit(first_url).path.rstrip("/") == urlsplit(second_url).path.rstrip("/")


def get_link_base_url(source: Any) -> Optional[str]:
    """Return the base URL of a download link; None if ``source`` has only a token.

    :param source: a token, a download link, or an object with one of them.
    """
    link = as_secret_url(
        str(getattr(source, "download_url", None) or getattr(source, "token", source)).strip()
    )
    return parse_site_url(link).base_url if "/" in link or "?" in link else None


def _is_local_host(text: str) -> bool:
    host = re.split(r"[/?#]", text, maxsplit=1)[0]
    return is_loopback(host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0])


@attrs.frozen
class SiteConfig:
    """Limits and encryption settings from the site's public configuration script; None for missing ones.

    Sizes are in bytes; 0 means no limit.
    """

    upload_chunk_size: Optional[int] = None
    max_transfer_size: Optional[int] = None
    max_transfer_files: Optional[int] = None
    max_transfer_recipients: Optional[int] = None
    max_transfer_days_valid: Optional[int] = None
    default_transfer_days_valid: Optional[int] = None
    max_transfer_file_size: Optional[int] = None
    ban_extension: Optional[str] = None
    extension_whitelist_regex: Optional[str] = None
    valid_filename_regex: Optional[str] = None
    max_transfer_encrypted_file_size: Optional[int] = None
    encryption_enabled: Optional[bool] = None
    encryption_mandatory: Optional[bool] = None
    encryption_key_version_new_files: Optional[int] = None
    encryption_password_hash_iterations_new_files: Optional[int] = None
    encryption_encode_encrypted_chunks_in_base64_during_upload: Optional[bool] = None
    encryption_min_password_length: Optional[int] = None
    encryption_password_must_have_upper_and_lower_case: Optional[bool] = None
    encryption_password_must_have_numbers: Optional[bool] = None
    encryption_password_must_have_special_characters: Optional[bool] = None


_CONFIG_LINE = re.compile(
    r"""^\s*['"]?(?P<name>\w+)['"]?\s*:\s*(?:'(?P<single>(?:[^'\\]|\\.)*)'|"(?P<double>(?:[^"\\]|\\.)*)"|(?P<bare>[^,\s'"{[]+))\s*,?""",
    re.MULTILINE,
)


def parse_config(script: str) -> SiteConfig:
    """Parse ``filesender-config.js.php``, whose lines are ``name: value,`` with quoted or unquoted values.

    Missing and invalid values are None, because an unusual configuration must not prevent the use of a site.
    """
    values: Dict[str, Any] = {}
    fields = attrs.fields_dict(SiteConfig)
    for match in _CONFIG_LINE.finditer(script):
        name = match["name"]
        quoted = match["single"] if match["single"] is not None else match["double"]
        text = re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else match["bare"]
        if name in fields and name not in values:
            value = _parse_config_value(str(fields[name].type), text)
            if value is not None:
                values[name] = value
    return SiteConfig(**values)


def _parse_config_value(field_type: str, text: str) -> Any:
    if "bool" in field_type:
        return text.strip().lower() in ("true", "1")
    if "int" in field_type:
        return int(text) if re.fullmatch(r"[0-9]{1,18}", text.strip()) else None
    return None if text in ("null", "undefined") else text


def read_user_ini() -> Mapping[str, str]:
    """Return the values in ``~/.filesender/filesender.py.ini``, a file that sites offer for download.

    :return: mapping with ``base_url``, ``username`` and ``api_key``, without missing values.
    :raises ConfigError: the home directory is unknown.
    :raises Unreadable: the file cannot be read or is malformed.

    Source: FileSender protocol, section 3.
    """
    home = get_home_directory()
    if home is None:
        raise ConfigError("the home directory is unknown", hint="set HOME")
    path = home / ".filesender" / "filesender.py.ini"
    try:
        file = read_secret_file(path)
    except FileNotFoundError:
        return {}
    parser = parse_ini(file)
    values = {
        "base_url": parser.get("system", "base_url", fallback=""),
        "username": parser.get("user", "username", fallback=""),
        "api_key": parser.get("user", "apikey", fallback=""),
    }
    if values["api_key"]:
        file.warn_if_shared()
    return {name: value for name, value in values.items() if value}
