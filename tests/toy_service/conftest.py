"""A sixth service, to show what a new one takes."""

from __future__ import annotations

import sys
from pathlib import Path

# importlib mode leaves sys.path alone; appended, so that no directory hides a module of Python's own.
sys.path.append(str(Path(__file__).parent))
