"""Perseus benchmark of the package perseus-client."""

import json
import os
import sys
from typing import Any, Callable, Dict, Tuple

from benchmarks.measure import measure_in_child


def prepare(settings: Dict[str, Any]) -> Tuple[Any, Callable[[], Any]]:
    """Connect a client, and return it with the function to measure."""
    os.environ.update(PERSEUS_API_KEY=settings["key"], LOGLEVEL="ERROR")  # read by the import
    from perseus_client import PerseusClient

    client = PerseusClient(api_host=settings["url"])
    client.__enter__()
    client.file.find_file("hello")
    return client, lambda: client.file.upload_file(settings["file"])


if __name__ == "__main__":
    client, work = prepare(json.loads(sys.argv[2]))
    measure_in_child(lambda: work)
    client.close()
