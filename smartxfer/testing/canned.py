"""Canned responses for `responses <https://pypi.org/project/responses/>`_, by the client's method.

::

    import responses
    from smartxfer import FileSenderClient
    from smartxfer.testing import canned

    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        case = canned.load("get_server_info", mock=mock)
        assert FileSenderClient(case.base_url).get_server_info().name == "FileSender"

Every method has the cases ``"default"`` and ``"failure"``; :data:`CASES` has all of them.  A case includes
the responses to the requests that a client sends on first use (limits, configuration).

The cases of SmartFile are in :data:`SMARTFILE_CASES`: ``canned.load("stat", service="smartfile")``;
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

#: URL of the FileSender site in the canned responses.
BASE_URL = filesender.BASE_URL
#: URL of the SmartFile site in the canned responses.
SMARTFILE_URL = smartfile.BASE_URL
#: URL of the NRP repository in the canned responses.
NRP_URL = nrp.BASE_URL
#: URL of the Perseus service in the canned responses.
PERSEUS_URL = perseus.BASE_URL
#: URL of the JetStream server in the canned responses.
JETSTREAM_URL = jetstream.BASE_URL

#: Responses by (FileSender method, case): HTTP method, path, and keywords of ``responses.add`` or a callback.
CASES: Mapping[Tuple[str, str], List[filesender.CannedRoute]] = filesender.CASES
#: The same for SmartFile.
SMARTFILE_CASES: Mapping[Tuple[str, str], List[smartfile.CannedRoute]] = smartfile.CASES
#: The same for NRP; methods are ``files.upload``, ``records.create``, ``whoami``, ...
NRP_CASES: Mapping[Tuple[str, str], List[nrp.CannedRoute]] = nrp.CASES
#: The same for Perseus; methods are ``file.upload_file``, ``post``, ...
PERSEUS_CASES: Mapping[Tuple[str, str], List[perseus.CannedRoute]] = perseus.CASES
#: The same for JetStream; methods are ``send.createManifest``, ``server.lsAsync``, ``send_files``, ...
#: ``send_files`` also has the case ``"suspended"``.
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
    """A loaded case.

    :param method: name of the client's method.
    :param name: name of the case.
    :param base_url: URL of the service in the responses.
    :param expected: for a failure, the name of the error class in ``smartxfer.errors``; else None.
    :param facts: values in the responses that a test can compare: ids, sizes, tokens.
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
    """Add the responses to the requests of a client's method to ``responses``.

    :param method: its name, or the method (``client.create_transfer``).
    :param case: ``"default"`` or ``"failure"``.
    :param base_url: URL of the service, without a trailing slash; None for the service's URL in this module.
    :param mock: a ``RequestsMock``; None for that of ``@responses.activate``.
    :param service: ``"filesender"``, ``"smartfile"``, ``"nrp"``, ``"perseus"`` or ``"jetstream"``.
    :return: the loaded case.
    :raises UsageError: the service, the method or the case is unknown.

    Source: FileSender protocol, sections 2.1, 4, 5, 6, 8 and 10; SmartFile protocol, sections 3 to 5;
    NRP / Invenio protocol, sections 1 to 5; Perseus protocol, sections A.3 to A.8; JetStream protocol,
    sections 5, 6 and 9.
    """
    if service not in _SERVICES:
        raise UsageError(
            f"no canned responses for service={service!r}", hint=f"pass one of: {', '.join(_SERVICES)}"
        )
    module = _SERVICES[service]
    name = method if isinstance(method, str) else _get_method_name(module, method)
    if (name, case) not in module.CASES:
        known = ", ".join(sorted({known for known, _ in module.CASES}))
        raise UsageError(
            f"no canned case {case!r} of {name!r}", hint=f"pass 'default' or 'failure' of {known}"
        )
    service_url = module.BASE_URL if base_url is None else base_url
    target: Any = responses if mock is None else mock
    for verb, path, response in module.CASES[name, case] + module.FIRST_USE:
        url = module.build_url_pattern(service_url, path)
        if callable(response):
            target.add_callback(verb, url, callback=response)
        else:
            target.add(verb, url, **response)
    expected = module.FAILURES[name] if case == "failure" else None
    return Case(name, case, service_url, expected, dict(module.FACTS))


def _get_method_name(module: Any, method: Callable[..., Any]) -> str:
    """Return a method's name with the prefix of its namespace: ``files.read`` for ``client.files.read``."""
    owner, _, name = method.__qualname__.rpartition(".")
    if name in ("list_files", "list_directory") and not owner:
        name = "list"  # the function of this method has another name, to avoid the name of the built-in
    prefixes: Dict[str, str] = getattr(module, "PREFIXES", {})
    return prefixes.get(owner, "") + str(name)
