"""Run the soak.

``python tests/soak`` does the same as ``python -m tests.soak``, and does not mind another package ``tests``
among what is installed.
"""

import sys
from pathlib import Path

# As in conftest.py: appended, so that no directory hides a module of Python's own.
sys.path.append(str(Path(__file__).resolve().parent.parent))

from soak.main import main

if __name__ == "__main__":
    sys.exit(main())
