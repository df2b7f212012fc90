"""Send a directory to SmartFile; after Ctrl-C, a crash or a lost connection, the same command resumes.

    python smartfile_tree.py results /run1

Credentials are read from SMARTFILE_API_KEY and SMARTFILE_API_PASSWORD, or from netrc.
"""

import sys

from smartxfer import BasicClient, SmartxferError

directory, remote = sys.argv[1:]

with BasicClient() as api:
    try:
        results = api.upload_tree(directory, remote, checksum="sha256", progress="sending")
    except SmartxferError as error:
        sys.exit(f"stopped, run the same command again to resume: {error}")

for result in results:
    print(f"{result.name}  {result.bytes} bytes, {result.resumed} of them from an earlier run")
