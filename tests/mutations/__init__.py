"""One-line mutations of the client, each of which breaks a promise of ``docs/promises.rst``, and the script that runs them."""
