"""Our side of the JetStream benchmark."""

import json
import os
import sys
import tempfile
from typing import Any, Callable, Dict

from benchmarks.measure import report_from_child


def prepare(given: Dict[str, Any]) -> Callable[[], Any]:
    """A connection that is logged in, and the work to be timed."""
    from smartxfer import JetStream

    os.environ["SMARTXFER_STATE_DIR"] = tempfile.mkdtemp(prefix="state-", dir=given["room"])
    api = JetStream().api(given["url"], user=given["user"], password=given["password"])
    api.connect()
    transfer, manifest = given["transfer"], given["manifest"]

    def work() -> None:
        for _ in range(given["rounds"]):
            api.server.echo("ACGT")
            api.send.getManifest(manifest)
            api.send.getTransfer(transfer)
            api.send.getDestinations()

    return work


if __name__ == "__main__":
    report_from_child(lambda: prepare(json.loads(sys.argv[2])))
