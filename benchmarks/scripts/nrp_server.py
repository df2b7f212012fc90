"""The server's side of the NRP benchmark: one process for all, ended by its standard input."""

import json
import sys

from smartxfer.local import LocalServer

if __name__ == "__main__":
    # Nobody is asked to wait for the end of a minute.
    with LocalServer(sys.argv[1], nrp={"rate_limit": 0}) as server:
        print(json.dumps({"url": server.nrp.url, "token": server.nrp.token}), flush=True)
        sys.stdin.read()
