"""Files that are reported as complete are complete: on the server, and locally under the final name."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Callable, List

import pytest

from smartxfer import RetryPolicy
from smartxfer.errors import CommunicationError, IntegrityError, SourceChanged

ONCE = RetryPolicy(attempts=1)
QUICK = RetryPolicy(backoff=0)
Make = Callable[[str, int], Path]


def test_what_is_stored_is_what_was_sent(service: Any, make: Make) -> None:
    paths = [make(f"{number}.bin", number * service.chunk // 2) for number in range(5)]
    with service.client() as client:
        handle = service.upload_folder(client, paths[0].parent)
    assert service.stored() == {path.name: path.read_bytes() for path in paths}
    assert [result.name for result in service.results(handle)] == [service.shown(path.name) for path in paths]


def test_each_part_goes_once(service: Any, make: Make) -> None:
    size = 4 * service.chunk + 5
    with service.client() as client:
        service.upload(client, [make("reads.fastq", size)])
    assert service.site.count(service.part_request) == service.acknowledged() == service.parts(size)


def test_two_uploads_do_not_mix(service: Any) -> None:
    contents = {f"{number}.bin": os.urandom(service.chunk + number) for number in range(3)}
    with service.client() as client:
        for name, data in contents.items():
            service.upload(client, [(name, data)])
    assert service.stored() == contents


def test_a_broken_part_is_sent_again_whole(service: Any, make: Make) -> None:
    path = make("reads.fastq", 3 * service.chunk)
    service.server.fault(service.name, service.part_request, "reset-after 20K", times=2)
    with service.client(retry=QUICK) as client:
        handle = service.upload(client, [path])
    assert service.stored() == {"reads.fastq": path.read_bytes()}
    assert service.results(handle)[0].retries == 2


def test_a_source_that_grows_while_it_is_sent_is_no_success(service: Any, make: Make) -> None:
    path = make("reads.fastq", 4 * service.chunk)

    def grow(event: Any) -> None:
        if 0 < event.done < event.total:
            with path.open("ab") as file:
                file.write(b"more")

    with service.client() as client, pytest.raises(SourceChanged):
        service.upload(client, [path], progress=grow)
    if "nothing of a changed source stays" not in service.cannot:
        assert service.stored() == {}


def test_a_body_that_breaks_is_gone_on_with(service: Any, out: Path) -> None:
    data = os.urandom(6 * service.chunk)
    handle = service.plant({"reads.fastq": data})
    after = getattr(service, "proofs", 0)
    service.server.fault(service.name, service.bytes_request, "reset-after-sent 200K", times=2, after=after)
    with service.client(retry=QUICK) as client:
        [result] = service.download(client, handle, out)
    assert (out / "reads.fastq").read_bytes() == data
    assert result.retries == 2


def test_a_file_that_is_there_is_replaced_whole(service: Any, out: Path) -> None:
    out.mkdir()
    (out / "reads.fastq").write_bytes(b"an older and longer text" * 10_000)
    with service.client() as client:
        service.download(client, service.plant({"reads.fastq": b"new"}), out, exists="replace")
    assert (out / "reads.fastq").read_bytes() == b"new"


@pytest.mark.parametrize("older", [None, b"older"])
@pytest.mark.parametrize("effect", ["truncate 0", "truncate 1000", "extra-byte", "reset-before", "status 404", "flip 0 "])
def test_a_failure_leaves_the_final_name_alone(
    service: Any, out: Path, left_behind: Callable[[], List[str]], older: Any, effect: str
) -> None:
    if effect.startswith("flip") and "server digest" in service.cannot:
        pytest.skip(service.cannot["server digest"])
    if older is not None:
        out.mkdir()
        (out / "reads.fastq").write_bytes(older)
    handle = service.plant({"reads.fastq": os.urandom(3 * service.chunk)})
    service.server.fault(service.name, service.bytes_request, effect.strip(), times=None)
    with service.client(retry=ONCE) as client, pytest.raises((CommunicationError, IntegrityError)):
        service.download(client, handle, out, exists="replace", **service.verified)
    found = (out / "reads.fastq").read_bytes() if (out / "reads.fastq").exists() else None
    assert found == older
    if effect == "truncate 0":
        assert left_behind() == ([] if older is None else ["reads.fastq"])


def test_files_called_tilde_are_files(service: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = {"1.bin": "~", "2.bin": "~$report.docx", "3.bin": "~root"}
    for name in names.values():
        (tmp_path / name).write_bytes(name.encode())
    monkeypatch.chdir(tmp_path)
    with service.client() as client:
        for named, name in names.items():
            service.upload(client, [(named, name)])
    assert service.stored() == {named: name.encode() for named, name in names.items()}
