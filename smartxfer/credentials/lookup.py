"""Lookup of credentials in all sources, in order."""

import configparser
import difflib
import getpass
import logging
import os
import warnings
from pathlib import Path
from typing import Dict, List, Mapping, Optional, Tuple, Union

from smartxfer.credentials.credential_set import Credentials
from smartxfer.credentials.credential_spec import CredentialSpec
from smartxfer.credentials.origin_binding import BaseURLKind, SourceKind, explain_unused
from smartxfer.credentials.secret_files import (
    SecretFile,
    UnreadableFile,
    describe_read_error,
    parse_ini,
    parse_netrc,
    read_secret_file,
)
from smartxfer.error_families import GENERIC_ERRORS, ErrorFamily
from smartxfer.errors import ConfigError, LocalNotFound
from smartxfer.os_text import decode_os_text, get_home_directory, get_user_directory, resolve_source_path
from smartxfer.secret_text import as_secret, wrap_secrets
from smartxfer.transport import redaction
from smartxfer.transport.origin import Origin
from smartxfer.validation import find_nearest_key

__all__ = ["get_config_path", "resolve_credentials"]

log = logging.getLogger("smartxfer.credentials")

_NETRC_HINT = "correct netrcfile= or NETRC"
_NETRC_FILE_HINT = (
    "make the file readable for you alone (chmod 600), with lines: machine HOST login USER password SECRET"
)
_KEYRING_HINT = "unlock the keyring, or configure a backend for the package keyring"


def resolve_credentials(
    spec: CredentialSpec,
    arguments: Mapping[str, Optional[str]],
    *,
    profile: Optional[str] = None,
    netrcfile: Union[str, "os.PathLike[str]", None] = None,
    environ: Optional[Mapping[str, str]] = None,
    base_url_kind: BaseURLKind = BaseURLKind.EXPLICIT,
    error_family: ErrorFamily = GENERIC_ERRORS,
) -> Credentials:
    """Look up credentials in all sources; the first source with a value for the base URL is used.

    An unreadable source causes a warning, and the search continues.

    :param arguments: values that the caller passed.
    :param profile: section of the configuration file; by default SMARTXFER_PROFILE.
    :param netrcfile: path of a file instead of NETRC or ``~/.netrc``.
    :param environ: variables instead of ``os.environ``.
    :param base_url_kind: origin of the base URL in ``arguments``.
    :param error_family: the errors of the service.
    :raises ConfigError: a named profile or file is missing or malformed.
    """
    environ = os.environ if environ is None else environ
    credentials = Credentials(spec, base_url_kind, error_family)
    credentials.add(credentials.new_source("arguments", SourceKind.PROGRAM), arguments)
    _add_environment(credentials, spec, environ)
    _add_service_config(credentials, spec)
    _add_profile(credentials, spec, profile or environ.get("SMARTXFER_PROFILE"))
    if spec.defaults:
        credentials.add(credentials.new_source("default", SourceKind.DEFAULT), spec.defaults)
    credentials.select_values()
    if (
        spec.netrc
        and credentials.base_url_in_use is not None
        and credentials.base_url_in_use.kind is not BaseURLKind.TOKEN_LINK
    ):
        _add_netrc(credentials, spec, credentials.base_url_in_use.origin, netrcfile or environ.get("NETRC"))
        _add_keyring(credentials, spec, credentials.base_url_in_use.origin)
    return credentials


def _add_environment(credentials: Credentials, spec: CredentialSpec, environ: Mapping[str, str]) -> None:
    """Add the values of the environment variables, as one source."""
    variables = spec.variables("base_url") if "base_url" in spec.fields else ()
    url_variable = next((variable for variable in variables if environ.get(variable)), "")
    base_url = decode_os_text(environ.get(url_variable, ""))
    source = credentials.new_source("environment", SourceKind.USER, base_url, url_variable)
    for name in spec.fields:
        for variable in spec.variables(name):
            source_name = f"environment ({variable})"
            value = decode_os_text(environ.get(variable) or "")
            if _is_valid_unicode(value):
                credentials.add(source, {name: value}, source_name, f"{variable} is set")
            else:
                credentials.record_unreadable(source_name, "its value is not UTF-8")


def _is_valid_unicode(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _add_service_config(credentials: Credentials, spec: CredentialSpec) -> None:
    """Add the values of the service's own file."""
    if spec.read_config_file is None:
        return
    try:
        values = wrap_secrets(dict(spec.read_config_file()))
    except ConfigError as error:
        if spec.config_file_is_explicit:
            raise
        credentials.record_unreadable(spec.config_file_label, error.summary)
    except Exception as error:  # noqa: BLE001 - the parser of another package may raise any exception
        reason = describe_read_error(error)
        if spec.config_file_is_explicit:
            raise ConfigError(
                f"{spec.config_file_label} cannot be read: {reason}", hint="correct the file"
            ) from None
        credentials.record_unreadable(spec.config_file_label, reason)
    else:
        kind = SourceKind.WORKING_DIRECTORY if spec.config_file_is_in_working_directory else SourceKind.USER
        credentials.add(credentials.new_source(spec.config_file_label, kind, values.get("base_url")), values)


def get_config_path() -> Path:
    """Return the path of the file with profiles, ``config.ini`` in the platform's configuration directory.

    It begins with ``~`` if the home directory is unknown.
    """
    return (get_user_directory("config") or Path("~", ".config", "smartxfer")) / "config.ini"


def _add_profile(credentials: Credentials, spec: CredentialSpec, profile: Optional[str]) -> None:
    """Add the values of the service's section in the configuration file, or of its section for a profile.

    :raises ConfigError: the profile cannot be read.
    """
    path = get_config_path()
    source_name = f"profile {profile!r}" if profile else str(path)
    section = f"{spec.service}:{profile}" if profile else spec.service
    parser, reason = configparser.ConfigParser(interpolation=None), ""
    file: Optional[SecretFile] = None
    if str(path).startswith("~"):
        reason = "no home directory: set HOME"
    else:
        try:
            file = read_secret_file(path)
            parser = parse_ini(file)
        except FileNotFoundError:
            pass
        except UnreadableFile as error:
            reason = str(error)
    if reason and profile:
        raise ConfigError(
            f"{path} cannot be read: {reason}", hint=f"correct the file, or leave out profile={profile!r}"
        )
    if reason:
        credentials.record_unreadable(source_name, reason)
        return
    _warn_of_unknown_keys(credentials, parser, section, spec, path)
    values = wrap_secrets(dict(parser.items(section))) if parser.has_section(section) else {}
    if profile and not values and not parser.has_section(section):
        hint = _missing_section_hint(parser, spec.service, section)
        raise ConfigError(f"{path} has no section [{section}]", hint=hint)
    if file is not None and any(values.get(name) for name in spec.secrets):
        file.warn_if_shared()
    credentials.add(credentials.new_source(source_name, SourceKind.USER, values.get("base_url")), values)


def _missing_section_hint(parser: configparser.ConfigParser, service: str, section: str) -> str:
    """Return the hint for a profile without a section: the nearest profile, or all of the service."""
    own = [name for name in parser.sections() if name.partition(":")[0] == service]
    meant = find_nearest_key(section, own)
    if meant is not None and ":" in meant:
        return f"pass profile={meant.partition(':')[2]!r}, or add the section"
    return f"add the section, or unset SMARTXFER_PROFILE; sections of {service}: {', '.join(own) or 'none'}"


def _warn_of_unknown_keys(
    credentials: Credentials,
    parser: configparser.ConfigParser,
    section: str,
    spec: CredentialSpec,
    path: Path,
) -> None:
    """Log warnings about unknown keys, and about sections with a misspelt name."""
    known = [*spec.fields, *spec.ignored_keys]
    for key in parser.options(section) if parser.has_section(section) else ():
        if key not in known and key not in parser.defaults():
            nearest = find_nearest_key(key, known)
            remedy = f"write {nearest!r}" if nearest else f"known keys: {', '.join(sorted(known))}"
            log.warning("%s: unknown key %r in [%s] is ignored (%s)", path, key, section, remedy)
            credentials.remedies.append(f"{remedy} for the unknown key {key!r} in {path}")
    for other in parser.sections():
        service = other.partition(":")[0]
        if service != spec.service and find_nearest_key(
            service, _match_misspelt_service(spec.service, service)
        ):
            log.warning("%s: section [%s] is ignored (write %r)", path, other, spec.service)
            credentials.remedies.append(f"write [{spec.service}] for the section [{other}] in {path}")


def _match_misspelt_service(service: str, word: str) -> List[str]:
    """Return the service's name in a list if a word is similar to it, else an empty list."""
    return [service] if difflib.SequenceMatcher(None, service, word.lower()).ratio() >= 0.8 else []


def _add_netrc(
    credentials: Credentials,
    spec: CredentialSpec,
    origin: Origin,
    explicit_path: Union[str, "os.PathLike[str]", None],
) -> None:
    """Add the values of the netrc entry for the host; ``host:port`` takes precedence over ``host``.

    :raises ConfigError: the file that the caller chose cannot be read.
    """
    home = get_home_directory()
    if not explicit_path and home is None:
        credentials.record_unreadable("~/.netrc", "no home directory: set HOME or NETRC")
        return
    try:
        paths = (
            [resolve_source_path(explicit_path)]
            if explicit_path
            else [home / name for name in (".netrc", "_netrc") if home]
        )
    except LocalNotFound as error:
        raise ConfigError(f"netrc: {error.summary}", hint=error.hint) from None
    for path in paths:
        source = credentials.new_source(str(path), SourceKind.HOST)
        try:
            file = read_secret_file(path)
            hosts = wrap_secrets(parse_netrc(file))
        except FileNotFoundError:
            if explicit_path:
                raise ConfigError(f"the netrc file {path} does not exist", hint=_NETRC_HINT) from None
            credentials.add(source, {})
            continue
        except UnreadableFile as error:
            if explicit_path:
                raise ConfigError(
                    f"the netrc file {path} cannot be read: {error}", hint=_NETRC_FILE_HINT
                ) from None
            credentials.record_unreadable(str(path), str(error))
            continue
        values = _find_netrc_values(hosts, spec, origin)
        if any(values.get(name) for name in spec.secrets):
            file.warn_if_shared()
        logins = [name for name, part in spec.netrc.items() if part == "login"]
        if any(credentials.get(name) not in (None, values.get(name)) for name in logins):
            values = {}  # the password belongs to another user
        credentials.add(source, values, description=f"{path} has an entry for {origin.host}")


def _find_netrc_values(
    hosts: Mapping[str, Tuple[str, str]], spec: CredentialSpec, origin: Origin
) -> Dict[str, Optional[str]]:
    bracketed = f"[{origin.host}]" if ":" in origin.host else origin.host
    for host in (f"{bracketed}:{origin.port}", bracketed, origin.host):
        if host in hosts:
            parts = dict(zip(("login", "password"), hosts[host]))
            return {name: parts[part] for name, part in spec.netrc.items()}
    return {}


def _add_keyring(credentials: Credentials, spec: CredentialSpec, origin: Origin) -> None:
    """Read the password of a known user from the keyring, if the package is installed.

    The secret of a service without users is stored under the name of the value: ``token``, ``api_key``.
    """
    missing = [name for name, part in spec.netrc.items() if part == "password" and not credentials.get(name)]
    logins = [name for name, part in spec.netrc.items() if part == "login"]
    source = credentials.new_source(f"keyring (smartxfer:{origin.netloc})", SourceKind.HOST)
    reason = explain_unused(source, credentials.base_url_in_use)
    if reason is not None:  # the keyring may prompt for a password, which must not happen for an unused value
        credentials.searched.append(f"{source.name} (not asked: {reason})")
        return
    for name in missing:
        user = credentials.get(logins[0]) if logins else name
        if not user:
            return
        try:
            import keyring

            redaction.install_filters()  # for the loggers of its backends
            with warnings.catch_warnings():
                # A backend may prompt for a password, which must not be echoed.
                warnings.simplefilter("error", getpass.GetPassWarning)
                value = as_secret(keyring.get_password(f"smartxfer:{origin.netloc}", user))
        except ModuleNotFoundError as error:
            if error.name != "keyring":
                credentials.record_unreadable(source.name, describe_read_error(error), _KEYRING_HINT)
            return
        except Exception as error:  # noqa: BLE001 - a backend may raise any exception
            credentials.record_unreadable(source.name, describe_read_error(error), _KEYRING_HINT)
            return
        credentials.add(source, {name: value})
