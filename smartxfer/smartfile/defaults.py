"""Default values of parameters of the clients."""

__all__ = ["DEFAULT_URL", "TASK_TIMEOUT"]

DEFAULT_URL = "https://app.smartfile.com"
#: Maximum time to wait for a task, in seconds.
TASK_TIMEOUT = 393.0
