"""Our side of the NRP benchmark."""

import json
import os
import sys
import tempfile
from typing import Any, Callable, Dict

from benchmarks.measure import measure_in_child


def prepare(operation: str, settings: Dict[str, Any]) -> Callable[[], Any]:
    """A client that has said hello, and the work to be timed."""
    from smartxfer.nrp import get_client

    os.environ["SMARTXFER_STATE_DIR"] = tempfile.mkdtemp(prefix="state-", dir=settings["room"])
    client = get_client(settings["url"], token=settings["token"], **settings["options"])
    draft = client.records.draft_records.read(settings["record"])
    if operation == "up":
        return lambda: client.files.upload(draft, settings["key"], {}, settings["file"], **settings["how"])
    return lambda: client.files.download(draft, settings["key"], settings["file"])


if __name__ == "__main__":
    measure_in_child(lambda: prepare(sys.argv[1], json.loads(sys.argv[2])))
