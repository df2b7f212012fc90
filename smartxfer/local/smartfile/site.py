"""What can be set: credentials, limits, and which of several observed manners the site shows.

Source: SmartFile protocol, sections 3, 4, 5 and 8.
"""

import datetime as dt
import re
from typing import Dict, Optional, Sequence, Union

import attrs

from smartxfer.errors import UsageError
from smartxfer.local.options import Options, a_count, a_size, a_word, users


def _zone(value: Union[float, str, dt.tzinfo]) -> dt.tzinfo:
    if isinstance(value, dt.tzinfo):
        return value
    if not isinstance(value, str):
        return dt.timezone(dt.timedelta(hours=value))
    try:
        from zoneinfo import ZoneInfo

        return ZoneInfo(value)
    except (ImportError, ValueError, LookupError) as error:
        raise UsageError(f"time_zone: {value!r} is not known here ({error}); hours may be given") from None


@attrs.frozen
class Site(Options):
    """Configuration of the local SmartFile.

    :param port: port to listen on, 0 for any.
    :param api_key: API key. None: 30 characters are made, and kept with the data.
    :param password: API password; likewise.
    :param client_token: token of the OAuth client; likewise.
    :param client_secret: secret of the OAuth client; likewise.
    :param verifier: OAuth verifier that every approval gives. Empty: OAuth's own choice.
    :param users: names of users, or a mapping of names to their passwords (None: no password). The
        API key belongs to the first.
    :param page_size: children or list entries of a page when the client asks for no number.
    :param page_limit: most entries of a page. Assumption: real sites have such a limit.
    :param task_polls: answers of PENDING or PROGRESS before a task is done; 0: it is done at once.
    :param task_failure: a task with errors ends as FAILURE instead of SUCCESS.
    :param task_errors: paths that no task can work on, and what is said about them.
    :param task_list: ``"envelope"``, or ``"array"`` as older servers answered ``task/``.
    :param strict_move: a move onto an existing name is refused, directories included, as on servers
        since 2018.
    :param refuse_nonempty: a task reports an error for a directory that is not empty instead of
        removing it.
    :param make_parents: missing directories are made on upload and mkdir. Assumption: they are not.
    :param mkdir_existing: ``"info"``, or ``"conflict"`` for a 409. Assumption: an existing directory
        is answered like a new one.
    :param json_charset: JSON says ``; charset=utf-8``.
    :param upload_answer: ``"array"``, or ``"object"`` where one file was sent.
    :param upload_status: 200 or 201.
    :param html_404: a 404 is an HTML page.
    :param error_as_array: error bodies are JSON arrays.
    :param throttle: requests that are throttled from the start.
    :param throttle_style: ``"503"`` with ``X-Throttle``, or ``"429"`` with ``Retry-After``.
    :param throttle_next: seconds that a throttled client is told to wait.
    :param ranges: whether ``Range`` is honoured on downloads.
    :param time_zone: zone of the times in answers, which do not name it: hours east of UTC, or a
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
    users: Dict[str, Optional[str]] = attrs.field(factory=lambda: {"ann": None}, converter=users, repr=False)
    page_size: int = attrs.field(default=100, validator=a_size)
    page_limit: int = attrs.field(default=1000, validator=a_size)
    task_polls: int = attrs.field(default=0, validator=a_count)
    task_failure: bool = False
    task_errors: Dict[str, str] = attrs.field(factory=dict)
    task_list: str = attrs.field(default="envelope", validator=a_word("envelope", "array"))
    strict_move: bool = False
    refuse_nonempty: bool = False
    make_parents: bool = False
    mkdir_existing: str = attrs.field(default="info", validator=a_word("info", "conflict"))
    json_charset: bool = False
    upload_answer: str = attrs.field(default="array", validator=a_word("array", "object"))
    upload_status: int = attrs.field(default=200, validator=a_word(200, 201))
    html_404: bool = False
    error_as_array: bool = False
    throttle: int = attrs.field(default=0, validator=a_count)
    throttle_style: str = attrs.field(default="503", validator=a_word("503", "429"))
    throttle_next: float = 0.01
    ranges: bool = True
    time_zone: dt.tzinfo = attrs.field(factory=lambda: _zone(-5.0), converter=_zone)
    clock_offset: float = 0.0

    def check(self) -> None:
        """Refuse credentials that could not travel."""
        for name in self.secrets():
            value = getattr(self, name)
            # A colon ends the user name of Basic authentication.
            if value is not None and not re.fullmatch(r"[!-9;-~]+", value):
                raise UsageError(f"{name} is ASCII text without spaces and colons")

    def secrets(self) -> Sequence[str]:
        """Names of the values that are made where they are not given."""
        return ("api_key", "password", "client_token", "client_secret")
