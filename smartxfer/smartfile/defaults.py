"""Defaults that the signatures of the clients show."""

__all__ = ["DEFAULT_URL", "TASK_TIMEOUT"]

DEFAULT_URL = "https://app.smartfile.com"
#: Seconds after which a wait for a task is given up.
TASK_TIMEOUT = 393.0
