"""The local server: every service that is built, each on its own loopback address."""

import os
import shlex
import tempfile
from typing import TYPE_CHECKING, Any, Dict, Iterable, List, Mapping, Optional, Tuple, Type, Union

from smartxfer.errors import UsageError
from smartxfer.local.data_directory import DataDirectory
from smartxfer.local.faults import Fault, FaultBook
from smartxfer.local.filesender import FileSender
from smartxfer.local.jetstream import JetStream, JetStreamPeer
from smartxfer.local.loopback import is_loopback
from smartxfer.local.nrp import NRP
from smartxfer.local.objects import private_directory
from smartxfer.local.perseus import Perseus
from smartxfer.local.service import Service
from smartxfer.local.smartfile import SmartFile

#: Every service, in the order in which they are started and shown.
SERVICES: Tuple[Type[Service], ...] = (FileSender, SmartFile, NRP, Perseus, JetStream, JetStreamPeer)


class LocalServer:
    """Runs the services on loopback.

    :param data: directory that keeps objects and metadata over a restart. None: a temporary one,
        removed by :meth:`stop`.
    :param services: names of those to run, such as ``["nrp"]``. None: all of them.
    :param host: address to bind.
    :param allow_remote: permit an address that is not loopback.
    :param export: file that gets shell ``export`` lines (mode 0600) once every service answers.
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
        wanted = _wanted(services, options)
        if not allow_remote and not is_loopback(host):
            raise UsageError(
                f"{host} is not a loopback address; the local server has no defences, "
                "say allow_remote=True to open it to others"
            )
        self._export = _target(export) if export is not None else None
        self._book = FaultBook()
        self._temporary: Optional[DataDirectory] = None
        if data is None:
            self._temporary = DataDirectory()
            self.data: str = self._temporary.path
        else:
            self.data = private_directory(_target(data))
        self._state = "new"
        #: The services by name.
        self.services: Dict[str, Service] = {}
        try:
            for service in wanted:
                made = service(
                    options.get(service.name),
                    host=host,
                    data=os.path.join(self.data, service.name),
                    faults=self._book,
                )
                self.services[service.name] = made
                setattr(self, service.name, made)
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
        """Begin to answer; when this returns every service does."""
        if self._state != "new":
            raise UsageError("a local server is started once")
        self._state = "running"
        for service in self.services.values():
            service.start()
        if self._export is not None:
            _write_export(self._export, self.env)
        return self

    def stop(self) -> None:
        """Stop answering; afterwards no thread, no socket, and no temporary directory is left."""
        if self._state == "stopped":
            return
        running, self._state = self._state == "running", "stopped"
        self._book.clear()
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
        :param effect: what goes wrong, such as ``"reset-after 256K"``.
        :param times: how often; None for always.
        :param after: matches to let pass first.
        :raises UsageError: the service is unknown, or match or effect are not understood.
        """
        if service not in self.services:
            raise UsageError("no such service: {!r}; there are {}".format(service, ", ".join(self.services)))
        return self._book.plan(service, match, effect, times=times, after=after)

    @property
    def faults(self) -> List[Fault]:
        """The planned faults."""
        return self._book.faults

    def unfired(self) -> List[Fault]:
        """Faults that did not take effect as often as planned."""
        return self._book.unfired()

    def clear_faults(self) -> None:
        """Forget every fault, and let those go on whom one holds up."""
        self._book.clear()


def _wanted(services: Optional[Iterable[str]], options: Mapping[str, Any]) -> List[Type[Service]]:
    """Return the services to run.

    :raises UsageError: a name is unknown, or a service that does not run has options.
    """
    known = [service.name for service in SERVICES]
    if isinstance(services, str):
        raise UsageError(f"services={services!r} is one name, not a list of names")
    names = known if services is None else list(services)
    unknown = sorted({*names, *options} - set(known))
    if unknown:
        raise UsageError("no such service: {}; there are {}".format(", ".join(unknown), ", ".join(known)))
    if not names:
        raise UsageError("services=[] runs nothing")
    idle = [name for name in options if name not in names]
    if idle:
        raise UsageError("services= leaves out {}, which has options".format(", ".join(idle)))
    return [service for service in SERVICES if service.name in names]


def _target(path: "Union[str, os.PathLike[str]]") -> str:
    """Return the path of a directory or file to write to, ``~/`` expanded.

    :raises UsageError: ``~`` alone, another user's, or a home directory that is unknown.
    """
    text = os.fspath(path)
    if not text.startswith("~") or (text.startswith("~/") and os.path.lexists(text)):
        return text
    found = os.path.expanduser(text)
    if not text.startswith("~/") or not os.path.isabs(found):
        raise UsageError(f"{text!r} is not expanded to a home directory", hint="give the path in full")
    return found


def _write_export(path: str, env: Mapping[str, str]) -> None:
    """Write ``export`` lines so that only the owner reads them, and nobody a half of them."""
    lines = [f"export {name}={_quoted(value)}\n" for name, value in env.items()]
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


def _quoted(value: str) -> str:
    quoted = shlex.quote(value)
    return quoted if quoted.startswith("'") else f"'{value}'"
