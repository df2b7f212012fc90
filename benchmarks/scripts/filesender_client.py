"""FileSender benchmark of the package filesender-client."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any, Callable, Dict

from benchmarks.measure import measure_in_child


def prepare(operation: str, settings: Dict[str, Any]) -> Callable[[], Any]:
    """Connect a client, and return the function to measure."""
    from filesender import FileSenderClient, UserAuth

    loop = asyncio.new_event_loop()
    client = FileSenderClient(settings["url"], auth=UserAuth(settings["username"], settings["api_key"]))
    loop.run_until_complete(client.prepare())
    if operation == "up":
        files = [Path(name) for name in settings["files"]]
        return lambda: loop.run_until_complete(client.upload_workflow(files, {"from": "me@example.org"}))
    return lambda: loop.run_until_complete(client.download_files(settings["token"], Path(settings["into"])))


if __name__ == "__main__":
    measure_in_child(lambda: prepare(sys.argv[1], json.loads(sys.argv[2])))
