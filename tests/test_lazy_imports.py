"""Modules that are loaded on first use: which ones, and in which thread."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Dict, List, Tuple

import pytest

from smartxfer.local import LocalServer
from tests.support.python_program import run_python

#: How programs begin.
ENTRIES = [
    "from smartxfer import FileSenderClient", "from smartxfer import BasicClient",
    "from smartxfer import PerseusClient", "from smartxfer import JetStream",
    "from smartxfer.nrp import get_client",
]
#: The most modules that one loads beyond those of ``import requests``: each takes about half a millisecond.
MOST = 25
#: What none of them may load: it takes milliseconds, and only a call needs it.
HEAVY = {
    *("attr", "attrs", "cattrs", "click", "cryptography", "dotenv", "keyring", "platformdirs"),
    *("requests_oauthlib", "tqdm", "typing_extensions", "yaml"),
    *("concurrent.futures", "difflib", "html.parser", "mmap", "numbers", "platform", "secrets", "tarfile", "uuid"),
    *("smartxfer.models", "smartxfer.transfer", "smartxfer.transport.http_transport", "smartxfer.service_api", "smartxfer.delta"),
}

_LOADED = """
import json, sys
import requests
before = set(sys.modules)
exec(sys.argv[1])
print(json.dumps(sorted(set(sys.modules) - before)))
"""


@pytest.mark.parametrize("entry", ENTRIES)
def test_a_client_loads_little_beyond_requests(entry: str) -> None:
    done = run_python(_LOADED, entry)
    assert done.returncode == 0, done.stderr
    loaded = json.loads(done.stdout)
    assert "smartxfer.client" in loaded
    assert HEAVY.isdisjoint(loaded), sorted(HEAVY.intersection(loaded))
    assert len(loaded) <= MOST, loaded


_FILESENDER = """
from smartxfer import FileSenderClient, RetryPolicy
with FileSenderClient.from_environment(retry=RetryPolicy(backoff=0)) as client:
    sent = client.upload_workflow(['a', 'b'], link=True, max_workers=2)
    assert len(client.download_files(sent.download_url, 'copies')) == 2
    client.remove(sent)
"""
_SMARTFILE = """
from smartxfer import BasicClient, RetryPolicy
with BasicClient(retry=RetryPolicy(backoff=0)) as client:
    client.upload_many(['a', 'b'], '/')
    assert len(client.download_many(['/a', '/b'], 'copies')) == 2
    client.sync('copies', '/far')
"""
_NRP = """
from smartxfer import RetryPolicy
from smartxfer.nrp import get_client
with get_client(retry=RetryPolicy(backoff=0)) as client:
    draft = client.records.create({'metadata': {'title': 'Reads'}})
    client.upload_many(['a', 'b'], draft)
    assert len(client.download_tree(draft, 'copies')) == 2
"""
_PERSEUS = """
from smartxfer import PerseusClient, RetryPolicy
with PerseusClient(retry=RetryPolicy(backoff=0)) as client:
    assert len(client.upload_many(['a', 'b'])) == 2
    assert client.sync('.').skipped
"""
_JETSTREAM = """
from smartxfer import RetryPolicy
from smartxfer.jetstream import API
with API(retry=RetryPolicy(backoff=0)) as api:
    api.mkfile('/outbox/a')
    assert api.wait_all([api.server.lsAsync('/outbox')])
    assert api.share('/outbox/a').token
"""

#: A program of each service that moves files in several threads, and what the server does to it once.
PROGRAMS: Dict[str, Tuple[str, List[Tuple[str, str]]]] = {
    "filesender": (_FILESENDER, [("PUT /rest.php/file/*/chunk/*", "status 500"), ("GET /download.php*", "truncate 100")]),
    "smartfile": (_SMARTFILE, [("POST /api/2/path/data/*", "status 500"), ("GET /api/2/path/data/*", "truncate 100")]),
    "nrp": (_NRP, [("PUT /api/records/*/content", "status 500"), ("GET /api/records/*/content", "truncate 100")]),
    "perseus": (_PERSEUS, [("POST /api/v0/file/find", "status 503")]),
    "jetstream": (_JETSTREAM, [("POST /jsonrpc/getRequestResult", "reset-before")]),
}

#: Runs a program and prints what threads other than its own have loaded.
_WATCHED = """
import json, sys, threading
late = []

class Watch:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if threading.current_thread() is not threading.main_thread():
            late.append(name)

sys.meta_path.insert(0, Watch)
exec(sys.argv[1])
print(json.dumps(late))
"""


@pytest.mark.parametrize("name", PROGRAMS)
def test_no_worker_loads_a_module(name: str, tmp_path: Path) -> None:
    """Detect an import in a function that only workers call, because the interpreter may already be exiting."""
    program, faults = PROGRAMS[name]
    for file in ("a", "b"):
        (tmp_path / file).write_bytes(os.urandom(200_000))
    with LocalServer(services=[name]) as server:
        for match, effect in faults:
            server.fault(name, match, effect)
        done = run_python(_WATCHED, program, cwd=tmp_path, env={**os.environ, **server.env})
        assert done.returncode == 0, done.stderr
        assert server.unfired() == []
    loaded = [module for module in json.loads(done.stdout) if module.split(".")[0] in ("smartxfer", "attr", "attrs", "cattrs")]
    assert loaded == []
