"""Configuration of a local JetStream.

Source: JetStream protocol, section 9.6.
"""

import os
from typing import Any, Dict, Optional, Tuple

import attrs

from smartxfer.errors import UsageError
from smartxfer.local.options import (
    Options,
    one_of,
    parse_users,
    split_words,
    validate_count,
    validate_number,
    validate_size,
)


def _groups(value: Any) -> Dict[str, Tuple[str, ...]]:
    return {name: split_words(members) for name, members in dict(value).items()}


@attrs.frozen
class Site(Options):
    """Configuration of a local JetStream.

    :param port: port to listen on, 0 for any.
    :param users: password of each user by name; None is generated and stored with the data.
    :param superusers: names of users that may be superusers. None: the first user.
    :param groups: names of users by group; wranglers may be named by group.
    :param root: folder on disk that the server's path ``/`` means. None: one among its data.
    :param server_name: name of the server; empty: that of the service.
    :param auth_required: whether calls need a login.
    :param licensed: whether it may send and receive from the start, without a licence key.
    :param allow_api_tokens: whether API tokens can be created and used.
    :param allow_shared_tokens: whether shared tokens can be created and used.
    :param api_version: version of the API; newer methods are rejected. Assumption: 26 is that of
        release 1.7, 30 has ``setLicenseKeyAsync``, 34 API tokens, 40 the wranglers' calls, ``mkFileAsync``
        and ``lsListAsync``, 44 is that of release 2.9.
    :param rate: rate limit in bytes per second, 0 for none.
    :param manifest_delay: seconds before the folders of a manifest are read.
    :param request_delay: seconds before an asynchronous request starts.
    :param long_polls: whether waiting calls wait; otherwise they return immediately.
    :param wait_ceiling: longest wait of a waiting call in seconds.
    :param session_idle: seconds without a call after which a session ends, 0 for never.
    :param after_restart: effect of a restart on running transfers:
        ``"continue"`` or ``"suspend"``.
    :param clock_offset: seconds by which the server's clock is ahead of this machine's.
    """

    title = "JetStream"
    fixed = ("port", "users", "root")

    users: Dict[str, Optional[str]] = attrs.field(
        factory=lambda: {"user": None}, converter=parse_users, repr=False
    )
    superusers: Optional[Tuple[str, ...]] = attrs.field(
        default=None, converter=attrs.converters.optional(split_words)
    )
    groups: Dict[str, Tuple[str, ...]] = attrs.field(factory=dict, converter=_groups)
    root: Optional[str] = attrs.field(default=None, converter=attrs.converters.optional(os.fspath))
    server_name: str = ""
    auth_required: bool = True
    licensed: bool = True
    allow_api_tokens: bool = True
    allow_shared_tokens: bool = True
    api_version: int = attrs.field(default=44, validator=validate_size)
    rate: int = attrs.field(default=0, validator=validate_count)
    manifest_delay: float = attrs.field(default=0.0, validator=validate_number)
    request_delay: float = attrs.field(default=0.0, validator=validate_number)
    long_polls: bool = True
    wait_ceiling: float = attrs.field(default=25.0, validator=validate_number)
    session_idle: float = attrs.field(default=0.0, validator=validate_number)
    after_restart: str = attrs.field(default="continue", validator=one_of("continue", "suspend"))
    clock_offset: float = 0.0

    def check(self) -> None:
        """Reject superusers and group members that are not users."""
        for name in (*(self.superusers or ()), *(member for many in self.groups.values() for member in many)):
            if name not in self.users:
                raise UsageError(f"{name!r} is not a user", hint="add it to users=")

    def may_be_superuser(self, user: str) -> bool:
        """Return True if a user may be a superuser."""
        named = self.superusers if self.superusers is not None else tuple(self.users)[:1]
        return user in named
