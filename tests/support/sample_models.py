"""Structures to test structures with."""

from typing import ClassVar, List, Optional

import attrs

from smartxfer.structures import Id, Structure, Word, secret, wire


class Colour(Word):
    RED: ClassVar["Colour"]


Colour.RED = Colour("red")


@attrs.frozen(slots=False, eq=False, repr=False)
class Label(Structure):
    text: str


@attrs.frozen(slots=False, eq=False, repr=False)
class Parcel(Structure):
    id: int
    from_: Optional[str] = None
    self_: Optional[str] = None
    manifest_id: Optional[int] = wire("manifestId", default=None)
    colour: Optional[Colour] = None
    sealed: Optional[bool] = None
    labels: List[Label] = attrs.field(factory=list)
    main: Optional[Label] = None
    token: Optional[str] = secret(default=None)


@attrs.frozen(slots=False, eq=False, repr=False)
class Crate(Structure):
    crate_id: Id
    within: Optional[Id] = None
