"""NRP benchmark of smartxfer."""

import json
import os
import sys
import tempfile
from typing import Any, Callable, Dict

from benchmarks.measure import measure_in_child


def prepare(operation: str, settings: Dict[str, Any]) -> Callable[[], Any]:
    """Connect a client, and return the function to measure."""
    from smartxfer.nrp import get_client

    os.environ["SMARTXFER_STATE_DIR"] = tempfile.mkdtemp(prefix="state-", dir=settings["work_dir"])
    client = get_client(settings["url"], token=settings["token"], **settings["client_options"])
    draft = client.records.draft_records.read(settings["record"])
    if operation == "up":
        key, file, options = settings["key"], settings["file"], settings["upload_options"]
        return lambda: client.files.upload(draft, key, {}, file, **options)
    return lambda: client.files.download(draft, settings["key"], settings["file"])


if __name__ == "__main__":
    measure_in_child(lambda: prepare(sys.argv[1], json.loads(sys.argv[2])))
