"""FileSender benchmark of smartxfer."""

import json
import os
import sys
import tempfile
from typing import Any, Callable, Dict

from benchmarks.measure import measure_in_child


def prepare(operation: str, settings: Dict[str, Any]) -> Callable[[], Any]:
    """Connect a client, and return the function to measure."""
    from smartxfer import FileSenderClient, UserAuth

    os.environ["SMARTXFER_STATE_DIR"] = tempfile.mkdtemp(prefix="smartxfer-bench-")
    client = FileSenderClient(
        settings["url"],
        auth=UserAuth(settings["username"], settings["api_key"]),
        **settings.get("options", {}),
    )
    client.prepare()
    password = {"password": settings["password"]} if "password" in settings else {}
    if password:  # import it before the measurement, as requests
        import cryptography.exceptions
        import cryptography.hazmat.primitives.ciphers
        import cryptography.hazmat.primitives.padding  # noqa: F401
    if operation == "up":
        return lambda: client.upload_workflow(settings["files"], {"from": "me@example.org"}, **password)
    return lambda: client.download_files(settings["token"], settings["into"], **password)


if __name__ == "__main__":
    measure_in_child(lambda: prepare(sys.argv[1], json.loads(sys.argv[2])))
