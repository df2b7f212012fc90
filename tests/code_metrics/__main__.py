"""Print the size of the code, the duplicate lines, and the modules that one transfer uses."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT))

from tests.code_metrics.main import main  # noqa: E402

if __name__ == "__main__":
    main(ROOT)
