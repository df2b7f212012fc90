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

#: The last line that it prints.
LAST = r"# python: .*JETSTREAM_PEER_HOST.*\n"


def exports(text: str) -> Dict[str, str]:
    """The variables of the ``export`` lines, as a shell reads them."""
    found = {}
    for line in text.splitlines():
        if line.startswith("export "):
            [assignment] = shlex.split(line[len("export ") :])
            name, _, value = assignment.partition("=")
            found[name] = value
    return found


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
    program = text.split("# python: ", 1)[1].splitlines()[0]
    scope: Dict[str, Any] = {}
    exec(program, scope)
    client = scope["client"]
    assert isinstance(client, FileSenderClient)
    with client:
        transfer = client.upload_workflow([("a.txt", b"here")], link=True)
    assert transfer.results[0].bytes == 4
    exec(text.split("# python: ")[2].splitlines()[0], scope)
    with scope["api"] as api:
        assert api.get("/whoami")["user"]["username"] == "ann"
    exec(text.split("# python: ")[3].splitlines()[0], scope)
    with scope["client"] as repository:
        assert repository.whoami().authenticated
    exec(text.split("# python: ")[4].splitlines()[0], scope)
    with scope["client"] as perseus:
        assert perseus.file.upload_file(("a.txt", b"here"), wait=True).status == "uploaded"
    exec(text.split("# python: ")[5].splitlines()[0], scope)
    exec(text.split("# python: ")[6].splitlines()[0], scope)
    [root] = [line.split(" / is ", 1)[1] for line in text.splitlines() if line.startswith("# files of jetstream: ")]
    Path(shlex.split(root)[0], "there.txt").write_bytes(b"here")
    with scope["api"] as api:
        assert [entry["path"] for entry in api.ls("/")] == ["/there.txt"]
        address, _, port = scope["peer"].rpartition(":")
        assert api.send.createDestination(address, int(port)).destination_port == int(port)
    # The text can be pasted into a shell: it has only assignments and comments.
    assert [line for line in text.splitlines() if not line.startswith(("export ", "# "))] == []


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130), (signal.SIGHUP, 0)])
def test_signals_end_it_soon_and_leave_nothing(launch: Any, tmp_path: Path, number: int, code: int) -> None:
    running = launch("serve")
    running.wait_for(LAST)
    assert os.listdir(tmp_path / "tmp") != []
    ended, seconds, stderr = running.stop(number)
    assert ended == code
    assert seconds < 2.0
    assert "Traceback" not in stderr
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
    first = launch("serve", "--data", data)
    before = exports(first.wait_for(LAST))
    first.stop(signal.SIGTERM)
    second = launch("serve", "--data", data)
    after = exports(second.wait_for(LAST))
    assert after["FILESENDER_API_KEY"] == before["FILESENDER_API_KEY"]


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
    with FileSenderClient(
        env["FILESENDER_BASE_URL"], auth=auth, signing_host="files.example.org:8443"
    ) as client:
        assert client.get("user/@me")["saml_id"] == auth.username


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "::"])
def test_what_is_not_loopback_is_refused(run: Any, host: str) -> None:
    done = run("serve", "--host", host)
    assert done.exit_code == 2
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
    done = run("serve", "--data", str(tmp_path / "data"), "--fault", spec)
    assert done.exit_code == 2
    assert said in done.err


def test_a_port_in_use(run: Any, launch: Any) -> None:
    running = launch("serve")
    env = exports(running.wait_for(LAST))
    port = env["FILESENDER_BASE_URL"].rsplit(":", 1)[1]
    done = run("serve", "--filesender-port", port)
    assert done.exit_code == 2
    assert "cannot listen" in done.err
    for option, number in (
        ("--jetstream-port", env["JETSTREAM_API_PORT"]),
        ("--jetstream-peer-port", env["JETSTREAM_PEER_HOST"].rsplit(":", 1)[1]),
    ):
        done = run("serve", option, number)
        assert (done.exit_code, f"port {number}" in done.err) == (2, True)
