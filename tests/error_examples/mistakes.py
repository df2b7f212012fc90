"""A new user's first mistakes, beside those that are examples of a class already."""

from __future__ import annotations

import builtins
import sys
import types
from pathlib import Path
from typing import Any

from smartxfer import FileSenderClient, PerseusClient, errors
from smartxfer.filesender import errors as fs
from smartxfer.nrp import errors as nrp
from smartxfer.perseus import errors as perseus
from smartxfer.smartfile import errors as sf
from tests.support.raw_server import RawServer

from .example import shows
from .scene import QUICK, Scene


@shows(fs.FileSenderNetworkError, mistake=True)
def refused_connection(scene: Scene) -> None:
    """No server at this address."""
    scene.enter(FileSenderClient(f"http://127.0.0.1:{scene.closed_port()}", retry=QUICK)).get_server_info()


@shows(fs.FileSenderNetworkError, mistake=True)
def unknown_host(scene: Scene) -> None:
    """A misspelt host."""
    scene.enter(FileSenderClient("http://filesender.invalid", retry=QUICK)).get_server_info()


@shows(fs.FileSenderNotFound, mistake=True)
def wrong_site_path(scene: Scene) -> None:
    """A wrong path in the base URL."""
    site = scene.serve("filesender", base_path="/filesender")
    address = site.url.replace("/filesender", "/fs")
    scene.filesender(site, base_url=address).get_server_info()


@shows(fs.ERRORS.class_for(errors.TLSError), mistake=True)
def https_on_an_http_port(scene: Scene) -> None:
    """https:// for a server that speaks http."""
    site = scene.serve("filesender")
    scene.filesender(site, base_url=site.url.replace("http:", "https:")).get_server_info()


@shows(fs.ERRORS.class_for(errors.NotAnHTTPServer), mistake=True)
def http_on_an_https_port(scene: Scene) -> None:
    """http:// for a server that speaks https."""
    alert = b"\x15\x03\x01\x00\x02\x02\x46"  # what OpenSSL answers to a request in the clear
    server = scene.enter(RawServer(lambda peer: (peer.request(), peer.send(alert), peer.close())))
    scene.enter(FileSenderClient(server.url, retry=QUICK)).get_server_info()


@shows(sf.SmartFileNotFound, mistake=True)
def missing_directory(scene: Scene) -> None:
    """An upload to a directory that the server does not have."""
    scene.smartfile().upload(scene.file("report.txt"), "/reports/2026/")


@shows(nrp.ERRORS.class_for(errors.BadRequest), mistake=True)
def incomplete_publish(scene: Scene) -> None:
    """A draft is published without mandatory fields and files."""
    client = scene.nrp()
    draft = client.records.create({"metadata": {"title": "Reads of run 1"}, "files": {"enabled": True}})
    client.records.publish(draft)


class KeyringLocked(Exception):
    """As the package keyring raises it."""


class NoKeyringError(RuntimeError):
    """As the package keyring raises it."""


def _keyring(scene: Scene, error: Exception) -> None:
    """Put a keyring in place that raises an error."""

    def get_password(service: str, user: str) -> None:
        raise error

    keyring: Any = types.ModuleType("keyring")
    keyring.get_password = get_password
    scene.patch.setitem(sys.modules, "keyring", keyring)


@shows(perseus.ConfigurationException, mistake=True)
def locked_keyring(scene: Scene) -> None:
    """The key is in a keyring that is locked."""
    site = scene.serve("perseus")
    _keyring(scene, KeyringLocked("Failed to unlock the collection!"))
    scene.enter(PerseusClient(site.url)).list()


@shows(perseus.ConfigurationException, mistake=True)
def keyring_without_backend(scene: Scene) -> None:
    """The package keyring is installed and has no backend."""
    site = scene.serve("perseus")
    _keyring(scene, NoKeyringError("No recommended backend was available."))
    scene.enter(PerseusClient(site.url)).list()


@shows(perseus.ConfigurationException, mistake=True)
def netrc_syntax(scene: Scene) -> None:
    """A netrc file with a syntax error."""
    site = scene.serve("perseus")
    scene.file(".netrc", b"machine 127.0.0.1\n  passwort sk-perseus-1\n")
    scene.enter(PerseusClient(site.url)).list()


@shows(errors.ConfigError, mistake=True)
def netrc_permissions(scene: Scene) -> None:
    """A netrc file that may not be read."""
    site = scene.serve("perseus")
    path = scene.path / scene.file("my.netrc", b"machine 127.0.0.1 password sk-perseus-1\n")

    def refuse(*arguments: Any, **keywords: Any) -> Any:  # the superuser may read every file
        raise PermissionError(13, "Permission denied", str(path))

    scene.patch.setattr("smartxfer.credentials.secret_files.open_when_lease_released", refuse)
    scene.enter(PerseusClient(site.url, netrcfile=path)).list()


@shows(fs.FileSenderCredentialError, mistake=True)
def misspelt_profile_key(scene: Scene) -> None:
    """A misspelt key in a profile of config.ini."""
    site = scene.serve("filesender")
    lines = f"[filesender]\nbase_url = {site.url}\nusername = ann@example.org\napi_kee = 0123\n"
    scene.file("xdg-config/smartxfer/config.ini", lines.encode())
    scene.enter(FileSenderClient.from_environment(retry=QUICK)).transfers.list()


@shows(errors.ConfigError, mistake=True)
def missing_profile(scene: Scene) -> None:
    """A misspelt name of a profile."""
    scene.file("xdg-config/smartxfer/config.ini", b"[filesender:work]\nusername = ann@example.org\n")
    FileSenderClient("https://filesender.example.org", profile="wrok").transfers.list()


@shows(fs.FileSenderCredentialError, mistake=True)
def credentials_of_another_site(scene: Scene) -> None:
    """Credentials in the environment that belong to another site."""
    site = scene.serve("filesender")
    scene.patch.setenv("FILESENDER_BASE_URL", "https://filesender.example.org")
    scene.patch.setenv("FILESENDER_USERNAME", "ann@example.org")
    scene.patch.setenv("FILESENDER_API_KEY", "0" * 64)
    scene.enter(FileSenderClient(site.url, retry=QUICK)).transfers.list()


@shows(fs.FileSenderNotFound, mistake=True)
def expired_link(scene: Scene) -> None:
    """A download link that has expired."""
    site = scene.serve("filesender")
    made = scene.sent(site)
    site.configure(clock_offset=40 * 86400)
    scene.filesender(site).download_files(made.download_url, "copies")


@shows(fs.FileSenderNotFound, mistake=True)
def wrong_link_token(scene: Scene) -> None:
    """A download link with a mistyped token."""
    site = scene.serve("filesender")
    link = f"{site.url}/?s=download&token=01234567-89ab-cdef-0123-456789abcdef"
    scene.filesender(site).download_files(link, "copies")


@shows(errors.UsageError, mistake=True)
def directory_for_a_file(scene: Scene) -> None:
    """A directory where a file is expected."""
    scene.file("reports/2026.txt")
    scene.smartfile().upload("reports")


@shows(errors.LocalError, mistake=True)
def file_for_a_directory(scene: Scene) -> None:
    """A file where the target directory is expected."""
    site = scene.serve("filesender")
    made = scene.sent(site)
    scene.filesender(site).download_files(made.download_url, scene.file("copies"))


@shows(errors.UsageError, mistake=True)
def file_too_large(scene: Scene) -> None:
    """A file is larger than the site allows."""
    site = scene.serve("filesender", max_transfer_file_size=1000)
    scene.filesender(site).upload(scene.file("report.bin", bytes(2000)), "bob@example.org")


@shows(errors.UsageError, mistake=True)
def too_many_files(scene: Scene) -> None:
    """More files than the site allows in a transfer."""
    site = scene.serve("filesender", max_transfer_files=3)
    names = [scene.file(f"report{number}.txt") for number in range(5)]
    scene.filesender(site).upload_many(names, "bob@example.org")


@shows(errors.UsageError, mistake=True)
def forbidden_extension(scene: Scene) -> None:
    """An extension that the site forbids."""
    scene.filesender().upload(scene.file("setup.exe"), "bob@example.org")


@shows(errors.UsageError, mistake=True)
def missing_cryptography(scene: Scene) -> None:
    """An encrypted transfer without the package cryptography."""
    imported = builtins.__import__

    def refuse(name: str, *arguments: Any, **keywords: Any) -> Any:
        if name.startswith("cryptography"):
            raise ModuleNotFoundError(f"No module named {name!r}", name="cryptography")
        return imported(name, *arguments, **keywords)

    scene.patch.setattr(builtins, "__import__", refuse)
    scene.filesender().upload_workflow([scene.file("report.txt")], link=True, password="Correct-Horse-7-Battery")


@shows(errors.UsageError, mistake=True)
def misspelt_option(scene: Scene) -> None:
    """A misspelt key of transfer_args."""
    scene.filesender().upload_workflow([scene.file("report.txt")], {"recipient": ["bob@example.org"]})  # type: ignore[typeddict-unknown-key]


@shows(errors.UsageError, mistake=True)
def wrong_type(scene: Scene) -> None:
    """An argument of a wrong type."""
    scene.smartfile().upload(scene.file("report.txt"), "/", deadline="10 s")  # type: ignore[arg-type]


@shows(errors.UsageError, mistake=True)
def open_text_file(scene: Scene) -> None:
    """A file opened as text."""
    with Path(scene.file("report.txt")).open(encoding="utf-8") as file:
        scene.smartfile().upload(("report.txt", file), "/")  # type: ignore[arg-type]

