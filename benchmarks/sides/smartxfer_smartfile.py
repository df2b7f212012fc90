"""Our side of the SmartFile benchmark."""

import json
import os
import sys
import tempfile
from typing import Any, Callable, Dict

from benchmarks.measure import report_from_child


def prepare(work: str, given: Dict[str, Any]) -> Callable[[], Any]:
    """A client that has said hello, and the work to be timed."""
    from smartxfer import BasicClient

    os.environ["SMARTXFER_STATE_DIR"] = tempfile.mkdtemp(prefix="state-", dir=given["room"])
    client = BasicClient(given["key"], given["password"], url=given["url"])
    client.get("/ping")
    if work == "up":
        return lambda: client.upload(given["file"], "/" + given["name"])
    return lambda: client.download("/" + given["name"], given["into"])


if __name__ == "__main__":
    report_from_child(lambda: prepare(sys.argv[1], json.loads(sys.argv[2])))
