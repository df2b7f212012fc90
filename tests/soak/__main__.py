"""Run the soak.

``python tests/soak`` does the same as ``python -m tests.soak``, and does not mind another package ``tests``
among what is installed.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

from tests.soak.main import main

if __name__ == "__main__":
    sys.exit(main())
