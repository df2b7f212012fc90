"""A random soak over all services: ``python -m tests.soak --seconds 60 --seed 1``.

Many transfers to and from the local server are broken on purpose, by signals, faults of the server, its
sudden end, a full disk, a source that changes; each is run again until it is done, then every file is compared.
``docs/soak.rst`` describes the columns, and how to repeat a failure.
"""
