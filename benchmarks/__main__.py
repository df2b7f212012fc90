"""``python -m benchmarks NAME``: run one benchmark and print its tables."""

import argparse
import importlib
import sys

NAMES = ["delta", "filesender", "import", "jetstream", "nrp", "perseus", "smartfile"]
#: Modules whose name is another, because the benchmark's is a word of Python.
MODULES = {"import": "importing"}


def main() -> int:
    """Run the benchmark that is named; the exit code is 1 when a figure is out of reach."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("name", choices=NAMES)
    parser.add_argument("--runs", type=int, default=5, help="interleaved runs of each side (default 5)")
    parser.add_argument("--size", type=int, default=256, help="MiB of the large file (default 256)")
    parser.add_argument("--encrypted", action="store_true", help="filesender: encrypted beside unencrypted")
    options = parser.parse_args()
    if options.encrypted and options.name != "filesender":
        parser.error("--encrypted is for filesender")
    name = MODULES.get(options.name, options.name)
    module = importlib.import_module(f"benchmarks.{name}{'_encrypted' * options.encrypted}")
    return int(module.run(options.runs, options.size * 1024 * 1024))


if __name__ == "__main__":
    sys.exit(main())
