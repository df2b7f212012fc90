"""JetStream benchmark of smartxfer."""

import json
import os
import sys
import tempfile
from typing import Any, Callable, Dict

from benchmarks.measure import measure_in_child


def prepare(settings: Dict[str, Any]) -> Callable[[], Any]:
    """Log in, and return the function to measure."""
    from smartxfer import JetStream

    os.environ["SMARTXFER_STATE_DIR"] = tempfile.mkdtemp(prefix="state-", dir=settings["work_dir"])
    api = JetStream().api(settings["url"], user=settings["user"], password=settings["password"])
    api.connect()
    transfer, manifest = settings["transfer"], settings["manifest"]

    def work() -> None:
        for _ in range(settings["rounds"]):
            api.server.echo("ACGT")
            api.send.getManifest(manifest)
            api.send.getTransfer(transfer)
            api.send.getDestinations()

    return work


if __name__ == "__main__":
    measure_in_child(lambda: prepare(json.loads(sys.argv[2])))
