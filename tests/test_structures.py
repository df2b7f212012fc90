"""Structures: attributes, a read-only mapping, errors that name the field, a repr without secrets."""

from __future__ import annotations

import copy
import doctest
import json
import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smartxfer import models
from smartxfer.errors import DecodeError
from smartxfer.models import Model, OpaqueId, to_wire

# Attrs resolves these annotations at run time, so that they come from a module of its own.
from tests.support.sample_models import Colour, Crate, Label, Parcel

WIRE = {
    "id": "7", "from": "ann", "self": "https://example.org/7", "manifestId": 12, "colour": "ultraviolet",
    "insured": 1, "labels": [{"text": "fragile"}, {"text": "this side up"}], "main": {"text": "heavy"},
    "token": "very-secret", "weight": 3.5,
}


def test_the_doctest_runs() -> None:
    results = doctest.testmod(models)
    assert results.attempted > 3
    assert results.failed == 0


def test_attributes_are_converted_and_items_are_as_on_the_wire() -> None:
    parcel = Parcel.from_wire(WIRE)
    assert (parcel.id, parcel["id"], parcel.insured, parcel["insured"]) == (7, "7", True, 1)
    assert parcel.from_ == parcel["from"] == "ann"
    assert parcel.self_ == parcel["self"]
    assert parcel.manifest_id == parcel["manifestId"] == 12
    assert [label.text for label in parcel.labels] == ["fragile", "this side up"]
    assert isinstance(parcel.main, Label)


def test_it_is_json_by_a_dict_of_it() -> None:
    parcel = Parcel.from_wire(WIRE)
    assert json.loads(json.dumps(dict(parcel))) == json.loads(json.dumps(parcel.to_dict())) == WIRE
    crate = parcel.evolve()
    assert type(crate.to_dict()["labels"][0]) is dict
    by_hand = Parcel(id=7, labels=[Label(text="fragile")])
    assert json.loads(json.dumps(by_hand.to_dict()))["labels"] == [{"text": "fragile"}]


def test_it_is_a_whole_mapping() -> None:
    parcel = Parcel.from_wire(WIRE)
    assert dict(parcel) == WIRE
    assert list(parcel) == list(parcel.keys()) == list(WIRE)
    assert (list(parcel.items()), len(parcel)) == (list(WIRE.items()), len(WIRE))
    assert "manifestId" in parcel
    assert "manifest_id" not in parcel
    assert parcel.get("nothing", 5) == 5
    with pytest.raises(KeyError):
        parcel["nothing"]


def test_it_is_read_only() -> None:
    parcel: Any = Parcel.from_wire(WIRE)
    with pytest.raises(TypeError):
        parcel["id"] = 8
    with pytest.raises(AttributeError):
        parcel.id = 8


def test_the_answer_may_change_afterwards() -> None:
    wire = dict(WIRE)
    parcel = Parcel.from_wire(wire)
    wire["id"] = "9"
    assert parcel["id"] == "7"


def test_unknown_fields_are_kept() -> None:
    parcel = Parcel.from_wire(WIRE)
    assert (parcel.extra, parcel["weight"]) == ({"weight": 3.5}, 3.5)


def test_unknown_words_are_kept() -> None:
    parcel = Parcel.from_wire(WIRE)
    assert isinstance(parcel.colour, Colour)
    assert parcel.colour == "ultraviolet"
    assert Parcel.from_wire({"id": 1, "colour": "red"}).colour == Colour.RED


@pytest.mark.parametrize("sent", ["2", 2, "0a1b", "127.0.0.1:8886", "", -1, 1 << 70])
def test_an_id_is_text_whatever_was_sent(sent: Any) -> None:
    crate = Crate.from_wire({"crate_id": sent, "within": sent})
    assert (crate.crate_id, type(crate.crate_id)) == (str(sent), OpaqueId)
    assert (crate.within, crate["crate_id"]) == (str(sent), sent)
    assert Crate.from_wire({"crate_id": 1}).within is None
    assert pickle.loads(pickle.dumps(crate)).crate_id == str(sent)


@pytest.mark.parametrize("sent", [True, False, 2.0, None, ["2"], {"crate_id": "2"}])
def test_what_is_no_id(sent: Any) -> None:
    with pytest.raises(DecodeError, match=r"Crate\.crate_id"):
        Crate.from_wire({"crate_id": sent})


def test_what_is_missing_has_its_default() -> None:
    parcel = Parcel.from_wire({"id": 1})
    assert (parcel.from_, parcel.labels, parcel.main, parcel.insured) == (None, [], None, None)
    assert dict(parcel) == {"id": 1}


@pytest.mark.parametrize(
    ("wire", "path"),
    [
        *((wire, "Parcel") for wire in ([], None, "id", 7)),
        *(({"id": id_}, "Parcel.id") for id_ in ("seven", None, 1.5, float("inf"), float("nan"))),
        ({}, "Parcel.id"), ({"id": 1, "from": 3}, "Parcel.from_"),
        ({"id": 1, "insured": "yes"}, "Parcel.insured"),
        ({"id": 1, "labels": [{"text": "a"}, {"text": 5}]}, "Parcel.labels[1].text"),
        ({"id": 1, "labels": [[]]}, "Parcel.labels[0]"), ({"id": 1, "labels": 5}, "Parcel.labels"),
        ({"id": 1, "main": []}, "Parcel.main"),
    ],
)
def test_a_wrong_type_is_named(wire: Any, path: str) -> None:
    with pytest.raises(DecodeError) as caught:
        Parcel.from_wire(wire)
    assert path in str(caught.value)
    # The chained error would show the values, and a value may be a secret.
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def test_an_error_shows_no_values() -> None:
    with pytest.raises(DecodeError) as caught:
        Parcel.from_wire({"id": "no number but a secret", "token": ["another secret"]})
    assert "secret" not in str(caught.value)


def test_it_reads_well_at_the_prompt() -> None:
    shown = repr(Parcel.from_wire(WIRE))
    assert shown.startswith("Parcel(id=7, from_='ann'")
    assert "very-secret" not in shown
    assert "heavy" in shown
    assert repr(Parcel.from_wire({"id": 1, "from": "", "labels": []})) == "Parcel(id=1)"


def test_a_long_value_is_cut_at_the_prompt() -> None:
    labels = [{"text": "x" * 1000}] * 500
    shown = repr(Parcel.from_wire({"id": 1, "from": "y" * 1000, "labels": labels}))
    assert len(shown) < 400
    assert "500 in all" in shown


def test_it_compares_like_a_dict() -> None:
    parcel = Parcel.from_wire(WIRE)
    assert parcel == Parcel.from_wire(WIRE)
    assert parcel == WIRE
    assert parcel != Parcel.from_wire({**WIRE, "id": 8})
    assert parcel != 7


def test_one_made_by_hand_has_a_wire_form() -> None:
    made = Parcel(id=7, from_="ann", labels=[Label("fragile")])
    assert made["from"] == "ann"
    assert made != Parcel(id=8, from_="ann")
    assert to_wire(made) == {"id": 7, "from": "ann", "labels": [{"text": "fragile"}]}
    assert Parcel.from_wire(to_wire(made)) == to_wire(made)


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_it_survives(again: Any) -> None:
    parcel = Parcel.from_wire(WIRE)
    other = again(parcel)
    assert type(other) is Parcel
    assert other == parcel
    assert (other.id, other.main.text, other.extra) == (7, "heavy", {"weight": 3.5})


def test_a_structure_is_taken_as_it_is() -> None:
    parcel = Parcel.from_wire(WIRE)
    assert Parcel.from_wire(parcel) is parcel
    nested = Parcel.from_wire({"id": 1, "main": parcel.main})
    assert nested.main is parcel.main


def test_a_copy_with_other_attributes_leaves_the_first_alone() -> None:
    parcel = Parcel.from_wire(WIRE)
    other = parcel.evolve(from_="bob")
    assert (parcel.from_, other.from_, other["from"]) == ("ann", "bob", "ann")


def test_to_wire_gives_plain_containers() -> None:
    parcel = Parcel.from_wire(WIRE)
    plain = to_wire({"parcels": (parcel, {"main": parcel.main}), "n": None})
    assert plain == {"parcels": [WIRE, {"main": {"text": "heavy"}}], "n": None}
    assert type(plain["parcels"]) is list
    assert type(plain["parcels"][0]) is dict
    assert type(plain["parcels"][1]["main"]) is dict


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(list(WIRE)), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(anything)
def test_whatever_comes_it_is_a_structure_or_our_error(wire: Any) -> None:
    try:
        parcel = Parcel.from_wire(wire)
    except DecodeError as error:
        assert "Parcel" in str(error)
    else:
        assert isinstance(parcel, Model)
        assert isinstance(parcel.id, int)
        assert set(parcel) == set(wire)
        assert repr(parcel).startswith("Parcel(")
