"""Server of the Perseus benchmark, which runs until its standard input is closed."""

import json
import sys

from smartxfer.local import LocalServer

if __name__ == "__main__":
    with LocalServer(sys.argv[1]) as server:
        print(json.dumps({"url": server.perseus.url, "key": server.perseus.api_key}), flush=True)
        sys.stdin.read()
