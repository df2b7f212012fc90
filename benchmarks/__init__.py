"""Measurements that print both sides in one run: ``python -m benchmarks NAME``."""
