"""Which record or file is meant: by its structure, its address (of the API or of a web page), or its id.

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

#: Pages of a browser on which a draft is edited.
_EDITOR_PAGES = ("uploads", "deposit")
#: Path segment before the key of a file in the address of a page about it.
_FILE_SEGMENTS = ("files", "preview")


@attrs.frozen
class RecordRef:
    """A record, or a file of it.

    :param base: address of the record, without ``/draft``.
    :param draft: whether the draft is meant; None where that was not said.
    :param key: of the file, if one is meant.
    :param preview: whether the draft goes before what is published, where it was not said which is meant.
    :param known: whether it comes from an answer about a version; else it may be a concept.
    """

    record_url: str
    draft: Optional[bool] = None
    key: Optional[str] = None
    preview: bool = False
    is_version: bool = False

    def get_record_urls(self, for_writing: bool = False) -> List[str]:
        """Addresses of the record, the likeliest first; what is written to is a draft."""
        if for_writing or self.draft:
            return [f"{self.record_url}/draft"]
        found = [self.record_url] if self.draft is False else [self.record_url, f"{self.record_url}/draft"]
        return found[::-1] if self.preview else found

    def get_files_urls(self, for_writing: bool = False) -> List[str]:
        """Addresses of the record's files."""
        return [f"{record}/files" for record in self.get_record_urls(for_writing)]

    def get_file_urls(self, for_writing: bool = False) -> List[str]:
        """Addresses of the file."""
        assert self.key is not None
        return [f"{files}/{quote_key(self.key)}" for files in self.get_files_urls(for_writing)]

    @property
    def record_id(self) -> str:
        """The record's id."""
        return unquote(self.record_url.rpartition("/")[2])


def is_url(text: str) -> bool:
    """Whether it is an address rather than an id."""
    return text.lower().startswith(("http://", "https://"))


def is_page_url(url: str) -> bool:
    """Return whether an address is that of a record or another page, not the base URL of a repository."""
    address = urlsplit(url)
    words = [word for word in address.path.split("/") if word]
    words = words[1:] if words[:1] == ["api"] else words
    return len(words) > 1 or bool(address.query or address.fragment)


def parse_reference(
    api: RepositoryApi, target: Any, get_records_path: Callable[[], str] = lambda: "records"
) -> RecordRef:
    """The place of a record or file.

    :param target: a Record, a File, an id, or an address: text, or anything whose ``str()`` is one.
    :param get_records_path: says where records that are named by their id alone live.
    :raises UsageError: it is none of these, or of another repository.
    """
    links = getattr(target, "links", None)
    own = getattr(links, "self_", None)
    if own:
        place = _parse_url(api, str(own))
        return attrs.evolve(place, key=getattr(target, "key", None), draft=bool(place.draft), is_version=True)
    text = str(target).strip()
    if is_url(text):
        text = as_secret_url(text)
        return _parse_url(api, text)
    if isinstance(target, (str, int)) and text and "/" not in text and text not in (".", ".."):
        return RecordRef(f"{api.build_url(*get_records_path().split('/'))}/{quote_path(text)}")
    raise UsageError(
        f"{redact_reference(target)!r} names no record", hint="give a Record, a File, an address or an id"
    )


def redact_reference(target: Any) -> Any:
    """Return what a caller gave as it may be shown: an address without its query, where tokens are."""
    text = str(target)
    return strip_query(text) if is_url(text) else target


def try_in_order(urls: List[str], action: Callable[[str], T]) -> T:
    """Return the first good answer: of the published record, or of its draft where that was not said.

    A refusal of what is published goes before a draft that is not found, and a file that the published
    record does not have before a draft that is not for the caller.

    Source: NRP / Invenio protocol, section 9.
    """
    refused: List[ClientError] = []
    for address in urls:
        try:
            return action(address)
        except (NotFound, Forbidden) as error:
            refused.append(error)
    if isinstance(refused[0], NotFound) and "has no file" in refused[0].message:
        raise refused[0]
    raise next((error for error in refused if isinstance(error, Forbidden)), refused[-1])


def run_on_latest_version(
    api: RepositoryApi,
    ref: RecordRef,
    action: Callable[[RecordRef], T],
    headers: Optional[Mapping[str, str]] = None,
) -> T:
    """Do a step at a place; where that is a concept (the parent of all versions), at its newest version.

    The API knows a concept id for reading the record only.

    :param headers: of a call that is answered by a record.

    Source: NRP / Invenio protocol, section 9.
    """
    try:
        return action(ref)
    except NotFound as error:
        newest = (
            None
            if ref.is_version or "has no file" in error.message
            else _find_latest_version(api, ref, headers)
        )
        if newest is None:
            raise
    return action(newest)


def _find_latest_version(
    api: RepositoryApi, ref: RecordRef, headers: Optional[Mapping[str, str]]
) -> Optional[RecordRef]:
    try:
        body = api.get(ref.record_url, headers=headers).json(dict)
    except ClientError:
        return None
    parent = body.get("parent")
    concept = str(parent.get("id")) if isinstance(parent, Mapping) else None
    found = str(body.get("id"))
    if concept != ref.record_id or found == ref.record_id:
        return None
    token = api.share_tokens.get_token(ref.record_url)
    if token is not None:
        api.share_tokens.add(token, [found])
    return attrs.evolve(ref, record_url=f"{ref.record_url.rpartition('/')[0]}/{quote_path(found)}")


def _parse_url(repository_api: RepositoryApi, url: str) -> RecordRef:
    """The place of an address of the API, or of the page that shows it in a browser."""
    if not repository_api.http.origin.allows_credentials_for(Origin.parse(url)):
        raise UsageError(
            f"{strip_query(url)} is not on {repository_api.http.origin}",
            hint="make a client for its repository",
        )
    api = urlsplit(repository_api.api_url).path.rstrip("/")
    path, query = urlsplit(url).path, wrap_secrets(parse_qs(urlsplit(url).query))
    inside = path == api or path.startswith(f"{api}/")
    words = [word for word in (path[len(api) :] if inside else path).split("/") if word]
    if len(words) < 2:
        raise UsageError(
            f"{strip_query(url)} is not the address of a record or file",
            hint="copy the address of the record, such as https://repository.example.org/records/abcde-12345",
        )
    for token in query.get("token", [])[:1]:
        repository_api.share_tokens.add(token, [unquote(words[1])])
    if not inside and words[0] in _EDITOR_PAGES:
        return RecordRef(f"{repository_api.api_url}/records/{words[1]}", True)
    if not inside and words[0] == "record":  # the page's address before InvenioRDM 12
        words[0] = "records"
    base = f"{repository_api.api_url}/{words[0]}/{words[1]}"
    draft = words[2:3] == ["draft"]
    rest = words[3:] if draft else words[2:]
    key = None
    if len(rest) > 1 and rest[0] in _FILE_SEGMENTS[: 1 if inside else 2]:
        key = unquote(_extract_key(path, rest[0]))
    preview = not draft and query.get("preview", ["0"])[0] not in ("", "0", "false")
    return RecordRef(base, draft or None, key, preview)


def _extract_key(path: str, segment: str) -> str:
    """The key of a file in the path of its address, as it is, double slashes included."""
    key = path.partition(f"/{segment}/")[2]
    for end in ("/content", "/commit"):
        if key.endswith(end):
            return key[: -len(end)]
    return key
