"""Look for credentials in every place, in order."""

import configparser
import difflib
import getpass
import logging
import os
import warnings
from pathlib import Path
from typing import Dict, List, Mapping, Optional, Tuple, Union

from smartxfer.credentials.files import (
    SecretFile,
    Unreadable,
    parse_ini,
    parse_netrc,
    read_secret_file,
    reason,
)
from smartxfer.credentials.found import Credentials
from smartxfer.credentials.names import ServiceNames
from smartxfer.credentials.rules import AddressKind, PlaceKind, refusal
from smartxfer.error_families import GENERIC, ErrorFamily
from smartxfer.errors import ConfigError, LocalNotFound
from smartxfer.options import nearest
from smartxfer.secret_text import as_secret, hidden
from smartxfer.system_text import home_directory, source_path, unicode_text, user_directory
from smartxfer.transport import redact
from smartxfer.transport.origin import Origin

__all__ = ["config_file", "look_up"]

log = logging.getLogger("smartxfer.credentials")


def look_up(
    names: ServiceNames,
    given: Mapping[str, Optional[str]],
    *,
    profile: Optional[str] = None,
    netrcfile: Union[str, "os.PathLike[str]", None] = None,
    environ: Optional[Mapping[str, str]] = None,
    kind: AddressKind = AddressKind.EXPLICIT,
    errors: ErrorFamily = GENERIC,
) -> Credentials:
    """Look for credentials in every place, in order; the first that has a value for the address gives it.

    A place that cannot be read is a warning, and the next one is looked at.

    :param given: what the caller passed.
    :param kind: where the address among them comes from.
    :param profile: a named section of the configuration file; by default SMARTXFER_PROFILE.
    :param netrcfile: instead of NETRC or ``~/.netrc``.
    :param environ: instead of ``os.environ``.
    :param errors: the service's.
    :raises ConfigError: a named profile or file is missing or malformed.
    """
    environ = os.environ if environ is None else environ
    found = Credentials(names, kind, errors)
    found.add(found.place("arguments", PlaceKind.ARGUMENTS), given)
    _add_environment(found, names, environ)
    _add_own_file(found, names)
    _add_profile(found, names, profile or environ.get("SMARTXFER_PROFILE"))
    if names.defaults:
        found.add(found.place("default", PlaceKind.DEFAULT), names.defaults)
    found.settle()
    if names.netrc and found.address is not None and found.address.kind is not AddressKind.TOKEN_LINK:
        _add_netrc(found, names, found.address.origin, netrcfile or environ.get("NETRC"))
        _add_keyring(found, names, found.address.origin)
    return found


def _add_environment(found: Credentials, names: ServiceNames, environ: Mapping[str, str]) -> None:
    """Add what the variables hold; those of one service belong together."""
    variables = names.variables("base_url") if "base_url" in names.fields else ()
    naming = next((variable for variable in variables if environ.get(variable)), "")
    site = unicode_text(environ.get(naming, ""))
    place = found.place("environment", PlaceKind.USER, site, naming)
    for name in names.fields:
        for variable in names.variables(name):
            source = f"environment ({variable})"
            value = unicode_text(environ.get(variable) or "")
            if _is_unicode(value):
                found.add(place, {name: value}, source, f"{variable} is set")
            else:
                found.broken(source, "its value is not UTF-8")


def _is_unicode(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _add_own_file(found: Credentials, names: ServiceNames) -> None:
    """Take what the service's own file holds."""
    if names.own_file is None:
        return
    try:
        values = hidden(dict(names.own_file()))
    except ConfigError as error:
        if names.own_named:
            raise
        found.broken(names.own_place, error.summary)
    except Exception as error:  # noqa: BLE001 - a reader of another package may raise anything
        why = reason(error)
        if names.own_named:
            raise ConfigError(f"{names.own_place} cannot be read: {why}") from None
        found.broken(names.own_place, why)
    else:
        kind = PlaceKind.DIRECTORY if names.own_local else PlaceKind.USER
        found.add(found.place(names.own_place, kind, values.get("base_url")), values)


def config_file() -> Path:
    """The file of profiles: ``config.ini`` in the platform's configuration directory.

    It begins with ``~`` where the home directory is unknown.
    """
    return (user_directory("config") or Path("~", ".config", "smartxfer")) / "config.ini"


def _add_profile(found: Credentials, names: ServiceNames, profile: Optional[str]) -> None:
    """Take what the service's section of the configuration file holds, that of a profile where one is named.

    :raises ConfigError: the named profile cannot be read.
    """
    path = config_file()
    place = f"profile {profile!r}" if profile else str(path)
    section = f"{names.service}:{profile}" if profile else names.service
    parser, why = configparser.ConfigParser(interpolation=None), ""
    file: Optional[SecretFile] = None
    if str(path).startswith("~"):
        why = "no home directory: set HOME"
    else:
        try:
            file = read_secret_file(path)
            parser = parse_ini(file)
        except FileNotFoundError:
            pass
        except Unreadable as error:
            why = str(error)
    if why and profile:
        raise ConfigError(f"{path} cannot be read: {why}")
    if why:
        found.broken(place, why)
        return
    _warn_of_names(parser, section, names, path)
    values = hidden(dict(parser.items(section))) if parser.has_section(section) else {}
    if profile and not values and not parser.has_section(section):
        raise ConfigError(f"{path} has no section [{section}]", hint="add it, or unset SMARTXFER_PROFILE")
    if file is not None and any(values.get(name) for name in names.secrets):
        file.warn_if_shared()
    found.add(found.place(place, PlaceKind.USER, values.get("base_url")), values)


def _warn_of_names(
    parser: configparser.ConfigParser, section: str, names: ServiceNames, path: Path
) -> None:
    """Warn of keys that are not read, and of a section whose name looks like a misspelt one."""
    known = [*names.fields, *names.also_known]
    for key in parser.options(section) if parser.has_section(section) else ():
        if key not in known and key not in parser.defaults():
            meant = nearest(key, known)
            remedy = f"write {meant!r}" if meant else f"known keys: {', '.join(sorted(known))}"
            log.warning("%s: unknown key %r in [%s] is ignored (%s)", path, key, section, remedy)
    for other in parser.sections():
        service = other.partition(":")[0]
        if service != names.service and nearest(service, _similar_to(names.service, service)):
            log.warning("%s: section [%s] is ignored (write %r)", path, other, names.service)


def _similar_to(service: str, word: str) -> List[str]:
    """Return the service's name where a word differs from it by a letter or two, as a misspelt one does."""
    return [service] if difflib.SequenceMatcher(None, service, word.lower()).ratio() >= 0.8 else []


def _add_netrc(
    found: Credentials, names: ServiceNames, origin: Origin, named: Union[str, "os.PathLike[str]", None]
) -> None:
    """Add what netrc has for the host: ``host:port`` before ``host``.

    :raises ConfigError: the named file cannot be read.
    """
    home = home_directory()
    if not named and home is None:
        found.broken("~/.netrc", "no home directory: set HOME or NETRC")
        return
    try:
        paths = [source_path(named)] if named else [home / name for name in (".netrc", "_netrc") if home]
    except LocalNotFound as error:
        raise ConfigError(f"netrc: {error.summary}", hint=error.hint) from None
    for path in paths:
        place = found.place(str(path), PlaceKind.HOST)
        try:
            file = read_secret_file(path)
            hosts = hidden(parse_netrc(file))
        except FileNotFoundError:
            if named:
                raise ConfigError(f"there is no netrc file {path}") from None
            found.add(place, {})
            continue
        except Unreadable as error:
            if named:
                raise ConfigError(f"{path} is no netrc file: {error}") from None
            found.broken(str(path), str(error))
            continue
        values = _netrc_values(hosts, names, origin)
        if any(values.get(name) for name in names.secrets):
            file.warn_if_shared()
        logins = [name for name, part in names.netrc.items() if part == "login"]
        if any(found.get(name) not in (None, values.get(name)) for name in logins):
            values = {}  # the password of another user
        found.add(place, values, label=f"{path} has an entry for {origin.host}")


def _netrc_values(
    hosts: Mapping[str, Tuple[str, str]], names: ServiceNames, origin: Origin
) -> Dict[str, Optional[str]]:
    bracketed = f"[{origin.host}]" if ":" in origin.host else origin.host
    for host in (f"{bracketed}:{origin.port}", bracketed, origin.host):
        if host in hosts:
            parts = dict(zip(("login", "password"), hosts[host]))
            return {name: parts[part] for name, part in names.netrc.items()}
    return {}


def _add_keyring(found: Credentials, names: ServiceNames, origin: Origin) -> None:
    """Ask the keyring for the password of a known user, where the package is installed.

    A service without users has its secret under the name of the value: ``token``, ``api_key``.
    """
    wanted = [name for name, part in names.netrc.items() if part == "password" and not found.get(name)]
    logins = [name for name, part in names.netrc.items() if part == "login"]
    place = found.place(f"keyring (smartxfer:{origin.netloc})", PlaceKind.HOST)
    why = refusal(place, found.address)
    if why is not None:  # it may ask the user for a password: not for a value that is not used
        found.places.append(f"{place.source} (not asked: {why})")
        return
    for name in wanted:
        user = found.get(logins[0]) if logins else name
        if not user:
            return
        try:
            import keyring

            redact.install()  # on the loggers of its backends
            with warnings.catch_warnings():
                # A backend may ask for a password of its own: never where it would be shown.
                warnings.simplefilter("error", getpass.GetPassWarning)
                value = as_secret(keyring.get_password(f"smartxfer:{origin.netloc}", user))
        except ModuleNotFoundError as error:
            if error.name != "keyring":
                found.broken(place.source, reason(error))
            return
        except Exception as error:  # noqa: BLE001 - its backends raise errors of their own
            found.broken(place.source, reason(error))
            return
        found.add(place, {name: value})
