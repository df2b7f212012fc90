"""Which record or file is meant: by its structure, its address (of the API or of a web page), or its id.

Source: NRP / Invenio protocol, sections 3 to 5 and 9.
"""

from typing import Any, Callable, List, Mapping, Optional, TypeVar
from urllib.parse import parse_qs, unquote, urlsplit

import attrs

from smartxfer.errors import ClientError, Forbidden, NotFound, UsageError
from smartxfer.nrp.calls import Calls
from smartxfer.nrp.keys import encoded
from smartxfer.secret_text import as_url, hidden
from smartxfer.transport.origin import Origin, quoted, without_query

__all__ = ["Place", "first_answer", "in_newest_version", "is_page", "is_url", "place_of", "shown"]

T = TypeVar("T")

#: Pages of a browser on which a draft is edited.
_EDITORS = ("uploads", "deposit")
#: Path segment before the key of a file in the address of a page about it.
_OF_FILE = ("files", "preview")


@attrs.frozen
class Place:
    """A record, or a file of it.

    :param base: address of the record, without ``/draft``.
    :param draft: whether the draft is meant; None where that was not said.
    :param key: of the file, if one is meant.
    :param preview: whether the draft goes before what is published, where it was not said which is meant.
    :param known: whether it comes from an answer about a version; else it may be a concept.
    """

    base: str
    draft: Optional[bool] = None
    key: Optional[str] = None
    preview: bool = False
    known: bool = False

    def records(self, writing: bool = False) -> List[str]:
        """Addresses of the record, the likeliest first; what is written to is a draft."""
        if writing or self.draft:
            return [f"{self.base}/draft"]
        found = [self.base] if self.draft is False else [self.base, f"{self.base}/draft"]
        return found[::-1] if self.preview else found

    def files(self, writing: bool = False) -> List[str]:
        """Addresses of the record's files."""
        return [f"{record}/files" for record in self.records(writing)]

    def file(self, writing: bool = False) -> List[str]:
        """Addresses of the file."""
        assert self.key is not None
        return [f"{files}/{encoded(self.key)}" for files in self.files(writing)]

    @property
    def id(self) -> str:
        """The record's id."""
        return unquote(self.base.rpartition("/")[2])


def is_url(text: str) -> bool:
    """Whether it is an address rather than an id."""
    return text.lower().startswith(("http://", "https://"))


def is_page(url: str) -> bool:
    """Return whether an address is that of a record or another page, not the base URL of a repository."""
    address = urlsplit(url)
    words = [word for word in address.path.split("/") if word]
    words = words[1:] if words[:1] == ["api"] else words
    return len(words) > 1 or bool(address.query or address.fragment)


def place_of(calls: Calls, thing: Any, model: Callable[[], str] = lambda: "records") -> Place:
    """The place of a record or file.

    :param thing: a Record, a File, an id, or an address: text, or anything whose ``str()`` is one.
    :param model: says where records that are named by their id alone live.
    :raises UsageError: it is none of these, or of another repository.
    """
    links = getattr(thing, "links", None)
    own = getattr(links, "self_", None)
    if own:
        place = _of_url(calls, str(own))
        return attrs.evolve(place, key=getattr(thing, "key", None), draft=bool(place.draft), known=True)
    text = str(thing).strip()
    if is_url(text):
        text = as_url(text)
        return _of_url(calls, text)
    if isinstance(thing, (str, int)) and text and "/" not in text and text not in (".", ".."):
        return Place(f"{calls.url(*model().split('/'))}/{quoted(text)}")
    raise UsageError(f"{shown(thing)!r} names no record", hint="give a Record, a File, an address or an id")


def shown(thing: Any) -> Any:
    """Return what a caller gave as it may be shown: an address without its query, where tokens are."""
    text = str(thing)
    return without_query(text) if is_url(text) else thing


def first_answer(addresses: List[str], ask: Callable[[str], T]) -> T:
    """Return the first good answer: of the published record, or of its draft where that was not said.

    A refusal of what is published goes before a draft that is not found, and a file that the published
    record does not have before a draft that is not for the caller.

    Source: NRP / Invenio protocol, section 9.
    """
    refused: List[ClientError] = []
    for address in addresses:
        try:
            return ask(address)
        except (NotFound, Forbidden) as error:
            refused.append(error)
    if isinstance(refused[0], NotFound) and "has no file" in refused[0].message:
        raise refused[0]
    raise next((error for error in refused if isinstance(error, Forbidden)), refused[-1])


def in_newest_version(
    calls: Calls, place: Place, step: Callable[[Place], T], headers: Optional[Mapping[str, str]] = None
) -> T:
    """Do a step at a place; where that is a concept (the parent of all versions), at its newest version.

    The API knows a concept id for reading the record only.

    :param headers: of a call that is answered by a record.

    Source: NRP / Invenio protocol, section 9.
    """
    try:
        return step(place)
    except NotFound as error:
        newest = None if place.known or "has no file" in error.message else _newest(calls, place, headers)
        if newest is None:
            raise
    return step(newest)


def _newest(calls: Calls, place: Place, headers: Optional[Mapping[str, str]]) -> Optional[Place]:
    try:
        body = calls.get(place.base, headers=headers).json(dict)
    except ClientError:
        return None
    parent = body.get("parent")
    concept = str(parent.get("id")) if isinstance(parent, Mapping) else None
    found = str(body.get("id"))
    if concept != place.id or found == place.id:
        return None
    token = calls.shared.token_of(place.base)
    if token is not None:
        calls.shared.keep(token, [found])
    return attrs.evolve(place, base=f"{place.base.rpartition('/')[0]}/{quoted(found)}")


def _of_url(calls: Calls, url: str) -> Place:
    """The place of an address of the API, or of the page that shows it in a browser."""
    if not calls.wire.origin.trusts(Origin.of(url)):
        raise UsageError(
            f"{without_query(url)} is not on {calls.wire.origin}", hint="make a client for its repository"
        )
    api = urlsplit(calls.api).path.rstrip("/")
    path, query = urlsplit(url).path, hidden(parse_qs(urlsplit(url).query))
    inside = path == api or path.startswith(f"{api}/")
    words = [word for word in (path[len(api) :] if inside else path).split("/") if word]
    if len(words) < 2:
        raise UsageError(f"{without_query(url)} is not the address of a record or file")
    for token in query.get("token", [])[:1]:
        calls.shared.keep(token, [unquote(words[1])])
    if not inside and words[0] in _EDITORS:
        return Place(f"{calls.api}/records/{words[1]}", True)
    if not inside and words[0] == "record":  # the page's address before InvenioRDM 12
        words[0] = "records"
    base = f"{calls.api}/{words[0]}/{words[1]}"
    draft = words[2:3] == ["draft"]
    rest = words[3:] if draft else words[2:]
    key = None
    if len(rest) > 1 and rest[0] in _OF_FILE[: 1 if inside else 2]:
        key = unquote(_after(path, rest[0]))
    preview = not draft and query.get("preview", ["0"])[0] not in ("", "0", "false")
    return Place(base, draft or None, key, preview)


def _after(path: str, word: str) -> str:
    """The key of a file in the path of its address, as it is, double slashes included."""
    key = path.partition(f"/{word}/")[2]
    for end in ("/content", "/commit"):
        if key.endswith(end):
            return key[: -len(end)]
    return key
