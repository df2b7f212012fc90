"""Construction of the local server for the commands, with faults from their options."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Mapping, Optional, Sequence

import click

from smartxfer.errors import UsageError

if TYPE_CHECKING:
    from smartxfer.local import LocalServer

__all__ = ["fault_option", "make_server", "plan_fault"]

_FAULT_PATTERN = re.compile(
    r"\s*(?P<service>\S+)\s+(?P<match>\S+\s+\S+)\s+(?P<effect>\S.*?)"
    r"(?P<counts>(?:\s+(?:times|after)=\S+)*)\s*"
)

_FAULT_HINT = "use --fault 'SERVICE METHOD /path EFFECT [times=N|always] [after=N]'"

fault_option = click.option(
    "--fault",
    "faults",
    multiple=True,
    metavar="SPEC",
    help="Plan a fault: 'filesender METHOD /path EFFECT [times=N|always] [after=N]', such as "
    "'filesender PUT /rest.php/file/*/chunk/* reset-after 256K times=2'. May be repeated.",
)


def make_server(
    faults: Sequence[str] = (),
    *,
    data: Optional[Path] = None,
    export: Optional[Path] = None,
    host: str = "127.0.0.1",
    allow_remote: bool = False,
    **options: Optional[Mapping[str, Any]],
) -> "LocalServer":
    """Return a local server with planned faults, which is not started.

    :param faults: values of ``--fault``.
    :param options: options of each service by its name, ``filesender={...}``.
    :raises UsageError: werkzeug is missing, or an option or a fault is invalid.
    """
    try:
        import werkzeug  # noqa: F401 - check that it is installed
    except ImportError:
        raise UsageError("the local server needs werkzeug", hint='pip install "smartxfer[local]"') from None
    from smartxfer.local import LocalServer

    server = LocalServer(data, export=export, host=host, allow_remote=allow_remote, **options)
    try:
        for spec in faults:
            plan_fault(server, spec)
    except BaseException:
        server.stop()
        raise
    return server


def plan_fault(server: "LocalServer", spec: str) -> None:
    """Plan one fault.

    :param spec: ``"SERVICE METHOD /path EFFECT [times=N|always] [after=N]"``; ``times`` is 1 by default.
    :raises UsageError: it is invalid.
    """
    match = _FAULT_PATTERN.fullmatch(spec)
    if match is None:
        raise UsageError(f"invalid fault {spec!r}", hint=_FAULT_HINT)
    counts = {"times": "1", "after": "0"}
    for item in match.group("counts").split():
        name, _, count = item.partition("=")
        counts[name] = count
    server.fault(
        match.group("service"),
        " ".join(match.group("match").split()),
        match.group("effect"),
        times=None if counts["times"] == "always" else _parse_count(counts["times"], spec),
        after=_parse_count(counts["after"], spec),
    )


def _parse_count(text: str, spec: str) -> int:
    if not text.isdecimal():
        raise UsageError(f"invalid fault {spec!r}: {text!r} is not a number", hint=_FAULT_HINT)
    return int(text)
