"""The local server of each service as programs find it."""

from __future__ import annotations

import contextlib
from typing import Any, Dict, Iterator

from smartxfer.local import LocalServer

Names = Dict[str, Any]

_SETTINGS: Dict[str, Dict[str, Any]] = {
    # filesender-client signs host and port.
    "filesender": {"server_name": "host:port", "upload_chunk_size": 64 * 1024},
}


#: Variables of addresses that the original wants with a slash at the end.
_ADDRESSES = {"smartfile": "SMARTFILE_API_URL"}


def _smartfile(site: Any) -> Names:
    return {"URL": f"{site.url}/", "KEY": site.key, "PASSWORD": site.password}


def _filesender(site: Any) -> Names:
    return {"URL": site.url, "USERNAME": site.username, "API_KEY": site.api_key}


def _nrp(site: Any) -> Names:
    return {"URL": site.url, "TOKEN": site.token}


def _perseus(site: Any) -> Names:
    return {"URL": site.url, "API_KEY": site.api_key}


_NAMES = {"smartfile": _smartfile, "filesender": _filesender, "nrp": _nrp, "perseus": _perseus}


@contextlib.contextmanager
def stand(service: str) -> Iterator[Names]:
    """Yield what the programs of a service find defined; ``site`` is the running server's side."""
    settings = {service: _SETTINGS[service]} if service in _SETTINGS else {}
    with LocalServer(services=[service], **settings) as server:  # type: ignore[arg-type]
        site = getattr(server, service)
        names = _NAMES[service](site)
        environment = {**server.env, _ADDRESSES.get(service, "ADDRESS"): names["URL"]}
        yield {"site": site, "ENVIRONMENT": environment, **names}
