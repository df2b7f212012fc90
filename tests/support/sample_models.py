"""Structures to test structures with."""

from typing import ClassVar, List, Optional

import attrs

from smartxfer.models import Model, OpaqueId, OpenEnum, secret_field, wire_field


class Colour(OpenEnum):
    RED: ClassVar["Colour"]


Colour.RED = Colour("red")


@attrs.frozen(slots=False, eq=False, repr=False)
class Label(Model):
    text: str


@attrs.frozen(slots=False, eq=False, repr=False)
class Parcel(Model):
    id: int
    from_: Optional[str] = None
    self_: Optional[str] = None
    manifest_id: Optional[int] = wire_field("manifestId", default=None)
    colour: Optional[Colour] = None
    insured: Optional[bool] = None
    labels: List[Label] = attrs.field(factory=list)
    main: Optional[Label] = None
    token: Optional[str] = secret_field(default=None)


@attrs.frozen(slots=False, eq=False, repr=False)
class Crate(Model):
    crate_id: OpaqueId
    within: Optional[OpaqueId] = None
