"""Create a draft in an NRP or Invenio repository, upload files to it, and publish it with --publish.

    python nrp_deposit.py "Reads of run 1" reads.fastq table.csv
    python nrp_deposit.py --publish "Reads of run 1" reads.fastq

The repository and its token are read from NRP_REPOSITORY_URL and NRP_TOKEN, or from nrp-cmd's configuration.
"""

import sys
import time

from smartxfer import SmartxferError
from smartxfer.nrp import get_client

arguments = sys.argv[1:]
publish = "--publish" in arguments
title, *files = [argument for argument in arguments if argument != "--publish"]

metadata = {
    "title": title,
    "resource_type": {"id": "dataset"},
    "publication_date": time.strftime("%Y-%m-%d"),
    "publisher": "Example University",
    "creators": [{"person_or_org": {"type": "personal", "family_name": "Doe", "given_name": "Jo"}}],
}

with get_client() as client:
    try:
        draft = client.records.create({"metadata": metadata, "files": {"enabled": True}}, strict=True)
        for file in client.files.upload_many(draft, files, progress="sending"):
            print(f"{file.key}  {file.size} bytes, {file.checksum}")
        record = client.records.publish(draft) if publish else draft
    except SmartxferError as error:
        sys.exit(f"not deposited: {error}")

print(record.links.self_html or record.id)
