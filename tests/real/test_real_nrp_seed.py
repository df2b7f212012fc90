"""The code blocks of the NRP page, as in tests/seeds, against a running InvenioRDM."""

from __future__ import annotations

from typing import Any

import pytest

pytest.register_assert_rewrite("test_nrp_seed", "test_nrp_seed_entries", "test_nrp_seed_workflows")

from smartxfer.errors import BadRequest  # noqa: E402
from smartxfer.nrp import DraftWarning  # noqa: E402
from tests.seeds.test_nrp_seed import *  # noqa: E402, F403
from tests.seeds.test_nrp_seed_entries import *  # noqa: E402, F403
from tests.seeds.test_nrp_seed_entries import TestUpdating as _TestUpdating  # noqa: E402
from tests.seeds.test_nrp_seed_workflows import *  # noqa: E402, F403
from tests.seeds.test_nrp_seed_workflows import test_upload_multiple_files_and_publish as _publishing  # noqa: E402


def test_upload_multiple_files_and_publish(repository: Any, client: Any, root: str, local: Any) -> None:
    """The page's record lacks what the schema of InvenioRDM demands: the refusal names it."""
    with pytest.warns(DraftWarning, match="creators"), pytest.raises(BadRequest) as caught:
        _publishing(repository, client, root, local)
    fields = [problem["field"] for problem in caught.value.errors]
    assert "metadata.publication_date" in fields


class TestUpdating(_TestUpdating):  # type: ignore[misc]
    """Updating File Metadata."""

    def test_bulk(self, client: Any, record: Any) -> None:
        """The page's loop; what the repository says of an archive stays."""
        for file in client.files.list(record):
            file.metadata.update({"license": "CC-BY-4.0"})
            client.files.update(file)
        found = {file.key: file.metadata for file in client.files.list(record)}
        assert found["data.csv"] == {"description": "About data.csv", "license": "CC-BY-4.0"}
        assert found["large-file.zip"]["license"] == "CC-BY-4.0"
        assert len(found["large-file.zip"]) == 3
