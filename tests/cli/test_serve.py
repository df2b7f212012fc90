"""``smartxfer serve``."""

from __future__ import annotations

import os
import shlex
import signal
import stat
from pathlib import Path
from typing import Any, Dict

import pytest
import requests

from smartxfer import FileSenderClient, UserAuth
from tests.support.python_program import exports

#: The last line that it prints.
LAST = r"# python: .*JETSTREAM_PEER_HOST.*\n"


def test_what_it_prints_points_a_client_at_it(launch: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    running = launch("serve")
    text = running.wait_for(LAST)
    env = exports(text)
    assert set(env) == {
        "FILESENDER_BASE_URL", "FILESENDER_USERNAME", "FILESENDER_API_KEY",
        "SMARTFILE_API_URL", "SMARTFILE_API_KEY", "SMARTFILE_API_PASSWORD",
        "NRP_REPOSITORY_URL", "NRP_TOKEN", "PERSEUS_API_HOST", "PERSEUS_API_KEY",
        "JETSTREAM_API_HOST", "JETSTREAM_API_PORT", "JETSTREAM_API_USER", "JETSTREAM_API_PASSWORD",
        "JETSTREAM_PEER_HOST",
    }  # fmt: skip
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    scope: Dict[str, Any] = {}

    def client_of(number: int, name: str = "client") -> Any:
        exec(text.split("# python: ")[number].splitlines()[0], scope)
        return scope[name]

    with client_of(1) as client:
        assert isinstance(client, FileSenderClient)
        assert client.upload_workflow([("a.txt", b"here")], link=True).results[0].bytes == 4
    with client_of(2, "api") as api:
        assert api.get("/whoami")["user"]["username"] == "ann"
    with client_of(3) as repository:
        assert repository.whoami().authenticated
    with client_of(4) as perseus:
        assert perseus.file.upload_file(("a.txt", b"here"), wait=True).status == "uploaded"
    [root] = [line.split(" / is ", 1)[1] for line in text.splitlines() if line.startswith("# files of jetstream: ")]
    Path(shlex.split(root)[0], "there.txt").write_bytes(b"here")
    with client_of(5, "api") as api:
        assert [entry["path"] for entry in api.ls("/")] == ["/there.txt"]
        address, _, port = client_of(6, "peer").rpartition(":")
        assert api.send.createDestination(address, int(port)).destination_port == int(port)
    # The text can be pasted into a shell: it has only assignments and comments.
    assert [line for line in text.splitlines() if not line.startswith(("export ", "# "))] == []


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130), (signal.SIGHUP, 0)])
def test_signals_end_it_soon_and_leave_nothing(launch: Any, tmp_path: Path, number: int, code: int) -> None:
    running = launch("serve")
    running.wait_for(LAST)
    assert os.listdir(tmp_path / "tmp") != []
    running.ends(number, code, seconds=2.0)
    assert os.listdir(tmp_path / "tmp") == []


def test_export_file_is_private_and_complete_once_the_server_answers(launch: Any, tmp_path: Path) -> None:
    target = tmp_path / "env.sh"
    target.write_text("old", encoding="utf-8")
    target.chmod(0o644)
    running = launch("serve", "--export", str(target), "--data", str(tmp_path / "data"))
    printed = exports(running.wait_for(LAST))
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert exports(target.read_text("utf-8")) == printed
    answer = requests.get(printed["FILESENDER_BASE_URL"] + "/rest.php/info", timeout=10)
    assert answer.status_code == 200


def test_data_survives_a_restart(launch: Any, tmp_path: Path) -> None:
    data = str(tmp_path / "data")
    keys = []
    for _ in range(2):
        running = launch("serve", "--data", data)
        keys.append(exports(running.wait_for(LAST))["FILESENDER_API_KEY"])
        running.stop(signal.SIGTERM)
    assert keys[0] == keys[1]


def test_faults_and_the_server_name_are_handed_on(launch: Any) -> None:
    running = launch(
        "serve",
        "--fault", "filesender GET /rest.php/info status 503 body=json:undergoing_maintenance times=2",
        "--filesender-server-name", "files.example.org:8443",
    )  # fmt: skip
    env = exports(running.wait_for(LAST))
    url = env["FILESENDER_BASE_URL"] + "/rest.php/info"
    statuses = [requests.get(url, timeout=10).status_code for _ in range(3)]
    assert statuses == [503, 503, 200]
    auth = UserAuth(env["FILESENDER_USERNAME"], env["FILESENDER_API_KEY"])
    with FileSenderClient(env["FILESENDER_BASE_URL"], auth=auth, signing_host="files.example.org:8443") as client:
        assert client.get("user/@me")["saml_id"] == auth.username


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "::"])
def test_what_is_not_loopback_is_refused(run: Any, host: str) -> None:
    done = run("serve", "--host", host).fails(2)
    assert done.err.startswith(f"smartxfer: {host} is not a loopback address")
    assert "Traceback" not in done.err


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("filesender", "invalid fault 'filesender'"),
        ("filesender GET /rest.php/info", "invalid fault 'filesender GET /rest.php/info'"),
        ("filesender GET /rest.php/info explode", "unknown effect"),
        ("filesender GET rest.php reset-before", "match must be a method and a path"),
        ("teapot GET /x reset-before", "no service 'teapot'"),
        ("filesender GET /x reset-before times=often", "'often' is not a number"),
        ("filesender GET /x reset-before times=0", "1 or more"),
    ],
)
def test_a_fault_that_is_not_understood(run: Any, tmp_path: Path, spec: str, said: str) -> None:
    run("serve", "--data", str(tmp_path / "data"), "--fault", spec).fails(2, said)


def test_a_port_in_use(run: Any, launch: Any) -> None:
    running = launch("serve")
    env = exports(running.wait_for(LAST))
    run("serve", "--filesender-port", env["FILESENDER_BASE_URL"].rsplit(":", 1)[1]).fails(2, "cannot listen")
    for option, number in (
        ("--jetstream-port", env["JETSTREAM_API_PORT"]),
        ("--jetstream-peer-port", env["JETSTREAM_PEER_HOST"].rsplit(":", 1)[1]),
    ):
        run("serve", option, number).fails(2, f"port {number}")
