"""The other side of the JetStream benchmark: the same JSON by a bare ``requests.Session``."""

import json
import sys
from typing import Any, Callable, Dict

from benchmarks.measure import report_from_child


def prepare(given: Dict[str, Any]) -> Callable[[], Any]:
    """A session that is logged in, and the work to be timed."""
    import requests

    session = requests.Session()
    url, count = given["url"] + "/jsonrpc", 0

    def call(method: str, params: Dict[str, Any]) -> Any:
        nonlocal count
        count += 1
        body = {"jsonrpc": "2.0", "id": f"bare-{count}", "method": method, "params": params}
        return session.post(url, json=body).json()["result"]

    call("auth", {"user": given["user"], "password": given["password"]})
    transfer, manifest = given["transfer"], given["manifest"]

    def work() -> None:
        for _ in range(given["rounds"]):
            call("echo", {"text": "ACGT"})
            call("send.getManifest", {"manifestId": manifest})
            call("send.getTransfer", {"transferId": transfer})
            call("send.getDestinations", {})

    return work


if __name__ == "__main__":
    report_from_child(lambda: prepare(json.loads(sys.argv[2])))
