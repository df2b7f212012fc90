"""Perseus benchmark of smartxfer."""

import json
import os
import sys
import tempfile
from typing import Any, Callable, Dict

from benchmarks.measure import measure_in_child


def prepare(settings: Dict[str, Any]) -> Callable[[], Any]:
    """Connect a client, and return the function to measure."""
    from smartxfer.perseus import PerseusClient

    os.environ["SMARTXFER_STATE_DIR"] = tempfile.mkdtemp(prefix="state-", dir=settings["work_dir"])
    client = PerseusClient(settings["url"], api_key=settings["key"])
    client.file.find_file("hello")
    return lambda: client.file.upload_file(settings["file"])


if __name__ == "__main__":
    measure_in_child(lambda: prepare(json.loads(sys.argv[2])))
