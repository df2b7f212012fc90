"""Server of the SmartFile benchmark, which runs until its standard input is closed."""

import json
import sys

from smartxfer.local import LocalServer

if __name__ == "__main__":
    with LocalServer(sys.argv[1]) as server:
        site = server.smartfile
        print(json.dumps({"url": site.url, "key": site.key, "password": site.password}), flush=True)
        sys.stdin.read()
