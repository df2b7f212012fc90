"""References to records and files: a model, a URL (of the API or of a web page), or an id.

Source: NRP / Invenio protocol, sections 3 to 5 and 9.
"""

from typing import Any, Callable, List, Mapping, Optional, TypeVar
from urllib.parse import parse_qs, unquote, urlsplit

import attrs

from smartxfer.errors import ClientError, Forbidden, NotFound, UsageError
from smartxfer.nrp.api import RepositoryApi
from smartxfer.nrp.keys import quote_key
from smartxfer.secret_text import as_secret_url, wrap_secrets
from smartxfer.transport.origin import Origin, quote_path, strip_query

__all__ = [
    "RecordRef",
    "is_page_url",
    "is_url",
    "parse_reference",
    "redact_reference",
    "run_on_latest_version",
    "try_in_order",
]

T = TypeVar("T")

#: Path segments of the web pages on which drafts are edited.
_EDITOR_PAGES = ("uploads", "deposit")
#: Path segments before the key of a file in the URL of its web page.
_FILE_SEGMENTS = ("files", "preview")


@attrs.frozen
class RecordRef:
    """Reference to a record, or to a file of it.

    :param record_url: URL of the record, without ``/draft``.
    :param draft: True for the draft, False for the published record, None if unspecified.
    :param key: key of the file, for a reference to a file.
    :param preview: if ``draft`` is None, try the draft before the published record.
    :param is_version: True if the URL is that of a version; otherwise it may be that of a concept.
    """

    record_url: str
    draft: Optional[bool] = None
    key: Optional[str] = None
    preview: bool = False
    is_version: bool = False

    def get_record_urls(self, for_writing: bool = False) -> List[str]:
        """Return the URLs of the record to try in order; only drafts can be written."""
        if for_writing or self.draft:
            return [f"{self.record_url}/draft"]
        urls = [self.record_url] if self.draft is False else [self.record_url, f"{self.record_url}/draft"]
        return urls[::-1] if self.preview else urls

    def get_files_urls(self, for_writing: bool = False) -> List[str]:
        """Return the URLs of the record's files to try in order."""
        return [f"{record_url}/files" for record_url in self.get_record_urls(for_writing)]

    def get_file_urls(self, for_writing: bool = False) -> List[str]:
        """Return the URLs of the file to try in order."""
        assert self.key is not None
        return [f"{files_url}/{quote_key(self.key)}" for files_url in self.get_files_urls(for_writing)]

    @property
    def record_id(self) -> str:
        """The id of the record."""
        return unquote(self.record_url.rpartition("/")[2])


def is_url(text: str) -> bool:
    """Return True for an HTTP URL, False for an id."""
    return text.lower().startswith(("http://", "https://"))


def is_page_url(url: str) -> bool:
    """Return True for the URL of a record or another page, False for the base URL of a repository."""
    parts = urlsplit(url)
    segments = [segment for segment in parts.path.split("/") if segment]
    segments = segments[1:] if segments[:1] == ["api"] else segments
    return len(segments) > 1 or bool(parts.query or parts.fragment)


def parse_reference(
    api: RepositoryApi, target: Any, get_records_path: Callable[[], str] = lambda: "records"
) -> RecordRef:
    """Return the reference to a record or file.

    :param target: a Record, a File, an id, or a URL: a string, or any object whose ``str()`` is one.
    :param get_records_path: returns the path of records that are referenced by their id.
    :raises UsageError: the target is of another type, or of another repository.
    """
    links = getattr(target, "links", None)
    self_url = getattr(links, "self_", None)
    if self_url:
        ref = _parse_url(api, str(self_url))
        return attrs.evolve(ref, key=getattr(target, "key", None), draft=bool(ref.draft), is_version=True)
    text = str(target).strip()
    if is_url(text):
        text = as_secret_url(text)
        return _parse_url(api, text)
    if isinstance(target, (str, int)) and text and "/" not in text and text not in (".", ".."):
        return RecordRef(f"{api.build_url(*get_records_path().split('/'))}/{quote_path(text)}")
    raise UsageError(
        f"{redact_reference(target)!r} is not a reference to a record",
        hint="pass a Record, a File, a URL or an id",
    )


def redact_reference(target: Any) -> Any:
    """Return the caller's reference for a message: a URL without its query, which may contain a token."""
    text = str(target)
    return strip_query(text) if is_url(text) else target


def try_in_order(urls: List[str], action: Callable[[str], T]) -> T:
    """Return the first successful result, for example of the published record, else of its draft.

    If all fail, Forbidden for the published record is raised instead of NotFound for the draft, and a
    missing file of the published record instead of Forbidden for the draft.

    Source: NRP / Invenio protocol, section 9.
    """
    errors: List[ClientError] = []
    for url in urls:
        try:
            return action(url)
        except (NotFound, Forbidden) as error:
            errors.append(error)
    if isinstance(errors[0], NotFound) and "has no file" in errors[0].message:
        raise errors[0]
    raise next((error for error in errors if isinstance(error, Forbidden)), errors[-1])


def run_on_latest_version(
    api: RepositoryApi,
    ref: RecordRef,
    action: Callable[[RecordRef], T],
    headers: Optional[Mapping[str, str]] = None,
) -> T:
    """Run an action; if the reference is a concept (the parent of all versions), with its newest version.

    The API supports concept ids only for reading the record.

    :param headers: headers of requests that return a record.

    Source: NRP / Invenio protocol, section 9.
    """
    try:
        return action(ref)
    except NotFound as error:
        latest = (
            None
            if ref.is_version or "has no file" in error.message
            else _find_latest_version(api, ref, headers)
        )
        if latest is None:
            raise
    return action(latest)


def _find_latest_version(
    api: RepositoryApi, ref: RecordRef, headers: Optional[Mapping[str, str]]
) -> Optional[RecordRef]:
    try:
        body = api.get(ref.record_url, headers=headers).json(dict)
    except ClientError:
        return None
    parent = body.get("parent")
    concept_id = str(parent.get("id")) if isinstance(parent, Mapping) else None
    latest_id = str(body.get("id"))
    if concept_id != ref.record_id or latest_id == ref.record_id:
        return None
    token = api.share_tokens.get_token(ref.record_url)
    if token is not None:
        api.share_tokens.add(token, [latest_id])
    return attrs.evolve(ref, record_url=f"{ref.record_url.rpartition('/')[0]}/{quote_path(latest_id)}")


def _parse_url(repository_api: RepositoryApi, url: str) -> RecordRef:
    """Return the reference in a URL of the API or of a web page."""
    if not repository_api.http.origin.allows_credentials_for(Origin.parse(url)):
        raise UsageError(
            f"{strip_query(url)} is not on {repository_api.http.origin}",
            hint="create a client for the repository of this URL",
        )
    api = urlsplit(repository_api.api_url).path.rstrip("/")
    path, query = urlsplit(url).path, wrap_secrets(parse_qs(urlsplit(url).query))
    is_api_url = path == api or path.startswith(f"{api}/")
    segments = [segment for segment in (path[len(api) :] if is_api_url else path).split("/") if segment]
    if len(segments) < 2:
        raise UsageError(
            f"{strip_query(url)} is not the URL of a record or file", hint="pass the URL of a record or file"
        )
    for token in query.get("token", [])[:1]:
        repository_api.share_tokens.add(token, [unquote(segments[1])])
    if not is_api_url and segments[0] in _EDITOR_PAGES:
        return RecordRef(f"{repository_api.api_url}/records/{segments[1]}", True)
    if not is_api_url and segments[0] == "record":  # URL of the web page before InvenioRDM 12
        segments[0] = "records"
    record_url = f"{repository_api.api_url}/{segments[0]}/{segments[1]}"
    draft = segments[2:3] == ["draft"]
    rest = segments[3:] if draft else segments[2:]
    key = None
    if len(rest) > 1 and rest[0] in _FILE_SEGMENTS[: 1 if is_api_url else 2]:
        key = unquote(_extract_key(path, rest[0]))
    preview = not draft and query.get("preview", ["0"])[0] not in ("", "0", "false")
    return RecordRef(record_url, draft or None, key, preview)


def _extract_key(path: str, segment: str) -> str:
    """Return the key of a file in the path of its URL unchanged, including double slashes."""
    key = path.partition(f"/{segment}/")[2]
    for suffix in ("/content", "/commit"):
        if key.endswith(suffix):
            return key[: -len(suffix)]
    return key
