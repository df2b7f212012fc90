"""The server's side of the JetStream benchmark: one process for all, ended by its standard input."""

import json
import sys

from smartxfer import JetStream
from smartxfer.local import LocalServer

if __name__ == "__main__":
    with LocalServer(sys.argv[1]) as server:
        near, far = server.jetstream, server.jetstream_peer
        near.write("/run1/reads.bin", bytes(100_000))
        login = {"user": near.user, "password": near.password}
        with JetStream().api(near.host, near.port, **login) as api:
            transfer = api.send_files("/run1", (far.host, far.port))
        given = {"url": near.url, **login, "transfer": transfer.transfer_id, "manifest": transfer.manifest_id}
        print(json.dumps(given), flush=True)
        sys.stdin.read()
