"""Server of the FileSender benchmark with raised limits, which runs until its standard input is closed."""

import json
import sys

from smartxfer.local import LocalServer

if __name__ == "__main__":
    settings = json.loads(sys.argv[1])
    with LocalServer(settings["data"], filesender=settings["filesender"]) as server:
        site = server.filesender
        print(json.dumps({"url": site.url, "username": site.username, "api_key": site.api_key}), flush=True)
        sys.stdin.read()
