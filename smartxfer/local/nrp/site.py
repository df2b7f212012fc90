"""What can be set: users, limits, storage, and which of several observed manners the repository shows.

Source: NRP protocol, sections 1 to 8.
"""

import re
from typing import Dict, Optional, Tuple

import attrs

from smartxfer.errors import UsageError
from smartxfer.local.options import Options, a_count, a_size, a_word, users, words


@attrs.frozen
class Site(Options):
    """Configuration of the local repository.

    :param port: port to listen on, 0 for any.
    :param users: names of users, or a mapping of names to their bearer tokens (None: one is made, and
        kept with the data).
    :param superuser: name of the user who may everything; added where it is not among ``users``.
    :param without_scope: users whose tokens lack the scope ``user:email``. Assumption: to the API they are
        guests, as with a token that is not known.
    :param storage: where files lie: ``"local"`` (``Range`` is ignored), ``"s3"`` (downloads are
        redirected, parts go to presigned URLs of another origin), ``"proxy"`` (``Range`` works here).
    :param well_known: the repository tells of itself as NRP repositories do; False: a plain InvenioRDM,
        which has a home page only.
    :param version: version of InvenioRDM that it gives itself.
    :param models: names of the models, which are the paths of their records.
    :param schema: ``"rdm"``: metadata of InvenioRDM, with what is mandatory there; ``"open"``: any
        metadata, a title is mandatory; ``"auto"``: the first for the model ``records``, else the second.
    :param review: how publishing is agreed to: ``"none"``, ``"community"`` (a community's review is
        needed), ``"workflow"`` (by OARepo's applicable requests).
    :param communities: names of the communities, for reviews.
    :param auto_approve: requests of workflows, and reviews, are accepted when they are submitted.
    :param rate_limit: requests of a user within a window, 0 for any number.
    :param rate_limit_guest: requests of guests within a window, likewise.
    :param rate_window: seconds of a window; it moves, so that each request counts for so long.
    :param retry_after_always: every answer has ``Retry-After``, not only those with status 429.
    :param max_files: most files of a record, 0 for any number.
    :param quota: most bytes of a record, 0 for any number.
    :param max_file_size: most bytes of a file, 0 for any number.
    :param search_window: last hit that a search can show.
    :param page_size: most hits of a page for a user, 0 for any number; more are refused.
    :param page_size_guest: most hits of a page for a guest, likewise; Zenodo allows 25.
    :param fetch_hosts: hosts (``host`` or ``host:port``) that files may be fetched from.
    :param remote_hosts: hosts that remote files may lie at.
    :param remote_for_all: every reader of a record is sent on to its remote files; by default a superuser
        alone is, and others are refused.
    :param fetch_delay: seconds before a fetch begins.
    :param presigned_seconds: how long the storage's download URLs hold.
    :param part_seconds: how long its URLs of parts hold.
    :param checksum_delay: seconds from the commit of a multipart file to its md5.
    :param commit_with_gaps: a multipart file whose parts did not all come can be committed.
    :param reput_deletes: content for a completed file is answered by 200 with ``errors``, and ends the file.
    :param any_key: every key can be asked for, as of a server that is not an InvenioRDM; by default line
        breaks in a key lead nowhere, and control characters break its download.
    :param quoted_if_match_refused: ``If-Match`` with quotes is an error.
    :param wrong_part_is_200: a part that is refused is answered by 200 with ``errors``.
    """

    title = "NRP"
    fixed = ("port", "users", "superuser")

    users: Dict[str, Optional[str]] = attrs.field(
        factory=lambda: {"ann": None, "bob": None}, converter=users, repr=False
    )
    superuser: str = "root"
    without_scope: Tuple[str, ...] = attrs.field(default=(), converter=words)
    storage: str = attrs.field(default="local", validator=a_word("local", "s3", "proxy"))
    well_known: bool = True
    version: str = "14.0.5"
    models: Tuple[str, ...] = attrs.field(default=("records",), converter=words)
    schema: str = attrs.field(default="auto", validator=a_word("auto", "rdm", "open"))
    review: str = attrs.field(default="none", validator=a_word("none", "community", "workflow"))
    communities: Tuple[str, ...] = attrs.field(default=("demo",), converter=words)
    auto_approve: bool = True
    rate_limit: int = attrs.field(default=1000, validator=a_count)
    rate_limit_guest: int = attrs.field(default=500, validator=a_count)
    rate_window: float = 60
    retry_after_always: bool = True
    max_files: int = attrs.field(default=100, validator=a_count)
    quota: int = attrs.field(default=0, validator=a_count)
    max_file_size: int = attrs.field(default=0, validator=a_count)
    search_window: int = attrs.field(default=10_000, validator=a_size)
    page_size: int = attrs.field(default=0, validator=a_count)
    page_size_guest: int = attrs.field(default=0, validator=a_count)
    fetch_hosts: Tuple[str, ...] = attrs.field(default=(), converter=words)
    remote_hosts: Tuple[str, ...] = attrs.field(default=(), converter=words)
    remote_for_all: bool = False
    fetch_delay: float = 0.0
    presigned_seconds: int = 60
    part_seconds: int = 604_800
    checksum_delay: float = 0.0
    commit_with_gaps: bool = True
    reput_deletes: bool = True
    any_key: bool = False
    quoted_if_match_refused: bool = True
    wrong_part_is_200: bool = True

    def check(self) -> None:
        """Refuse what could not travel in a header or a path."""
        for name, token in self.users.items():
            if token is not None and not re.fullmatch(r"[!-~]+", token):
                raise UsageError(f"the token of {name} is ASCII text without spaces")
        if not self.models:
            raise UsageError("models: at least one is needed")
        for model in self.models:
            if not re.fullmatch(r"[a-z][a-z0-9-]*", model) or model in ("user", "requests", "communities"):
                raise UsageError(f"models are words in small letters, and {model!r} is none that is free")
        if not self.rate_window > 0:
            raise UsageError("rate_window is above 0")

    def open_schema(self, model: str) -> bool:
        """Whether the records of a model take any metadata."""
        return self.schema == "open" or (self.schema == "auto" and model != "records")
