"""nrp-cmd's configuration as an object: read from its file, or created by a script.

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
    """A repository with an alias.

    :param url: URL of the repository, as a string or any object whose ``str()`` is one.
    :param token: bearer token.
    :param verify_tls: verify the TLS certificate.
    :param retry_count: ignored, as is ``retry_after_seconds``: use ``retry=`` of ``get_client``.
    :param info: ignored: the properties are fetched from the repository.
    :param enabled: if False, the repository cannot be selected by its alias.
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
    """A list of repositories; ``get_client(alias, config=config)`` selects one of them.

    :param repositories: the repositories.
    :param default_alias: alias of the default repository.
    """

    repositories: List[RepositoryConfig] = attrs.field(factory=list)
    default_alias: Optional[str] = None

    @classmethod
    def from_file(cls, config_file_path: OptionalPath = None) -> "Config":
        """Return nrp-cmd's configuration, which is never written.

        :param config_file_path: by default NRP_CMD_CONFIG_PATH, else ``~/.nrp/invenio-config.json``.  If the
            file does not exist, the configuration is empty.
        :raises ConfigError: the file cannot be read, or is malformed.
        """
        entries, default = read_config(config_file_path)
        repositories = [
            RepositoryConfig(
                alias=entry.alias,
                url=entry.url,
                token=entry.token,
                verify_tls=entry.verify_tls,
                enabled=entry.enabled,
            )
            for entry in entries
        ]
        return cls(repositories=repositories, default_alias=default)

    def get_repository(self, alias: str) -> RepositoryConfig:
        """Return the repository with an alias.

        :raises ConfigError: the alias does not exist, or its repository is not enabled.
        """
        for repository in self.repositories:
            if repository.alias == alias:
                if not repository.enabled:
                    raise ConfigError(
                        f"repository {alias!r} is not enabled", hint="set its 'enabled' to true"
                    )
                return repository
        aliases = ", ".join(repository.alias for repository in self.repositories) or "none"
        raise ConfigError(f"no repository {alias!r}", hint=f"pass one of the configured aliases: {aliases}")

    @property
    def default_repository(self) -> RepositoryConfig:
        """The default repository.

        :raises ConfigError: no default repository is set.
        """
        if self.default_alias is None:
            raise ConfigError("no default repository", hint="call set_default_repository(alias)")
        return self.get_repository(self.default_alias)

    def add_repository(self, repository: RepositoryConfig) -> None:
        """Add a repository."""
        self.repositories.append(repository)

    def remove_repository(self, repository: Union[RepositoryConfig, str]) -> None:
        """Remove a repository, or the one with an alias."""
        entry = self.get_repository(repository) if isinstance(repository, str) else repository
        self.repositories.remove(entry)

    def set_default_repository(self, alias: str) -> None:
        """Set the default repository.

        :raises ConfigError: the alias does not exist.
        """
        self.default_alias = self.get_repository(alias).alias

    def find_repository(self, repository: Any) -> RepositoryConfig:
        """Return the repository with an alias or URL; for an unknown URL, one without a token.

        :raises ConfigError: the alias does not exist.
        """
        text = str(repository)
        if "://" not in text:
            return self.get_repository(text)
        return self.get_repository_from_url(text)

    def get_repository_from_url(self, record_url: Any) -> RepositoryConfig:
        """Return the repository of a URL; for an unknown one, a repository without a token."""
        origin = Origin.parse(str(record_url))
        for repository in self.repositories:
            if repository.enabled and Origin.parse(str(repository.url)) == origin:
                return repository
        return RepositoryConfig(alias=str(origin), url=str(origin))


def select_repository_config(
    repository: Any, alias: Optional[str], config: Optional[Config]
) -> RepositoryConfig:
    """Return the repository for the arguments of ``get_client``.

    :raises UsageError: the arguments contradict each other.
    """
    if isinstance(repository, RepositoryConfig):
        return repository
    assert config is not None
    if repository is not None and alias is not None:
        raise UsageError("url and alias cannot be combined", hint="pass only one of url= and alias=")
    name = alias if repository is None else repository
    return config.default_repository if name is None else config.find_repository(name)
