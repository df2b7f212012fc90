"""The local server: all services, each on its own loopback address."""

import os
import shlex
import tempfile
from typing import TYPE_CHECKING, Any, Dict, Iterable, List, Mapping, Optional, Tuple, Type, Union

from smartxfer.errors import UsageError
from smartxfer.local.data_directory import DataDirectory
from smartxfer.local.faults import Fault, FaultRegistry
from smartxfer.local.filesender import FileSender
from smartxfer.local.jetstream import JetStream, JetStreamPeer
from smartxfer.local.loopback import is_loopback
from smartxfer.local.nrp import NRP
from smartxfer.local.object_store import private_directory
from smartxfer.local.perseus import Perseus
from smartxfer.local.service import Service
from smartxfer.local.smartfile import SmartFile

#: Every service, in the order of start.
SERVICES: Tuple[Type[Service], ...] = (FileSender, SmartFile, NRP, Perseus, JetStream, JetStreamPeer)


class LocalServer:
    """Runs the services on loopback.

    :param data: directory for objects and metadata, which survive a restart. None: a temporary one,
        removed by :meth:`stop`.
    :param services: names of those to run, such as ``["nrp"]``. None: all of them.
    :param host: address to bind.
    :param allow_remote: permit an address that is not loopback.
    :param export: file for shell ``export`` lines (mode 0600), written once every service runs.
    :param options: options of each service by its name: ``filesender={...}`` as in
        :class:`smartxfer.local.filesender.Site`, ``smartfile={...}`` as in
        :class:`smartxfer.local.smartfile.Site`, ``nrp={...}`` as in
        :class:`smartxfer.local.nrp.Site`, ``perseus={...}`` as in
        :class:`smartxfer.local.perseus.Site`, ``jetstream={...}`` and ``jetstream_peer={...}`` as in
        :class:`smartxfer.local.jetstream.Site`.
    :raises UsageError: an option or a service is unknown, the host is not loopback, or it cannot be bound.
    """

    filesender: FileSender
    smartfile: SmartFile
    nrp: NRP
    perseus: Perseus
    jetstream: JetStream
    jetstream_peer: JetStreamPeer

    def __init__(
        self,
        data: "Union[str, os.PathLike[str], None]" = None,
        *,
        services: Optional[Iterable[str]] = None,
        host: str = "127.0.0.1",
        allow_remote: bool = False,
        export: "Union[str, os.PathLike[str], None]" = None,
        **options: Optional[Mapping[str, Any]],
    ) -> None:
        requested = _services_to_run(services, options)
        if not allow_remote and not is_loopback(host):
            raise UsageError(
                f"{host} is not a loopback address, and the local server is not secured",
                hint="pass allow_remote=True to make it reachable from other machines",
            )
        self._export = _check_path(export) if export is not None else None
        self._faults = FaultRegistry()
        self._temporary: Optional[DataDirectory] = None
        if data is None:
            self._temporary = DataDirectory()
            self.data: str = self._temporary.path
        else:
            self.data = private_directory(_check_path(data))
        self._state = "new"
        #: The services by name.
        self.services: Dict[str, Service] = {}
        try:
            for service in requested:
                instance = service(
                    options.get(service.name), host=host, data=os.path.join(self.data, service.name),
                    faults=self._faults,
                )
                self.services[service.name] = instance
                setattr(self, service.name, instance)
        except BaseException:
            for running in self.services.values():
                running.stop(running=False)
            self._clean()
            raise

    if not TYPE_CHECKING:  # it would make every name an attribute

        def __getattr__(self, name: str) -> Any:
            """Explain a service that does not run."""
            if name in (service.name for service in SERVICES):
                raise AttributeError(f"this local server does not run {name}: name it in services=")
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    @property
    def env(self) -> Dict[str, str]:
        """Environment variables that point clients at every service."""
        merged: Dict[str, str] = {}
        for service in self.services.values():
            merged.update(service.env)
        return merged

    def __repr__(self) -> str:
        return f"<LocalServer, {self._state}: {', '.join(self.services)}>"

    def start(self) -> "LocalServer":
        """Start every service; they accept requests when this returns."""
        if self._state != "new":
            raise UsageError("a local server can be started only once", hint="create another LocalServer()")
        self._state = "running"
        for service in self.services.values():
            service.start()
        if self._export is not None:
            _write_export(self._export, self.env)
        return self

    def stop(self) -> None:
        """Stop every service, and remove threads, sockets and the temporary directory."""
        if self._state == "stopped":
            return
        running, self._state = self._state == "running", "stopped"
        self._faults.clear()
        for service in self.services.values():
            service.stop(running=running)
        self._clean()

    def _clean(self) -> None:
        if self._temporary is not None:
            self._temporary.close()

    def __enter__(self) -> "LocalServer":
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def fault(
        self, service: str, match: str, effect: str, *, times: Optional[int] = 1, after: int = 0
    ) -> Fault:
        """Plan a fault; the language is described in :mod:`smartxfer.local.faults`.

        :param service: name of a service, such as ``"filesender"``.
        :param match: method and path pattern, such as ``"PUT /rest.php/file/*/chunk/*"``.
        :param effect: its effect, such as ``"reset-after 256K"``.
        :param times: how often; None for always.
        :param after: number of matches to skip before the first one.
        :raises UsageError: the service is unknown, or match or effect is invalid.
        """
        if service not in self.services:
            raise UsageError(
                f"the server has no service {service!r}", hint=f"pass one of: {', '.join(self.services)}"
            )
        return self._faults.plan(service, match, effect, times=times, after=after)

    @property
    def faults(self) -> List[Fault]:
        """The planned faults."""
        return self._faults.faults

    def unfired(self) -> List[Fault]:
        """Faults that did not take effect as often as planned."""
        return self._faults.unfired()

    def clear_faults(self) -> None:
        """Remove every fault and release the connections that one holds up."""
        self._faults.clear()


def _services_to_run(services: Optional[Iterable[str]], options: Mapping[str, Any]) -> List[Type[Service]]:
    """Return the services to run.

    :raises UsageError: a name is unknown, or a service that does not run has options.
    """
    known = [service.name for service in SERVICES]
    if isinstance(services, str):
        raise UsageError(
            f"services must be a list of names, not {services!r}", hint=f"pass services=[{services!r}]"
        )
    names = known if services is None else list(services)
    unknown = sorted({*names, *options} - set(known))
    if unknown:
        raise UsageError(
            f"unknown service: {', '.join(unknown)}", hint=f"pass one or more of: {', '.join(known)}"
        )
    if not names:
        raise UsageError("services is an empty list", hint="leave out services= to run all of them")
    idle = [name for name in options if name not in names]
    if idle:
        raise UsageError(
            f"services= leaves out {', '.join(idle)}, which has options",
            hint="add it to services=, or leave out its options",
        )
    return [service for service in SERVICES if service.name in names]


def _check_path(path: "Union[str, os.PathLike[str]]") -> str:
    """Return the path of a directory or file to write to, ``~/`` expanded.

    :raises UsageError: ``~`` alone, another user's, or a home directory that is unknown.
    """
    text = os.fspath(path)
    if not text.startswith("~") or (text.startswith("~/") and os.path.lexists(text)):
        return text
    expanded = os.path.expanduser(text)
    if not text.startswith("~/") or not os.path.isabs(expanded):
        raise UsageError(f"{text!r} is not expanded to a home directory", hint="give the path in full")
    return expanded


def _write_export(path: str, env: Mapping[str, str]) -> None:
    """Write ``export`` lines atomically, readable by the owner only."""
    lines = [f"export {name}={_shell_quote(value)}\n" for name, value in env.items()]
    directory = os.path.dirname(path) or "."
    # mkstemp makes it with mode 0600.
    descriptor, temporary = tempfile.mkstemp(dir=directory, prefix=".export-")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.writelines(lines)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def _shell_quote(value: str) -> str:
    quoted = shlex.quote(value)
    return quoted if quoted.startswith("'") else f"'{value}'"
