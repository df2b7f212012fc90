"""Configuration of the local repository.

Source: NRP protocol, sections 1 to 8.
"""

import re
from typing import Dict, Optional, Tuple

import attrs

from smartxfer.errors import UsageError
from smartxfer.local.options import Options, one_of, parse_users, split_words, validate_count, validate_size


@attrs.frozen
class Site(Options):
    """Configuration of the local repository.

    :param port: port to listen on, 0 for any.
    :param users: names of users, or a mapping of names to their bearer tokens (None: generated and
        stored with the data).
    :param superuser: name of the superuser; added if it is not among ``users``.
    :param without_scope: users whose tokens lack the scope ``user:email``. Assumption: to the API they are
        guests, as with a token that is not known.
    :param storage: storage of files: ``"local"`` (``Range`` is ignored), ``"s3"`` (downloads are
        redirected, parts go to presigned URLs of another origin), ``"proxy"`` (``Range`` works here).
    :param well_known: the repository has the well-known documents of NRP; False: a plain InvenioRDM,
        which only has a home page.
    :param version: reported version of InvenioRDM.
    :param models: names of the models, which are also paths.
    :param schema: ``"rdm"``: metadata of InvenioRDM, with its mandatory fields; ``"open"``: any
        metadata with a title; ``"auto"``: the first for the model ``records``, else the second.
    :param review: approval of publications: ``"none"``, ``"community"`` (a community's review is
        needed), ``"workflow"`` (by OARepo's applicable requests).
    :param communities: names of the communities, for reviews.
    :param auto_approve: requests of workflows and reviews are accepted on submission.
    :param rate_limit: requests of a user within a window, 0 for any number.
    :param rate_limit_guest: requests of guests within a window, likewise.
    :param rate_window: length of the moving window in seconds.
    :param retry_after_always: every response has ``Retry-After``, not only those with status 429.
    :param max_files: largest number of files of a record, 0 for any.
    :param quota: largest size of a record in bytes, 0 for any.
    :param max_file_size: largest size of a file in bytes, 0 for any.
    :param search_window: last hit that a search can show.
    :param page_size: largest number of hits of a page for a user, 0 for any.
    :param page_size_guest: largest number of hits of a page for a guest; Zenodo allows 25.
    :param fetch_hosts: hosts (``host`` or ``host:port``) that files may be fetched from.
    :param remote_hosts: hosts of remote files.
    :param remote_for_all: every reader of a record is redirected to its remote files; by default only a
        superuser is, and others get an error.
    :param fetch_delay: seconds before a fetch begins.
    :param presigned_seconds: validity of the storage's download URLs.
    :param part_seconds: validity of its URLs of parts.
    :param checksum_delay: seconds from the commit of a multipart file until its md5 is shown.
    :param commit_with_gaps: a multipart file with missing parts can be committed.
    :param reput_deletes: content for a completed file gets 200 with ``errors``, and deletes the file.
    :param any_key: every key can be requested, unlike on InvenioRDM; by default line
        breaks in a key give 404, and control characters make its download fail.
    :param quoted_if_match_refused: ``If-Match`` with quotes is an error.
    :param wrong_part_is_200: a rejected part gets 200 with ``errors``.
    """

    title = "NRP"
    fixed = ("port", "users", "superuser")

    users: Dict[str, Optional[str]] = attrs.field(
        factory=lambda: {"ann": None, "bob": None}, converter=parse_users, repr=False
    )
    superuser: str = "root"
    without_scope: Tuple[str, ...] = attrs.field(default=(), converter=split_words)
    storage: str = attrs.field(default="local", validator=one_of("local", "s3", "proxy"))
    well_known: bool = True
    version: str = "14.0.5"
    models: Tuple[str, ...] = attrs.field(default=("records",), converter=split_words)
    schema: str = attrs.field(default="auto", validator=one_of("auto", "rdm", "open"))
    review: str = attrs.field(default="none", validator=one_of("none", "community", "workflow"))
    communities: Tuple[str, ...] = attrs.field(default=("demo",), converter=split_words)
    auto_approve: bool = True
    rate_limit: int = attrs.field(default=1000, validator=validate_count)
    rate_limit_guest: int = attrs.field(default=500, validator=validate_count)
    rate_window: float = 60
    retry_after_always: bool = True
    max_files: int = attrs.field(default=100, validator=validate_count)
    quota: int = attrs.field(default=0, validator=validate_count)
    max_file_size: int = attrs.field(default=0, validator=validate_count)
    search_window: int = attrs.field(default=10_000, validator=validate_size)
    page_size: int = attrs.field(default=0, validator=validate_count)
    page_size_guest: int = attrs.field(default=0, validator=validate_count)
    fetch_hosts: Tuple[str, ...] = attrs.field(default=(), converter=split_words)
    remote_hosts: Tuple[str, ...] = attrs.field(default=(), converter=split_words)
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
        """Reject values that do not fit a header or a path."""
        for name, token in self.users.items():
            if token is not None and not re.fullmatch(r"[!-~]+", token):
                raise UsageError(f"the token of {name} must be ASCII text without spaces")
        if not self.models:
            raise UsageError("models: at least one is needed", hint="pass models=['records']")
        for model in self.models:
            if not re.fullmatch(r"[a-z][a-z0-9-]*", model) or model in ("user", "requests", "communities"):
                raise UsageError(f"models: invalid or reserved name {model!r}", hint="use lower-case words")
        if not self.rate_window > 0:
            raise UsageError("rate_window must be above 0", hint="pass rate_window=60, for example")

    def open_schema(self, model: str) -> bool:
        """Return True if the records of a model accept any metadata."""
        return self.schema == "open" or (self.schema == "auto" and model != "records")
