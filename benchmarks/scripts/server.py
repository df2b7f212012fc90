"""The server's side: one process for all, its limits raised, ended by its standard input."""

import json
import sys

from smartxfer.local import LocalServer

if __name__ == "__main__":
    given = json.loads(sys.argv[1])
    with LocalServer(given["data"], filesender=given["filesender"]) as server:
        site = server.filesender
        print(json.dumps({"url": site.url, "username": site.username, "api_key": site.api_key}), flush=True)
        sys.stdin.read()
