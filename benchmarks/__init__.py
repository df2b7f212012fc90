"""Benchmarks that compare smartxfer with other clients in one run: ``python -m benchmarks NAME``."""
