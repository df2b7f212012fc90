"""SmartFile benchmark of the package smartfile."""

import json
import os
import sys
from typing import Any, Callable, Dict

from benchmarks.measure import measure_in_child


def prepare(operation: str, settings: Dict[str, Any]) -> Callable[[], Any]:
    """Connect a client, and return the function to measure."""
    import smartfile

    client = smartfile.BasicClient(settings["key"], settings["password"], url=settings["url"] + "/")
    client.get("/ping")
    if operation == "up":
        return lambda: _upload(client, settings["name"], settings["file"])
    # It writes to the file's path on the server, relative to the working directory.
    os.chdir(settings["into"])
    return lambda: client.download(settings["name"])


def _upload(client: Any, name: str, path: str) -> None:
    with open(path, "rb") as file:
        client.upload(name, file)


if __name__ == "__main__":
    measure_in_child(lambda: prepare(sys.argv[1], json.loads(sys.argv[2])))
