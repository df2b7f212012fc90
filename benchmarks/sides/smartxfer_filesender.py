"""Our side of the FileSender benchmark."""

import json
import os
import sys
import tempfile
from typing import Any, Callable, Dict

from benchmarks.measure import report_from_child


def prepare(work: str, given: Dict[str, Any]) -> Callable[[], Any]:
    """A client that has said hello, and the work to be timed."""
    from smartxfer import FileSenderClient, UserAuth

    os.environ["SMARTXFER_STATE_DIR"] = tempfile.mkdtemp(prefix="smartxfer-bench-")
    client = FileSenderClient(
        given["url"], auth=UserAuth(given["username"], given["api_key"]), **given.get("options", {})
    )
    client.prepare()
    sealed = {"password": given["password"]} if "password" in given else {}
    if sealed:  # like requests, it is there before the clock starts
        import cryptography.exceptions
        import cryptography.hazmat.primitives.ciphers
        import cryptography.hazmat.primitives.padding  # noqa: F401
    if work == "up":
        return lambda: client.upload_workflow(given["files"], {"from": "me@example.org"}, **sealed)
    return lambda: client.download_files(given["token"], given["into"], **sealed)


if __name__ == "__main__":
    report_from_child(lambda: prepare(sys.argv[1], json.loads(sys.argv[2])))
