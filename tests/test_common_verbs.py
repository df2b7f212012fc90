"""The verbs that all clients share: one order of parameters, one default, one type of result, for all five.

What a service cannot do is in ``ABSENT``, what it does otherwise in ``OTHERWISE``; each entry says by which section of the
protocol page, or by which seed.
"""

from __future__ import annotations

import inspect
import re
import typing
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple

import pytest

from smartxfer import BasicClient, FileSenderClient, OAuthClient, PerseusClient, RepositoryClient
from smartxfer.jetstream import API
from smartxfer.transfer import Cancel, FileResult, Progress, SyncReport, TransferReport
from smartxfer.transfer.existing_files import Exists, UploadExists
from smartxfer.transfer.selection import Patterns
from tests.support.annotations import signature_of

PROTOCOLS = Path(__file__).resolve().parent.parent / "docs" / "protocols"
CLIENTS: Dict[str, Any] = {
    "filesender": FileSenderClient, "smartfile": BasicClient, "smartfile oauth": OAuthClient,
    "nrp": RepositoryClient, "perseus": PerseusClient, "jetstream": API,
}  # fmt: skip
SERVICES = sorted({name.split()[0] for name in CLIENTS})

#: The common keywords, in their order: (name, default, type).
KEYWORDS: List[Tuple[str, Any, Any]] = [
    ("delete", False, bool), ("max_delete", 0.5, float),
    ("exists", None, "Exists of a download, UploadExists of an upload"), ("resume", True, bool),
    ("checksum", None, Optional[str]), ("include", None, Patterns), ("exclude", None, Patterns),
    ("follow_symlinks", False, bool), ("dry_run", False, bool), ("max_workers", None, Optional[int]),
    ("progress", None, Progress), ("cancel", None, Optional[Cancel]), ("deadline", None, Optional[float]),
]  # fmt: skip
ORDER = [name for name, _, _ in KEYWORDS]
_ONE = ["progress", "cancel", "deadline"]
_MANY = ["max_workers", *_ONE]
_TREE = ["include", "exclude", "dry_run", *_MANY]
_DELETE = ["delete", "max_delete"]
_UP = ["exists", "resume", "checksum"]
_DOWN = ["exists", "checksum"]
EMPTY = inspect.Parameter.empty

#: Each verb: the positional parameters with their defaults, the common keywords, and the type of the result.
VERBS: Dict[str, Tuple[Dict[str, Any], List[str], Any]] = {
    "upload": ({"source": EMPTY, "target": EMPTY}, [*_UP, *_ONE], FileResult),
    "upload_many": ({"sources": EMPTY, "target": EMPTY}, [*_UP, *_MANY], TransferReport),
    "upload_tree": ({"directory": EMPTY, "target": EMPTY}, [*_UP, "follow_symlinks", *_TREE], TransferReport),
    "download": ({"source": EMPTY, "target": "."}, [*_DOWN, *_ONE], FileResult),
    "download_many": ({"sources": EMPTY, "target": "."}, [*_DOWN, *_MANY], TransferReport),
    "download_tree": ({"source": EMPTY, "target": "."}, [*_DOWN, *_TREE], TransferReport),
    "list": ({"target": EMPTY}, [], "a list"),
    "info": ({"source": EMPTY}, [], "a model"),
    "exists": ({"source": EMPTY}, [], bool),
    "remove": ({"target": EMPTY}, [], type(None)),
    "sync": ({"source": EMPTY, "target": EMPTY}, [*_DELETE, "follow_symlinks", *_TREE], SyncReport),
}  # fmt: skip

_UPLOADS, _DOWNLOADS = ("upload", "upload_many", "upload_tree"), ("download", "download_many", "download_tree")
_NO_BYTES = "protocols/jetstream 2: bytes go from server to server, and never through a client of the API"
_NO_ENTRY = "protocols/jetstream 6: the fields of an entry of a directory are not public, nor is there a look at one path"
_NEW = "protocols/filesender 6.1: every upload is a new transfer, where nothing is yet"
_BY_CONTENT = "protocols/perseus A.4: contents are distinguished, not names: nothing is ever replaced"
_SIZES = "protocols/filesender 6.3: the site compares sizes, and computes no checksum"
_MD5 = "protocols/nrp 5: the repository computes MD5, which is always compared"
_SHA256 = "protocols/perseus A.4: a record is made with the content's SHA-256, always"
_NO_DIRECTORY = "protocols/perseus A.4: directories do not exist, so no file belongs to one"
_WHOLE = "a file is one request, or parts that the server knows of: a broken upload always continues"
#: (service, verb): a verb that the service cannot do; (service, verb, keyword): a keyword that it cannot honour.
ABSENT: Dict[Tuple[str, ...], str] = {
    **{("jetstream", verb): _NO_BYTES for verb in (*_UPLOADS, *_DOWNLOADS, "sync")},
    ("jetstream", "info"): _NO_ENTRY,
    ("jetstream", "exists"): _NO_ENTRY,
    **{("perseus", verb): "protocols/perseus A.4: no request gives content back" for verb in _DOWNLOADS},
    ("filesender", "sync"): "protocols/filesender 6.4: a transfer takes no files once it is complete",
    **{("filesender", verb, "exists"): _NEW for verb in _UPLOADS},
    **{("perseus", verb, "exists"): _BY_CONTENT for verb in _UPLOADS},
    **{("smartfile", verb, "resume"): f"protocols/smartfile 5: {_WHOLE}" for verb in _UPLOADS},
    **{("nrp", verb, "resume"): f"protocols/nrp 5: {_WHOLE}" for verb in _UPLOADS},
    **{("perseus", verb, "resume"): f"protocols/perseus A.5: {_WHOLE}" for verb in _UPLOADS},
    **{("filesender", verb, "checksum"): _SIZES for verb in (*_UPLOADS, *_DOWNLOADS)},
    **{("nrp", verb, "checksum"): _MD5 for verb in (*_UPLOADS, *_DOWNLOADS)},
    **{("perseus", verb, "checksum"): _SHA256 for verb in _UPLOADS},
    **{("perseus", "sync", word): _NO_DIRECTORY for word in ("delete", "max_delete")},
}  # fmt: skip

_ROOT = "protocols/smartfile 1: an account has a root directory, where files go"
_CONTENT = "protocols/perseus A.4: directories do not exist; a target can only be a name"
#: (service, verb, parameter): (the default there, why).
OTHERWISE: Dict[Tuple[str, str, str], Tuple[Any, str]] = {
    **{("filesender", verb, "target"): (None, "protocols/filesender 6.1: without recipients it makes a link") for verb in _UPLOADS},
    **{("smartfile", verb, "target"): ("/", _ROOT) for verb in (*_UPLOADS, "list")},
    **{("perseus", verb, "target"): (None, _CONTENT) for verb in (*_UPLOADS, "list", "sync")},
    ("jetstream", "list", "target"): ("/", "protocols/jetstream 5.1: paths begin at the server's root"),
}  # fmt: skip
#: (service, verb, keyword): a common keyword that the verb has there alone.
BESIDES: Dict[Tuple[str, str, str], str] = {
    ("smartfile", "remove", "progress"): "protocols/smartfile 5: a removal is a task, and the call waits for it",
}
#: Verbs for which the vendor has a similar name of its own.
SEEDS = {
    ("smartfile", "delete"): "seeds/smartfile: delete(endpoint, id, **params) is the raw request: remove() removes files",
}


def cases() -> List[Any]:
    return [
        pytest.param(name, verb, id=f"{name}-{verb}")
        for name in CLIENTS
        for verb in VERBS
        if (name.split()[0], verb) not in ABSENT
    ]


def parameters_of(client: Any, verb: str) -> Dict[str, inspect.Parameter]:
    """The parameters without self."""
    found = dict(inspect.signature(getattr(client, verb)).parameters)
    assert next(iter(found)) == "self"
    del found["self"]
    return found


def hints_of(client: Any, verb: str) -> Dict[str, Any]:
    found = signature_of(getattr(client, verb))
    result = type(None) if found.return_annotation is None else found.return_annotation
    return {**{one.name: one.annotation for one in found.parameters.values()}, "return": result}


@pytest.mark.parametrize(("name", "verb"), cases())
def test_positional_parameters(name: str, verb: str) -> None:
    service = name.split(maxsplit=1)[0]
    wanted = {
        parameter: OTHERWISE.get((service, verb, parameter), (default, ""))[0]
        for parameter, default in VERBS[verb][0].items()
    }
    found = parameters_of(CLIENTS[name], verb).values()
    positional = {one.name: one.default for one in found if one.kind is one.POSITIONAL_OR_KEYWORD}
    assert list(positional.items()) == list(wanted.items())
    assert {one.kind for one in found} <= {inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY}


@pytest.mark.parametrize(("name", "verb"), cases())
def test_common_keywords_and_their_order(name: str, verb: str) -> None:
    service = name.split(maxsplit=1)[0]
    found = [one for one in parameters_of(CLIENTS[name], verb).values() if one.kind is one.KEYWORD_ONLY]
    common = [one.name for one in found if one.name in ORDER and (service, verb, one.name) not in BESIDES]
    wanted = [word for word in ORDER if word in VERBS[verb][1] and (service, verb, word) not in ABSENT]
    assert common == wanted
    # Those of the service come last, and all are optional.
    own = [one.name for one in found if one.name not in common]
    assert [one.name for one in found] == [*common, *own]
    assert all(one.default is not EMPTY for one in found)
    defaults = {word: default for word, default, _ in KEYWORDS}
    assert {one.name: one.default for one in found if one.name in common} == {word: defaults[word] for word in wanted}


@pytest.mark.parametrize(("name", "verb"), cases())
def test_types(name: str, verb: str) -> None:
    hints, result = hints_of(CLIENTS[name], verb), VERBS[verb][2]
    if result == "a list":
        assert typing.get_origin(hints["return"]) is list
    elif result == "a model":
        assert inspect.isclass(hints["return"])
    else:
        assert hints["return"] is result
    types = {word: kind for word, _, kind in KEYWORDS}
    types["exists"] = UploadExists if verb in _UPLOADS else Exists
    for word in parameters_of(CLIENTS[name], verb):
        if word in types and (name.split(maxsplit=1)[0], verb, word) not in BESIDES:
            assert hints[word] == types[word], word


@pytest.mark.parametrize("name", CLIENTS)
def test_what_is_absent_is_absent(name: str) -> None:
    service = name.split(maxsplit=1)[0]
    for entry in ABSENT:
        if entry[0] == service and len(entry) == 2:
            assert not hasattr(CLIENTS[name], entry[1])
        elif entry[0] == service:
            assert entry[2] not in parameters_of(CLIENTS[name], entry[1])


def test_every_exception_is_needed() -> None:
    for key, (default, _) in OTHERWISE.items():
        assert VERBS[key[1]][0][key[2]] != default, key
    for entry in ABSENT:
        assert entry[1] in VERBS, entry
        assert len(entry) == 2 or entry[2] in VERBS[entry[1]][1], entry
    for service, verb, word in BESIDES:
        assert word in parameters_of(CLIENTS[service], verb)
        assert word not in VERBS[verb][1]


@pytest.mark.parametrize(
    "reason", sorted({*ABSENT.values(), *(why for _, why in OTHERWISE.values()), *BESIDES.values(), *SEEDS.values()})
)
def test_every_exception_names_its_source(reason: str) -> None:
    if reason.startswith("seeds/"):
        return
    match = re.match(r"protocols/(\w+) ([A-B]?\.?\d+(?:\.\d+)?): \w", reason)
    assert match is not None
    page = next(PROTOCOLS.glob(f"{match.group(1)}.*")).read_text(encoding="utf-8")
    assert re.search(rf"^#* ?{re.escape(match.group(2))}\.? ", page, flags=re.M)


@pytest.mark.parametrize("name", ["smartfile", "nrp", "perseus", "filesender"])
def test_delete_is_the_raw_request(name: str) -> None:
    """The seeds have ``delete(endpoint, id, **params)``."""
    assert list(inspect.signature(CLIENTS[name].delete).parameters) == ["self", "endpoint", "id", "params"]


@pytest.mark.parametrize(("name", "verb"), cases())
def test_every_parameter_is_described(name: str, verb: str) -> None:
    """Fails if a parameter is described neither in the docstring of the verb nor in one that it refers to."""
    client = CLIENTS[name]
    text, todo, seen = "", [verb], set()
    while todo:
        here = todo.pop()
        seen.add(here)
        doc = inspect.getdoc(getattr(client, here)) or ""
        text += doc
        todo += [like for like in re.findall(r"like :meth:`(\w+)`", doc) if like not in seen]
    missing = [word for word in parameters_of(client, verb) if f":param {word}:" not in text]
    if verb == "upload_tree" and name == "perseus":
        missing = [word for word in missing if word != "target"]
    assert missing == []


def test_both_clients_of_smartfile_are_alike() -> None:
    for verb in VERBS:
        assert getattr(BasicClient, verb) is getattr(OAuthClient, verb)
