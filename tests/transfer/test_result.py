from __future__ import annotations

import pickle
from pathlib import Path

import attrs
import pytest

from smartxfer.errors import BatchError, NetworkError
from smartxfer.transfer.result import FileResult, raise_for_errors

GOOD = FileResult("a", Path("/a"), 3, "md5:x", "md5")
BAD = FileResult("b", error=NetworkError("broken"))


def test_a_result_is_frozen_and_pickles() -> None:
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        GOOD.bytes = 4  # type: ignore[misc]
    assert pickle.loads(pickle.dumps(GOOD)) == GOOD
    assert (GOOD.ok, BAD.ok, BAD.verified) == (True, False, None)


def test_all_good() -> None:
    assert raise_for_errors([GOOD, GOOD]) == [GOOD, GOOD]
    assert raise_for_errors([]) == []


def test_a_single_failure_is_raised_as_it_is() -> None:
    with pytest.raises(NetworkError) as caught:
        raise_for_errors([BAD])
    assert caught.value is BAD.error


def test_one_of_several() -> None:
    with pytest.raises(BatchError, match="1 of 3 files failed, first 'b': broken") as caught:
        raise_for_errors([GOOD, BAD, GOOD])
    assert list(caught.value.results) == [GOOD, BAD, GOOD]
    assert caught.value.errors == [BAD.error]
    assert caught.value.__cause__ is BAD.error
    assert "run the call again" in caught.value.hint
    again = pickle.loads(pickle.dumps(caught.value))
    assert [result.name for result in again.results] == ["a", "b", "a"]
    assert isinstance(again.errors[0], NetworkError)
