"""SmartFile benchmark of smartxfer."""

import json
import os
import sys
import tempfile
from typing import Any, Callable, Dict

from benchmarks.measure import measure_in_child


def prepare(operation: str, settings: Dict[str, Any]) -> Callable[[], Any]:
    """Connect a client, and return the function to measure."""
    from smartxfer import BasicClient

    os.environ["SMARTXFER_STATE_DIR"] = tempfile.mkdtemp(prefix="state-", dir=settings["work_dir"])
    client = BasicClient(settings["key"], settings["password"], url=settings["url"])
    client.get("/ping")
    if operation == "up":
        return lambda: client.upload(settings["file"], "/" + settings["name"])
    return lambda: client.download("/" + settings["name"], settings["into"])


if __name__ == "__main__":
    measure_in_child(lambda: prepare(sys.argv[1], json.loads(sys.argv[2])))
