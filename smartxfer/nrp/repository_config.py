"""nrp-cmd's configuration as an object: read from its file, or put together by a script.

Source: NRP / Invenio protocol, section 2.
"""

from typing import Any, List, Optional, Union

import attrs

from smartxfer.errors import ConfigError, UsageError
from smartxfer.nrp.config import OptionalPath, read_config
from smartxfer.secret_text import wrap_secrets
from smartxfer.transport import Origin

__all__ = ["Config", "RepositoryConfig", "select_repository_config"]


def _hide_token(value: Optional[str]) -> Optional[str]:
    return wrap_secrets(value)  # type: ignore[no-any-return]


@attrs.define(kw_only=True)
class RepositoryConfig:
    """A repository that scripts know by an alias.

    :param url: its address, as text or anything whose ``str()`` is one.
    :param token: bearer token.
    :param verify_tls: False leaves the certificate unchecked.
    :param retry_count: as in nrp-cmd's file; ``retry=`` of ``get_client`` decides about tries.
    :param retry_after_seconds: likewise.
    :param info: likewise; the repository is asked.
    :param enabled: False: it is not found by its alias.
    """

    alias: str
    url: Any
    token: Optional[str] = attrs.field(default=None, repr=False, converter=_hide_token)
    verify_tls: bool = True
    retry_count: int = 10
    retry_after_seconds: int = 10
    info: Any = None
    enabled: bool = True


@attrs.define(kw_only=True)
class Config:
    """The repositories that a script knows; ``get_client(alias, config=config)`` takes one of them.

    :param repositories: the repositories.
    :param default_alias: of the one that is meant where no other is named.
    """

    repositories: List[RepositoryConfig] = attrs.field(factory=list)
    default_alias: Optional[str] = None

    @classmethod
    def from_file(cls, config_file_path: OptionalPath = None) -> "Config":
        """Return what nrp-cmd's configuration holds; it is never written.

        :param config_file_path: by default NRP_CMD_CONFIG_PATH, else ``~/.nrp/invenio-config.json``; where
            there is no such file, the configuration is empty.
        :raises ConfigError: it cannot be read, or is malformed.
        """
        entries, default = read_config(config_file_path)
        known = [
            RepositoryConfig(
                alias=entry.alias,
                url=entry.url,
                token=entry.token,
                verify_tls=entry.verify_tls,
                enabled=entry.enabled,
            )
            for entry in entries
        ]
        return cls(repositories=known, default_alias=default)

    def get_repository(self, alias: str) -> RepositoryConfig:
        """Return the repository of an alias.

        :raises ConfigError: there is none, or it is not enabled.
        """
        for repository in self.repositories:
            if repository.alias == alias:
                if not repository.enabled:
                    raise ConfigError(
                        f"repository {alias!r} is not enabled",
                        hint="enable it in the configuration of nrp-cmd, or pass url= and token=",
                    )
                return repository
        known = ", ".join(repository.alias for repository in self.repositories) or "none"
        raise ConfigError(f"no repository {alias!r}", hint=f"the configuration knows: {known}")

    @property
    def default_repository(self) -> RepositoryConfig:
        """The repository that is meant where no other is named.

        :raises ConfigError: there is none.
        """
        if self.default_alias is None:
            raise ConfigError("no default repository", hint="set_default_repository(alias)")
        return self.get_repository(self.default_alias)

    def add_repository(self, repository: RepositoryConfig) -> None:
        """Add a repository."""
        self.repositories.append(repository)

    def remove_repository(self, repository: Union[RepositoryConfig, str]) -> None:
        """Remove a repository, by itself or by its alias."""
        found = self.get_repository(repository) if isinstance(repository, str) else repository
        self.repositories.remove(found)

    def set_default_repository(self, alias: str) -> None:
        """Have a repository meant where no other is named.

        :raises ConfigError: there is none of that alias.
        """
        self.default_alias = self.get_repository(alias).alias

    def find_repository(self, repository: Any) -> RepositoryConfig:
        """Return the repository of an alias, or of an address; one that is not known has no token.

        :raises ConfigError: there is none of that alias.
        """
        text = str(repository)
        if "://" not in text:
            return self.get_repository(text)
        return self.get_repository_from_url(text)

    def get_repository_from_url(self, record_url: Any) -> RepositoryConfig:
        """Return the repository at whose address something lies; one that is not known has no token."""
        origin = Origin.parse(str(record_url))
        for repository in self.repositories:
            if repository.enabled and Origin.parse(str(repository.url)) == origin:
                return repository
        return RepositoryConfig(alias=str(origin), url=str(origin))


def select_repository_config(
    repository: Any, alias: Optional[str], config: Optional[Config]
) -> RepositoryConfig:
    """Return the repository that ``get_client`` is asked for.

    :raises UsageError: the arguments contradict each other.
    """
    if isinstance(repository, RepositoryConfig):
        return repository
    assert config is not None
    if repository is not None and alias is not None:
        raise UsageError(
            "a repository is named by its alias or by its address, not by both",
            hint="pass either alias= or url=",
        )
    named = alias if repository is None else repository
    return config.default_repository if named is None else config.find_repository(named)
