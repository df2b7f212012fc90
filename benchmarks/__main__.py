"""``python -m benchmarks NAME``: run one benchmark and print its tables."""

import argparse
import importlib
import sys

NAMES = ["delta", "filesender", "import", "jetstream", "nrp", "perseus", "smartfile"]
#: Modules whose name differs from that of the benchmark, because ``import`` is a keyword.
MODULES = {"import": "import_time"}


def main() -> int:
    """Run a benchmark and return its exit code, which is 1 if a value is not within its limit."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("name", choices=NAMES)
    parser.add_argument("--runs", type=int, default=5, help="interleaved runs of each client (default 5)")
    parser.add_argument("--size", type=int, default=256, help="MiB of the large file (default 256)")
    parser.add_argument(
        "--encrypted", action="store_true", help="filesender: compare encrypted with unencrypted transfers"
    )
    options = parser.parse_args()
    if options.encrypted and options.name != "filesender":
        parser.error("--encrypted can only be used with filesender")
    name = MODULES.get(options.name, options.name)
    module = importlib.import_module(f"benchmarks.{name}{'_encrypted' * options.encrypted}")
    return int(module.run(options.runs, options.size * 1024 * 1024))


if __name__ == "__main__":
    sys.exit(main())
