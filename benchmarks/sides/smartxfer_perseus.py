"""Our side of the Perseus benchmark."""

import json
import os
import sys
import tempfile
from typing import Any, Callable, Dict

from benchmarks.measure import report_from_child


def prepare(given: Dict[str, Any]) -> Callable[[], Any]:
    """A client that has said hello, and the work to be timed."""
    from smartxfer.perseus import PerseusClient

    os.environ["SMARTXFER_STATE_DIR"] = tempfile.mkdtemp(prefix="state-", dir=given["room"])
    client = PerseusClient(given["url"], api_key=given["key"])
    client.file.find_file("hello")
    return lambda: client.file.upload_file(given["file"])


if __name__ == "__main__":
    report_from_child(lambda: prepare(json.loads(sys.argv[2])))
