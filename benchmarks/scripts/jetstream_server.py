"""Server of the JetStream benchmark, which runs until its standard input is closed."""

import json
import sys

from smartxfer import JetStream
from smartxfer.local import LocalServer

if __name__ == "__main__":
    with LocalServer(sys.argv[1]) as server:
        site, peer = server.jetstream, server.jetstream_peer
        site.write("/run1/reads.bin", bytes(100_000))
        login = {"user": site.user, "password": site.password}
        with JetStream().api(site.host, site.port, **login) as api:
            transfer = api.send_files("/run1", (peer.host, peer.port))
        ids = {"transfer": transfer.transfer_id, "manifest": transfer.manifest_id}
        print(json.dumps({"url": site.url, **login, **ids}), flush=True)
        sys.stdin.read()
