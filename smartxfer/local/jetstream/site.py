"""What can be set: users, root folder, API version, and how fast and how patient the server is.

Source: JetStream protocol, section 9.6.
"""

import os
from typing import Any, Dict, Optional, Tuple

import attrs

from smartxfer.errors import UsageError
from smartxfer.local.options import Options, a_count, a_number, a_size, a_word, users, words


def _groups(value: Any) -> Dict[str, Tuple[str, ...]]:
    return {name: words(members) for name, members in dict(value).items()}


@attrs.frozen
class Site(Options):
    """Configuration of a local JetStream.

    :param port: port to listen on, 0 for any.
    :param users: password of each user by name; one that is None is made, and kept with the data.
    :param superusers: names of users that may be superusers. None: the first user.
    :param groups: names of users by group; wranglers may be named by group.
    :param root: folder on disk that the server's path ``/`` means. None: one among its data.
    :param server_name: how the server calls itself; empty: as the service is called.
    :param auth_required: whether calls need a login.
    :param licensed: whether it may send and receive from the start; a licence key makes it so later.
    :param allow_api_tokens: whether API tokens can be made and used.
    :param allow_shared_tokens: whether shared tokens can be made and used.
    :param api_version: version of the API; methods that are newer are refused. Assumption: 26 is that of
        release 1.7, 30 has ``setLicenseKeyAsync``, 34 API tokens, 40 the wranglers' calls, ``mkFileAsync``
        and ``lsListAsync``, 44 is that of release 2.9.
    :param rate: bytes per second of copying, 0 for as fast as it goes.
    :param manifest_delay: seconds before a manifest is made from its folders.
    :param request_delay: seconds before an asynchronous request is worked on.
    :param long_polls: whether waiting calls wait; otherwise they answer at once.
    :param wait_ceiling: most seconds that a waiting call waits.
    :param session_idle: seconds without a call after which a session ends, 0 for never.
    :param after_restart: what becomes of a transfer that was under way when the server ended:
        ``"continue"`` or ``"suspend"``.
    :param clock_offset: seconds by which the server's clock is ahead of this machine's.
    """

    title = "JetStream"
    fixed = ("port", "users", "root")

    users: Dict[str, Optional[str]] = attrs.field(factory=lambda: {"user": None}, converter=users, repr=False)
    superusers: Optional[Tuple[str, ...]] = attrs.field(
        default=None, converter=attrs.converters.optional(words)
    )
    groups: Dict[str, Tuple[str, ...]] = attrs.field(factory=dict, converter=_groups)
    root: Optional[str] = attrs.field(default=None, converter=attrs.converters.optional(os.fspath))
    server_name: str = ""
    auth_required: bool = True
    licensed: bool = True
    allow_api_tokens: bool = True
    allow_shared_tokens: bool = True
    api_version: int = attrs.field(default=44, validator=a_size)
    rate: int = attrs.field(default=0, validator=a_count)
    manifest_delay: float = attrs.field(default=0.0, validator=a_number)
    request_delay: float = attrs.field(default=0.0, validator=a_number)
    long_polls: bool = True
    wait_ceiling: float = attrs.field(default=25.0, validator=a_number)
    session_idle: float = attrs.field(default=0.0, validator=a_number)
    after_restart: str = attrs.field(default="continue", validator=a_word("continue", "suspend"))
    clock_offset: float = 0.0

    def check(self) -> None:
        """Refuse superusers and members of groups that are no users."""
        for name in (*(self.superusers or ()), *(one for many in self.groups.values() for one in many)):
            if name not in self.users:
                raise UsageError(f"{name!r} is none of the users")

    def may_be_superuser(self, user: str) -> bool:
        """Whether a user is let in as superuser."""
        named = self.superusers if self.superusers is not None else tuple(self.users)[:1]
        return user in named
