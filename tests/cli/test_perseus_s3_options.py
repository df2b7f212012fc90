"""``smartxfer serve --perseus-s3-...``: options that are refused before the server starts."""

from __future__ import annotations

from typing import Any, Tuple

import pytest


@pytest.mark.parametrize("url", ["rclone", "127.0.0.1:9000", "ftp://127.0.0.1/", "http://", "http://h/?a=b"])
def test_what_is_no_address(run: Any, url: str) -> None:
    done = run("serve", "--perseus-s3-endpoint", url).fails(2, "--perseus-s3-endpoint", "http://HOST:PORT")
    assert done.out == ""


@pytest.mark.parametrize("words", [("--perseus-s3-bucket", "b"), ("--perseus-s3-key", "k")])
def test_without_a_server(run: Any, words: Tuple[str, ...]) -> None:
    done = run("serve", *words).fails(2, "--perseus-s3-endpoint")
    assert done.out == ""
