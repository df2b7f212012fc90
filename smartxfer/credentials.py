"""Where credentials come from: one order of places for every service.

Arguments, the environment, the service's own file, a profile, netrc, keyring.  All are only read, and each
value remembers its source.
"""

import configparser
import logging
import os
from pathlib import Path
from typing import Any, Callable, Dict, FrozenSet, List, Mapping, Optional, Tuple, Union

import attrs

from smartxfer.errors import ConfigError, CredentialError, UsageError
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
    :param own_file: reads the service's own file; our names -> values.
    :param own_place: what that file is called where places are listed.
    :param defaults: our name -> the value where no place has one, such as the vendor's address.
    :param clean_url: makes a base URL of whatever form stands in one of the places.
    """

    service: str
    fields: Mapping[str, Union[str, Tuple[str, ...]]]
    netrc: Mapping[str, str] = attrs.field(factory=dict)
    secrets: FrozenSet[str] = frozenset()
    own_file: Optional[Callable[[], Mapping[str, str]]] = None
    own_place: str = "the service's own file"
    defaults: Mapping[str, str] = attrs.field(factory=dict)
    clean_url: Callable[[str], str] = str

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
                clean = self._names.clean_url if name == "base_url" else str
                self._found[name] = (clean(value), source)

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
    if names.own_file is not None:
        values = names.own_file()
        found.add(values, names.own_place, values.get("base_url"))
    profile = profile or environ.get("SMARTXFER_PROFILE")
    values = _profile(names.service, profile)
    place = f"profile {profile!r}" if profile else str(config_file())
    found.add(values, place, values.get("base_url"))
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
            found.add({name: environ.get(variable)}, f"environment ({variable})", site)


def config_file() -> Path:
    """The file of profiles: ``config.ini`` in the platform's configuration directory."""
    import platformdirs

    return Path(platformdirs.user_config_dir("smartxfer", appauthor=False)) / "config.ini"


def _profile(service: str, profile: Optional[str]) -> Dict[str, str]:
    path = config_file()
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read(str(path), encoding="utf-8")
    except (configparser.Error, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {type(error).__name__}") from None
    section = f"{service}:{profile}" if profile else service
    if parser.has_section(section):
        return dict(parser.items(section))
    if profile:
        raise ConfigError(f"{path} has no section [{section}]", hint="add it, or unset SMARTXFER_PROFILE")
    return {}


def _add_netrc(found: Credentials, names: ServiceNames, origin: Origin, named: Optional[str]) -> None:
    """Take what netrc holds for the host: ``host:port`` before ``host``."""
    import netrc

    home = Path("~").expanduser()
    paths = [Path(named).expanduser()] if named else [home / ".netrc", home / "_netrc"]
    for path in paths:
        try:
            entries = netrc.netrc(str(path))
        except FileNotFoundError:
            if named:
                raise ConfigError(f"there is no netrc file {path}") from None
            found.add({}, str(path))
            continue
        except (netrc.NetrcParseError, UnicodeDecodeError, OSError) as error:
            if named:
                raise ConfigError(f"{path} is no netrc file: {type(error).__name__}") from None
            log.warning("%s is ignored: %s", path, type(error).__name__)
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
    """Ask the keyring for the password of a known user, where the package is installed."""
    wanted = [name for name, part in names.netrc.items() if part == "password" and not found.get(name)]
    users = [found.get(name) for name, part in names.netrc.items() if part == "login"]
    if not wanted or not users or not users[0]:
        return
    try:
        import keyring
    except ImportError:
        return
    place = f"keyring (smartxfer:{origin.netloc})"
    try:
        value = keyring.get_password(f"smartxfer:{origin.netloc}", users[0])
    except keyring.errors.KeyringError as error:
        log.debug("the keyring gave no answer: %s", type(error).__name__)
        value = None
    found.add(dict.fromkeys(wanted, value), place)


def _masked(value: str) -> str:
    return "" if not value else "***" if len(value) < 12 else f"{value[:2]}***{value[-2:]}"
