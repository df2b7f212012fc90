"""Canned answers for `responses <https://pypi.org/project/responses/>`_, by the client's method.

::

    import responses
    from smartxfer import FileSenderClient
    from smartxfer.testing import canned

    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        case = canned.load("get_server_info", mock=mock)
        assert FileSenderClient(case.base_url).get_server_info().name == "FileSender"

Every method has the cases ``"default"`` and ``"failure"``; :data:`CASES` has them all.  What a client asks on
first use (limits, configuration) is answered as well, so that a case works on its own.

The answers of SmartFile are in :data:`SMARTFILE_CASES`: ``canned.load("stat", service="smartfile")``;
those of NRP repositories are in :data:`NRP_CASES`: ``canned.load("files.upload", service="nrp")``;
those of Perseus are in :data:`PERSEUS_CASES`: ``canned.load("file.upload_file", service="perseus")``;
those of JetStream are in :data:`JETSTREAM_CASES`: ``canned.load("send_files", service="jetstream")``.
"""

from typing import Any, Callable, Dict, List, Mapping, Optional, Tuple, Union

import attrs
import responses

from smartxfer.errors import UsageError
from smartxfer.testing import canned_filesender as filesender
from smartxfer.testing import canned_jetstream as jetstream
from smartxfer.testing import canned_nrp as nrp
from smartxfer.testing import canned_perseus as perseus
from smartxfer.testing import canned_smartfile as smartfile

__all__ = [
    "BASE_URL",
    "CASES",
    "JETSTREAM_CASES",
    "JETSTREAM_URL",
    "NRP_CASES",
    "NRP_URL",
    "PERSEUS_CASES",
    "PERSEUS_URL",
    "SMARTFILE_CASES",
    "SMARTFILE_URL",
    "Case",
    "load",
]

#: Address of the FileSender site that the canned answers stand for.
BASE_URL = filesender.BASE_URL
#: Address of the SmartFile site that the canned answers stand for.
SMARTFILE_URL = smartfile.BASE_URL
#: Address of the NRP repository that the canned answers stand for.
NRP_URL = nrp.BASE_URL
#: Address of the Perseus service that the canned answers stand for.
PERSEUS_URL = perseus.BASE_URL
#: Address of the JetStream server that the canned answers stand for.
JETSTREAM_URL = jetstream.BASE_URL

#: FileSender's methods and cases, and what is answered: HTTP method, path, and keywords of ``responses.add``
#: or a callback.
CASES: Mapping[Tuple[str, str], List[filesender.CannedRoute]] = filesender.CASES
#: SmartFile's methods and cases, and what is answered, likewise.
SMARTFILE_CASES: Mapping[Tuple[str, str], List[smartfile.CannedRoute]] = smartfile.CASES
#: NRP's methods (``files.upload``, ``records.create``, ``whoami``) and cases, and what is answered, likewise.
NRP_CASES: Mapping[Tuple[str, str], List[nrp.CannedRoute]] = nrp.CASES
#: Perseus's methods (``file.upload_file``, ``post``) and cases, and what is answered, likewise.
PERSEUS_CASES: Mapping[Tuple[str, str], List[perseus.CannedRoute]] = perseus.CASES
#: JetStream's methods (``send.createManifest``, ``server.lsAsync``, ``send_files``) and cases, likewise;
#: ``send_files`` has a case ``"suspended"`` besides.
JETSTREAM_CASES: Mapping[Tuple[str, str], List[jetstream.CannedRoute]] = jetstream.CASES

_SERVICES: Mapping[str, Any] = {
    "filesender": filesender,
    "smartfile": smartfile,
    "nrp": nrp,
    "perseus": perseus,
    "jetstream": jetstream,
}


@attrs.frozen
class Case:
    """What was loaded.

    :param method: of the client.
    :param name: of the case.
    :param base_url: address that the answers stand for.
    :param expected: for a failure, the name in ``smartxfer.errors`` of what the client raises; else None.
    :param facts: what a test may want to compare with: ids, sizes, tokens.
    """

    method: str
    name: str
    base_url: str
    expected: Optional[str]
    facts: Dict[str, Any]


def load(
    method: Union[str, Callable[..., Any]],
    case: str = "default",
    *,
    base_url: Optional[str] = None,
    mock: Optional[responses.RequestsMock] = None,
    service: str = "filesender",
) -> Case:
    """Have ``responses`` answer as a site of the service answers a client's method.

    :param method: its name, or the method itself (``client.create_transfer``).
    :param case: ``"default"`` or ``"failure"``.
    :param base_url: address of the site, without a trailing slash; None for the service's address here.
    :param mock: a ``RequestsMock``; None for the one of ``@responses.activate``.
    :param service: ``"filesender"``, ``"smartfile"``, ``"nrp"``, ``"perseus"`` or ``"jetstream"``.
    :return: what was loaded, with facts to compare with.
    :raises UsageError: there is no such service, method or case.

    Source: FileSender protocol, sections 2.1, 4, 5, 6, 8 and 10; SmartFile protocol, sections 3 to 5;
    NRP / Invenio protocol, sections 1 to 5; Perseus protocol, sections A.3 to A.8; JetStream protocol,
    sections 5, 6 and 9.
    """
    if service not in _SERVICES:
        raise UsageError(
            f"no canned answers of {service!r}; there are {', '.join(_SERVICES)}",
            hint="pass service= one of these",
        )
    replies = _SERVICES[service]
    name = method if isinstance(method, str) else _get_method_name(replies, method)
    if (name, case) not in replies.CASES:
        known = ", ".join(sorted({known for known, _ in replies.CASES}))
        raise UsageError(
            f"no canned case {case!r} of {name!r}; there are default and failure of {known}",
            hint="pass 'default' or 'failure'",
        )
    address = replies.BASE_URL if base_url is None else base_url
    target: Any = responses if mock is None else mock
    for verb, path, answer in replies.CASES[name, case] + replies.FIRST_USE:
        url = replies.build_url_pattern(address, path)
        if callable(answer):
            target.add_callback(verb, url, callback=answer)
        else:
            target.add(verb, url, **answer)
    expected = replies.FAILURES[name] if case == "failure" else None
    return Case(name, case, address, expected, dict(replies.FACTS))


def _get_method_name(replies: Any, method: Callable[..., Any]) -> str:
    """Return a method's name, after that of its namespace: ``files.read`` of ``client.files.read``."""
    owner, _, name = method.__qualname__.rpartition(".")
    if name in ("list_files", "list_directory") and not owner:
        name = "list"  # the function behind it cannot have the name of the built-in
    prefixes: Dict[str, str] = getattr(replies, "PREFIXES", {})
    return prefixes.get(owner, "") + str(name)
