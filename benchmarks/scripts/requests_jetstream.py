"""JetStream benchmark of a plain ``requests.Session`` that posts the same JSON."""

import json
import sys
from typing import Any, Callable, Dict

from benchmarks.measure import measure_in_child


def prepare(settings: Dict[str, Any]) -> Callable[[], Any]:
    """Log in, and return the function to measure."""
    import requests

    session = requests.Session()
    url, count = settings["url"] + "/jsonrpc", 0

    def call(method: str, params: Dict[str, Any]) -> Any:
        nonlocal count
        count += 1
        body = {"jsonrpc": "2.0", "id": f"bare-{count}", "method": method, "params": params}
        return session.post(url, json=body).json()["result"]

    call("auth", {"user": settings["user"], "password": settings["password"]})
    transfer, manifest = settings["transfer"], settings["manifest"]

    def work() -> None:
        for _ in range(settings["rounds"]):
            call("echo", {"text": "ACGT"})
            call("send.getManifest", {"manifestId": manifest})
            call("send.getTransfer", {"transferId": transfer})
            call("send.getDestinations", {})

    return work


if __name__ == "__main__":
    measure_in_child(lambda: prepare(json.loads(sys.argv[2])))
