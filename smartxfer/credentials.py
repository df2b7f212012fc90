"""Where credentials come from: one order of places for every service.

Arguments, the environment, the service's own file, a profile, netrc, keyring.  All are only read, and each
value remembers its source.  A source that cannot be read is a warning that names it, unless the caller named
that source: then it is a ConfigError.
"""

import configparser
import difflib
import logging
import os
from pathlib import Path
from typing import Any, Callable, Dict, FrozenSet, List, Mapping, Optional, Tuple, Union

import attrs

from smartxfer.errors import ConfigError, CredentialError, UsageError
from smartxfer.options import nearest
from smartxfer.system_text import expanded, home_directory, unicode_text, user_directory
from smartxfer.transport.origin import Origin

__all__ = ["Credentials", "ServiceNames", "config_file", "look_up"]

log = logging.getLogger("smartxfer.credentials")


@attrs.frozen
class ServiceNames:
    """The names of one service's credentials in every place where they may stand.

    :param service: name of the service; profiles are sections ``[service]`` and ``[service:profile]``.
    :param fields: our name of each value -> environment variable, or several in order.
    :param netrc: our name -> ``"login"`` or ``"password"``.
    :param secrets: which of them are never shown.
    :param own_file: reads the service's own file; our names -> values.  It may raise whatever reading raises.
    :param own_place: what that file is called where places are listed.
    :param own_named: whether the caller named that file, so that one that cannot be read is an error.
    :param defaults: our name -> the value where no place has one, such as the vendor's address.
    :param clean_url: makes a base URL of whatever form stands in one of the places.
    :param also_known: keys of the service's section in a profile that another of its clients reads.
    """

    service: str
    fields: Mapping[str, Union[str, Tuple[str, ...]]]
    netrc: Mapping[str, str] = attrs.field(factory=dict)
    secrets: FrozenSet[str] = frozenset()
    own_file: Optional[Callable[[], Mapping[str, str]]] = None
    own_place: str = "the service's own file"
    own_named: bool = False
    defaults: Mapping[str, str] = attrs.field(factory=dict)
    clean_url: Callable[[str], str] = str
    also_known: FrozenSet[str] = frozenset()

    def variables(self, name: str) -> Tuple[str, ...]:
        """The environment variables of one value."""
        given = self.fields[name]
        return (given,) if isinstance(given, str) else given


class Credentials:
    """Values with their sources, and every place that was looked at."""

    def __init__(self, names: ServiceNames) -> None:
        self._names = names
        self._found: Dict[str, Tuple[str, str]] = {}
        #: Every place looked at, in order.
        self.places: List[str] = []

    def add(
        self,
        values: Mapping[str, Optional[str]],
        source: str,
        site: Optional[str] = None,
        listed: bool = True,
    ) -> None:
        """Take the values that are not known yet.

        :param site: the base URL that they were written down with; they go to no other site.
        :param listed: whether it is a place that a user could have filled.
        """
        if self._is_elsewhere(site):
            source, values = f"{source}, which is for another site", {}
        if listed and source not in self.places:
            self.places.append(source)
        for name, value in values.items():
            if value and name in self._names.fields and name not in self._found:
                value = self._clean_url(value, source) if name == "base_url" else str(value)
                self._found[name] = (value, source)

    def broken(self, source: str, why: str) -> None:
        """Warn of a source that cannot be read, and list it.

        :param why: the reason, without anything that the source contains.
        """
        log.warning("credentials: %s is ignored: %s", source, why)
        self.places.append(f"{source} (ignored: {why})")

    def _clean_url(self, value: str, source: str) -> str:
        """Return a base URL in its usual form.

        :raises ConfigError: it is not a URL; of an argument, UsageError.
        """
        try:
            clean = self._names.clean_url(value)
            Origin.of(clean)
        except UsageError as error:
            if source == "arguments":
                raise
            raise ConfigError(f"{source}: {error.summary}", hint=error.hint or None) from None
        return clean

    def _is_elsewhere(self, site: Optional[str]) -> bool:
        known = self.get("base_url")
        if not site or not known:
            return False
        try:
            return not Origin.of(self._names.clean_url(site)).trusts(Origin.of(known))
        except UsageError:
            return True  # no site at all

    def get(self, name: str) -> Optional[str]:
        """The value, or None."""
        return self._found.get(name, (None, ""))[0]

    def require(self, *names: str) -> Dict[str, str]:
        """The values.

        :raises CredentialError: one is missing; the message lists every place looked at.
        """
        missing = [name for name in names if name not in self._found]
        if missing:
            service = self._names.service
            raise CredentialError(
                f"{service}: no {' and no '.join(missing)}; looked at {', '.join(self.places)}",
                hint=f"pass it, or set {' and '.join(self._names.variables(name)[0] for name in missing)}",
            )
        return {name: self._found[name][0] for name in names}

    def explain(self) -> List[Tuple[str, str, str]]:
        """(name, value or mask, source) of each value; ``""`` and ``"not found"`` where there is none."""
        rows = []
        for name in self._names.fields:
            value, source = self._found.get(name, ("", "not found"))
            rows.append((name, _masked(value) if name in self._names.secrets else value, source))
        return rows

    def __repr__(self) -> str:
        return f"Credentials({', '.join(f'{name} from {source}' for name, _, source in self.explain())})"


def look_up(
    names: ServiceNames,
    given: Mapping[str, Optional[str]],
    *,
    profile: Optional[str] = None,
    netrcfile: Optional[str] = None,
    environ: Optional[Mapping[str, str]] = None,
) -> Credentials:
    """Look for credentials in every place, in order; the first that has a value gives it.

    A place that cannot be read is a warning, and the next one is looked at.

    :param given: what the caller passed.
    :param profile: a named section of the configuration file; by default SMARTXFER_PROFILE.
    :param netrcfile: instead of NETRC or ``~/.netrc``.
    :param environ: instead of ``os.environ``.
    :raises ConfigError: a named profile or file is missing or malformed.
    """
    environ = os.environ if environ is None else environ
    found = Credentials(names)
    found.add(given, "arguments")
    _add_environment(found, names, environ)
    _add_own_file(found, names)
    _add_profile(found, names, profile or environ.get("SMARTXFER_PROFILE"))
    if names.defaults:
        found.add(names.defaults, "default", listed=False)
    base_url = found.get("base_url")
    if names.netrc and base_url:
        origin = Origin.of(base_url)
        _add_netrc(found, names, origin, netrcfile or environ.get("NETRC"))
        _add_keyring(found, names, origin)
    return found


def _add_environment(found: Credentials, names: ServiceNames, environ: Mapping[str, str]) -> None:
    """Take what the variables hold, unless they are for another site than the known one."""
    variables = names.variables("base_url") if "base_url" in names.fields else ()
    site = next((environ[variable] for variable in variables if environ.get(variable)), None)
    for name in names.fields:
        for variable in names.variables(name):
            value = unicode_text(environ.get(variable) or "")
            if _is_unicode(value):
                found.add({name: value}, f"environment ({variable})", site)
            else:
                found.broken(f"environment ({variable})", "its value is not UTF-8")


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
        values = names.own_file()
    except ConfigError as error:
        if names.own_named:
            raise
        found.broken(names.own_place, error.summary)
    except Exception as error:  # noqa: BLE001 - a reader of another package may raise anything
        why = _reason(error)
        if names.own_named:
            raise ConfigError(f"{names.own_place} cannot be read: {why}") from None
        found.broken(names.own_place, why)
    else:
        found.add(values, names.own_place, values.get("base_url"))


def _reason(error: Exception) -> str:
    """Return why a source cannot be read, without the text that could not be read: it may be a secret."""
    reason = error.strerror if isinstance(error, OSError) else None
    return f"{type(error).__name__}: {reason}" if reason else type(error).__name__


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
    parser = configparser.ConfigParser(interpolation=None)
    why = "no home directory: set HOME" if str(path).startswith("~") else ""
    if not why:
        try:
            with path.open(encoding="utf-8-sig") as file:
                parser.read_file(file)
        except FileNotFoundError:
            pass
        except (configparser.Error, ValueError, OSError) as error:
            why = _reason(error)
    if why and profile:
        raise ConfigError(f"{path} cannot be read: {why}")
    if why:
        found.broken(place, why)
        return
    _warn_of_names(parser, section, names, path)
    values = dict(parser.items(section)) if parser.has_section(section) else {}
    if profile and not values and not parser.has_section(section):
        raise ConfigError(f"{path} has no section [{section}]", hint="add it, or unset SMARTXFER_PROFILE")
    found.add(values, place, values.get("base_url"))


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


def _add_netrc(found: Credentials, names: ServiceNames, origin: Origin, named: Optional[str]) -> None:
    """Take what netrc holds for the host: ``host:port`` before ``host``.

    :raises ConfigError: the named file cannot be read.
    """
    import netrc

    home = home_directory()
    if not named and home is None:
        found.broken("~/.netrc", "no home directory: set HOME or NETRC")
        return
    paths = [expanded(named)] if named else [home / name for name in (".netrc", "_netrc") if home]
    for path in paths:
        try:
            entries = netrc.netrc(str(path))
        except FileNotFoundError:
            if named:
                raise ConfigError(f"there is no netrc file {path}") from None
            found.add({}, str(path))
            continue
        except (netrc.NetrcParseError, ValueError, OSError) as error:
            if named:
                raise ConfigError(f"{path} is no netrc file: {_reason(error)}") from None
            found.broken(str(path), _reason(error))
            continue
        values = _netrc_values(entries, names, origin)
        logins = [name for name, part in names.netrc.items() if part == "login"]
        if any(found.get(name) not in (None, values.get(name)) for name in logins):
            values = {}  # the password of somebody else
        found.add(values, str(path))


def _netrc_values(entries: Any, names: ServiceNames, origin: Origin) -> Dict[str, Optional[str]]:
    hosts = {host.lower(): entry for host, entry in entries.hosts.items()}
    bracketed = f"[{origin.host}]" if ":" in origin.host else origin.host
    for host in (f"{bracketed}:{origin.port}", bracketed, origin.host):
        if host in hosts:
            login, account, password = hosts[host]
            parts = {"login": login or account, "password": password}
            return {name: parts[part] for name, part in names.netrc.items()}
    return {}


def _add_keyring(found: Credentials, names: ServiceNames, origin: Origin) -> None:
    """Ask the keyring for the password of a known user, where the package is installed.

    A service without users has its secret under the name of the value: ``token``, ``api_key``.
    """
    wanted = [name for name, part in names.netrc.items() if part == "password" and not found.get(name)]
    logins = [name for name, part in names.netrc.items() if part == "login"]
    place = f"keyring (smartxfer:{origin.netloc})"
    for name in wanted:
        user = found.get(logins[0]) if logins else name
        if not user:
            return
        try:
            import keyring

            value = keyring.get_password(f"smartxfer:{origin.netloc}", user)
        except ModuleNotFoundError as error:
            if error.name != "keyring":
                found.broken(place, _reason(error))
            return
        except Exception as error:  # noqa: BLE001 - its backends raise errors of their own
            found.broken(place, _reason(error))
            return
        found.add({name: value}, place)


def _masked(value: str) -> str:
    return "" if not value else "***" if len(value) < 12 else f"{value[:2]}***{value[-2:]}"
