"""The local server of each service as programs find it."""

from __future__ import annotations

import contextlib
import json
import tempfile
from pathlib import Path
from typing import Any, Dict, Iterator, List

from smartxfer.local import LocalServer

Names = Dict[str, Any]

_SETTINGS: Dict[str, Dict[str, Any]] = {
    # filesender-client signs host and port.
    "filesender": {"server_name": "host:port", "upload_chunk_size": 64 * 1024},
    "nrp": {"page_size": 100},
}


#: Variables of addresses that the original wants with a slash at the end.
_ADDRESSES = {"smartfile": "SMARTFILE_API_URL"}


def _smartfile(site: Any) -> Names:
    return {"URL": f"{site.url}/", "KEY": site.key, "PASSWORD": site.password}


def _filesender(site: Any) -> Names:
    return {"URL": site.url, "USERNAME": site.username, "API_KEY": site.api_key}


def _nrp(site: Any) -> Names:
    # ``from yarl import URL`` is how programs begin: the address has another name, too.
    return {"URL": site.url, "SITE": site.url, "TOKEN": site.token}


def _perseus(site: Any) -> Names:
    return {"URL": site.url, "API_KEY": site.api_key}


_NAMES = {"smartfile": _smartfile, "filesender": _filesender, "nrp": _nrp, "perseus": _perseus}


def _queries(site: Any) -> List[str]:
    """Return a list that every request adds its query to."""
    found: List[str] = []
    answer = site.listener.handle

    def noting(exchange: Any) -> Any:
        found.append(exchange.query)
        return answer(exchange)

    site.listener.handle = noting
    return found


def _configuration(directory: Path, names: Names) -> str:
    """Return the path of a configuration of nrp-cmd that knows the site as ``local``."""
    path = directory / "invenio-config.json"
    entry = {"alias": "local", "url": names["URL"], "token": names["TOKEN"], "retry_count": 1}
    path.write_text(json.dumps({"repositories": [entry], "default_alias": "local"}), encoding="utf-8")
    path.chmod(0o600)
    return str(path)


@contextlib.contextmanager
def harness(service: str) -> Iterator[Names]:
    """Yield what the programs of a service find defined; ``site`` is the running server's side."""
    settings = {service: _SETTINGS[service]} if service in _SETTINGS else {}
    with tempfile.TemporaryDirectory() as directory, LocalServer(services=[service], **settings) as server:  # type: ignore[arg-type]
        site = getattr(server, service)
        names = _NAMES[service](site)
        environment = {**server.env, _ADDRESSES.get(service, "ADDRESS"): names["URL"]}
        if service == "nrp":
            environment = {"NRP_CMD_CONFIG_PATH": _configuration(Path(directory), names)}
        asked = _queries(site)
        yield {"site": site, "asked": asked, "ENVIRONMENT": environment, **names}
