"""nrp-cmd's configuration as a source of credentials; it is only read.

Source: NRP / Invenio protocol, section 2.
"""

import json
import os
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Tuple, Union

import attrs

from smartxfer.credentials import CredentialSpec, SecretFile, UnreadableFile, read_secret_file
from smartxfer.errors import ConfigError, LocalNotFound, UsageError
from smartxfer.os_text import get_home_directory, resolve_source_path
from smartxfer.secret_text import wrap_secrets
from smartxfer.transport import Origin
from smartxfer.transport.json_codec import parse_json

__all__ = ["ConfigEntry", "build_credential_spec", "find_entry", "read_config", "resolve_config_path"]

OptionalPath = Union[str, "os.PathLike[str]", None]


@attrs.frozen
class ConfigEntry:
    """A repository in the configuration.

    :param url: scheme, host and port.
    :param verify_tls: verify the TLS certificate.
    """

    alias: str
    url: str
    token: Optional[str] = attrs.field(default=None, repr=False, converter=wrap_secrets)
    verify_tls: bool = True
    enabled: bool = True


def resolve_config_path(path: OptionalPath = None) -> Path:
    """Return the path of the configuration; by default NRP_CMD_CONFIG_PATH or ``~/.nrp/invenio-config.json``.

    :raises ConfigError: the path cannot be expanded.
    """
    configured = path or os.environ.get("NRP_CMD_CONFIG_PATH")
    if not configured:
        return (get_home_directory() or Path("~")) / ".nrp" / "invenio-config.json"
    try:
        return resolve_source_path(configured)
    except LocalNotFound as error:
        raise ConfigError(f"configuration of nrp-cmd: {error.summary}", hint=error.hint) from None


def find_entry(
    alias: Optional[str] = None, path: OptionalPath = None, url: Optional[str] = None
) -> Optional[ConfigEntry]:
    """Return the repository with the alias, else the one with the URL, else the default one.

    :param alias: alias of the repository, which may be disabled in the configuration.
    :param path: path of the configuration.
    :param url: URL of the repository; by default NRP_REPOSITORY_URL.
    :raises ConfigError: the alias does not exist, or the configuration cannot be read.
    """
    config_path = resolve_config_path(path)
    document, file = _read_config_file(config_path, required=path is not None)
    entry = _select_entry(document, config_path, alias, url)
    if file is not None and entry is not None and entry.token:
        file.warn_if_shared()
    return entry


def read_config(path: OptionalPath = None) -> Tuple[List[ConfigEntry], Optional[str]]:
    """Return all repositories of the configuration, and the alias of the default one.

    :raises ConfigError: the configuration cannot be read, or is malformed.
    """
    config_path = resolve_config_path(path)
    document, file = _read_config_file(config_path, required=False)
    entries, default = _parse_entries(document, config_path), document.get("default_alias")
    if file is not None and any(entry.token for entry in entries):
        file.warn_if_shared()
    return entries, default if isinstance(default, str) else None


def _select_entry(
    document: Mapping[str, Any], path: Path, alias: Optional[str], url: Optional[str]
) -> Optional[ConfigEntry]:
    """Return the repository that :func:`find_entry` describes."""
    entries = _parse_entries(document, path)
    if alias is not None:
        for entry in entries:
            if entry.alias == alias:
                return entry
        aliases = ", ".join(entry.alias for entry in entries) or "none"
        raise ConfigError(
            f"{path} has no repository {alias!r}", hint=f"pass one of the aliases in this file: {aliases}"
        )
    default = document.get("default_alias")
    entries = [entry for entry in entries if entry.enabled]
    entries.sort(key=lambda entry: entry.alias != default)
    url = url or os.environ.get("NRP_REPOSITORY_URL")
    if url:
        target = Origin.parse(url)
        return next((entry for entry in entries if Origin.parse(entry.url) == target), None)
    return next((entry for entry in entries if entry.alias == default), None)


def build_credential_spec(
    alias: Optional[str] = None, path: OptionalPath = None, url: Optional[str] = None
) -> CredentialSpec:
    """Return the specification of a repository's credentials.

    With an alias, environment variables are ignored.

    :param alias: alias of a repository in nrp-cmd's configuration.
    :param path: path of that configuration.
    :param url: URL of the repository, if the caller passed one.
    """

    def read_config_file() -> Mapping[str, str]:
        entry = find_entry(alias, path, url)
        if entry is None:
            return {}
        return {"base_url": entry.url, **({"token": entry.token} if entry.token else {})}

    return CredentialSpec(
        service="nrp",
        fields={
            "base_url": () if alias is not None else "NRP_REPOSITORY_URL",
            "token": () if alias is not None else "NRP_TOKEN",
        },
        netrc={"token": "password"},
        secrets=frozenset({"token"}),
        read_config_file=read_config_file,
        config_base_url_is_explicit=alias is not None,
        config_file_is_explicit=bool(
            alias is not None or path is not None or os.environ.get("NRP_CMD_CONFIG_PATH")
        ),
        config_file_label=f"{resolve_config_path(path)}"
        + (f" (alias {alias!r})" if alias is not None else ""),
        normalize_url=lambda text: str(Origin.parse(text.strip())),
    )


def _read_config_file(path: Path, required: bool) -> Tuple[Dict[str, Any], Optional[SecretFile]]:
    """Return the document in the configuration, and the file; an empty document if it is missing or empty.

    :raises ConfigError: the file cannot be read, or is malformed; the message contains the line.
    """
    if str(path).startswith("~"):
        raise ConfigError(f"cannot read {path}: no home directory", hint="set HOME")
    try:
        file = read_secret_file(path)
    except FileNotFoundError:
        if required:
            raise ConfigError(
                f"{path} does not exist", hint="pass config_path= of an existing file"
            ) from None
        return {}, None
    except UnreadableFile as error:
        raise ConfigError(
            f"cannot read {path}: {error}",
            hint="correct the file, or omit config_path= and NRP_CMD_CONFIG_PATH",
        ) from None
    if not file.text.strip():
        return {}, file
    document, reason = None, ""
    try:
        document = wrap_secrets(parse_json(file.text))
    except json.JSONDecodeError as error:
        reason = f": line {error.lineno} is not JSON"
    except ValueError as error:
        reason = f": {error}"
    if not isinstance(document, dict):
        raise ConfigError(
            f"{path} is not a configuration of nrp-cmd{reason}",
            hint="correct it, or pass another config_path=",
        )
    return document, file


def _parse_entries(document: Mapping[str, Any], path: Path) -> List[ConfigEntry]:
    """Return the repositories that have a valid URL."""
    repositories = document.get("repositories") or []
    if not isinstance(repositories, list):
        raise ConfigError(f"{path}: 'repositories' is not a list", hint="correct the file")
    entries = []
    for entry in repositories:
        if not isinstance(entry, dict) or not isinstance(entry.get("url"), str):
            continue
        try:
            url = str(Origin.parse(entry["url"].strip()))
        except UsageError:
            continue
        token = entry.get("token")
        entries.append(
            ConfigEntry(
                str(entry.get("alias") or url),
                url,
                token if isinstance(token, str) and token else None,
                entry.get("verify_tls") is not False,
                entry.get("enabled") is not False,
            )
        )
    return entries
