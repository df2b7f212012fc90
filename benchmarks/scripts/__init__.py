"""Programs that the benchmarks run in child processes: compared clients and servers."""
