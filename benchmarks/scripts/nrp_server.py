"""Server of the NRP benchmark, which runs until its standard input is closed."""

import json
import sys

from smartxfer.local import LocalServer

if __name__ == "__main__":
    # Disable the rate limit, because its waits would be measured.
    with LocalServer(sys.argv[1], nrp={"rate_limit": 0}) as server:
        print(json.dumps({"url": server.nrp.url, "token": server.nrp.token}), flush=True)
        sys.stdin.read()
