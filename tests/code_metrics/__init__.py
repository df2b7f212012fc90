"""Size and shape of the code: ``python -m tests.code_metrics``."""
