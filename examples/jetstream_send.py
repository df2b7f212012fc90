"""Send files from one JetStream server to another, and wait until they have arrived.

    python jetstream_send.py files.example.org /data/run1 /data/notes.txt
    python jetstream_send.py --into /incoming files.example.org:8886 /data/run1

Paths are paths on the connected server, because this program does not transfer the bytes itself.  After
Ctrl-C, a crash or a lost connection, the same command continues the same transfer.  Server and login are from
JETSTREAM_API_HOST, JETSTREAM_API_PORT, JETSTREAM_API_USER and JETSTREAM_API_PASSWORD; the address is that of
`smartxfer jetstream-bridge`, or of `smartxfer serve`.
"""

import argparse
import sys

from smartxfer import JetStream, SmartxferError

parser = argparse.ArgumentParser()
parser.add_argument("to", help="host or host:port of the receiving server")
parser.add_argument("files", nargs="+", help="files and directories of the sending server")
parser.add_argument("--into", default="/", help="directory on the receiving server")
options = parser.parse_args()

try:
    with JetStream().api() as api:
        transfer = api.send_files(options.files, options.to, into=options.into, progress="sending")
except SmartxferError as error:
    sys.exit(f"not complete: {error}")

print(f"transfer {transfer.transfer_id} is {transfer.status}: {transfer.total_bytes} bytes")
