"""Our side of the NRP benchmark."""

import json
import os
import sys
import tempfile
from typing import Any, Callable, Dict

from benchmarks.measure import report_from_child


def prepare(work: str, given: Dict[str, Any]) -> Callable[[], Any]:
    """A client that has said hello, and the work to be timed."""
    from smartxfer.nrp import get_client

    os.environ["SMARTXFER_STATE_DIR"] = tempfile.mkdtemp(prefix="state-", dir=given["room"])
    client = get_client(given["url"], token=given["token"], **given["options"])
    draft = client.records.draft_records.read(given["record"])
    if work == "up":
        return lambda: client.files.upload(draft, given["key"], {}, given["file"], **given["how"])
    return lambda: client.files.download(draft, given["key"], given["file"])


if __name__ == "__main__":
    report_from_child(lambda: prepare(sys.argv[1], json.loads(sys.argv[2])))
