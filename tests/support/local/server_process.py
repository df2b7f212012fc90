"""A local server in a process of its own, which is killed."""

import json
import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Iterator

__all__ = ["served"]

SERVE = """
import json, sys
from smartxfer.local import LocalServer
data, service, names, options = sys.argv[1:]
server = LocalServer(data, services=[service], **{service: json.loads(options)}).start()
print(json.dumps({name: getattr(server.services[service], name) for name in names.split()}), flush=True)
sys.stdin.read()
"""


@contextmanager
def served(data: Path, service: str, names: str, **options: Any) -> Iterator[Any]:
    """Start a server; yield attributes of its service. At the end of the block the process gets SIGKILL."""
    popen = subprocess.Popen(
        [sys.executable, "-c", SERVE, str(data), service, names, json.dumps(options)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=str(data.parent),
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    try:
        assert popen.stdout is not None
        yield SimpleNamespace(**json.loads(popen.stdout.readline()))
    finally:
        popen.send_signal(signal.SIGKILL)
        with popen:
            popen.wait(10)
