"""A small directory for tests of trees: two CSV files, one of them deeper, and two files to leave out."""

from __future__ import annotations

from pathlib import Path


def make_tree(root: Path) -> Path:
    """Make files that contain their own names; return the directory."""
    for name in ("a.csv", "b.txt", "run/c.csv", "tmp/d.csv"):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    return root
