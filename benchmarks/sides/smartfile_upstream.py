"""The upstream client's side of the SmartFile benchmark: the package smartfile."""

import json
import os
import sys
from typing import Any, Callable, Dict

from benchmarks.measure import report_from_child


def prepare(work: str, given: Dict[str, Any]) -> Callable[[], Any]:
    """A client that has said hello, and the work to be timed."""
    import smartfile

    client = smartfile.BasicClient(given["key"], given["password"], url=given["url"] + "/")
    client.get("/ping")
    if work == "up":
        return lambda: _up(client, given["name"], given["file"])
    # It writes to the path that the file has on the server, seen from where it runs.
    os.chdir(given["into"])
    return lambda: client.download(given["name"])


def _up(client: Any, name: str, path: str) -> None:
    with open(path, "rb") as file:
        client.upload(name, file)


if __name__ == "__main__":
    report_from_child(lambda: prepare(sys.argv[1], json.loads(sys.argv[2])))
