"""Configuration of the local SmartFile.

Source: SmartFile protocol, sections 3, 4, 5 and 8.
"""

import datetime as dt
import re
from typing import Dict, Optional, Sequence, Union

import attrs

from smartxfer.errors import UsageError
from smartxfer.local.options import Options, one_of, parse_users, validate_count, validate_size


def _zone(value: Union[float, str, dt.tzinfo]) -> dt.tzinfo:
    if isinstance(value, dt.tzinfo):
        return value
    if not isinstance(value, str):
        return dt.timezone(dt.timedelta(hours=value))
    try:
        from zoneinfo import ZoneInfo

        return ZoneInfo(value)
    except (ImportError, ValueError, LookupError) as error:
        raise UsageError(
            f"time_zone: {value!r} is unknown on this machine ({error})",
            hint="pass the hours east of UTC: time_zone=-5.0",
        ) from None


@attrs.frozen
class Site(Options):
    """Configuration of the local SmartFile.

    :param port: port to listen on, 0 for any.
    :param api_key: API key. None: generated and stored with the data.
    :param password: API password; likewise.
    :param client_token: token of the OAuth client; likewise.
    :param client_secret: secret of the OAuth client; likewise.
    :param verifier: OAuth verifier of every approval. Empty: a random one.
    :param users: names of users, or a mapping of names to their passwords (None: no password). The
        API key belongs to the first.
    :param page_size: default number of entries of a page.
    :param page_limit: largest number of entries of a page. Assumption: real sites have such a limit.
    :param task_polls: responses with PENDING or PROGRESS before a task is done; 0: done immediately.
    :param task_failure: a task with errors ends as FAILURE instead of SUCCESS.
    :param task_errors: paths at which tasks fail, with their error messages.
    :param task_list: ``"envelope"``, or ``"array"`` as in older servers' responses of ``task/``.
    :param strict_move: a move onto an existing name is rejected, including directories, as on servers
        since 2018.
    :param refuse_nonempty: a task reports an error for a directory that is not empty instead of
        removing it.
    :param make_parents: create missing directories on upload and mkdir. Assumption: real sites do not.
    :param mkdir_existing: ``"info"``, or ``"conflict"`` for a 409. Assumption: an existing directory
        is treated like a new one.
    :param json_charset: JSON has ``; charset=utf-8``.
    :param upload_answer: ``"array"``, or ``"object"`` for a single file.
    :param upload_status: 200 or 201.
    :param html_404: a 404 is an HTML page.
    :param error_as_array: error bodies are JSON arrays.
    :param throttle: requests that are throttled from the start.
    :param throttle_style: ``"503"`` with ``X-Throttle``, or ``"429"`` with ``Retry-After``.
    :param throttle_next: wait time in seconds in responses to throttled requests.
    :param ranges: whether downloads support ``Range``.
    :param time_zone: zone of the times in responses, which lack it: hours east of UTC, or a
        name such as ``"America/Indiana/Indianapolis"``. Assumption: hours of Indianapolis in winter.
    :param clock_offset: seconds by which the server's clock is ahead of this machine's.
    """

    title = "SmartFile"
    fixed = ("port", "users", "api_key", "password", "client_token", "client_secret", "verifier")

    api_key: Optional[str] = attrs.field(default=None, repr=False)
    password: Optional[str] = attrs.field(default=None, repr=False)
    client_token: Optional[str] = attrs.field(default=None, repr=False)
    client_secret: Optional[str] = attrs.field(default=None, repr=False)
    verifier: str = attrs.field(default="", repr=False)
    users: Dict[str, Optional[str]] = attrs.field(
        factory=lambda: {"ann": None}, converter=parse_users, repr=False
    )
    page_size: int = attrs.field(default=100, validator=validate_size)
    page_limit: int = attrs.field(default=1000, validator=validate_size)
    task_polls: int = attrs.field(default=0, validator=validate_count)
    task_failure: bool = False
    task_errors: Dict[str, str] = attrs.field(factory=dict)
    task_list: str = attrs.field(default="envelope", validator=one_of("envelope", "array"))
    strict_move: bool = False
    refuse_nonempty: bool = False
    make_parents: bool = False
    mkdir_existing: str = attrs.field(default="info", validator=one_of("info", "conflict"))
    json_charset: bool = False
    upload_answer: str = attrs.field(default="array", validator=one_of("array", "object"))
    upload_status: int = attrs.field(default=200, validator=one_of(200, 201))
    html_404: bool = False
    error_as_array: bool = False
    throttle: int = attrs.field(default=0, validator=validate_count)
    throttle_style: str = attrs.field(default="503", validator=one_of("503", "429"))
    throttle_next: float = 0.01
    ranges: bool = True
    time_zone: dt.tzinfo = attrs.field(factory=lambda: _zone(-5.0), converter=_zone)
    clock_offset: float = 0.0

    def check(self) -> None:
        """Reject credentials that do not fit a header."""
        for name in self.secrets():
            value = getattr(self, name)
            # A colon ends the user name of Basic authentication.
            if value is not None and not re.fullmatch(r"[!-9;-~]+", value):
                raise UsageError(
                    f"{name} must be ASCII text without spaces and colons", hint=f"pass another {name}="
                )

    def secrets(self) -> Sequence[str]:
        """Return the names of the values that are generated if missing."""
        return ("api_key", "password", "client_token", "client_secret")
