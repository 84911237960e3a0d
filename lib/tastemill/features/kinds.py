"""What the features of a past are made of: types of events, windows, attributes of items."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from pyspark.sql import Column
from pyspark.sql import functions as F

from tastemill.features.feature import Shapes


@dataclass(frozen=True)
class Kinds:
    """What the past is told apart by, and where it ends.

    Args:
        as_of: a row of a later time sees the past as it was then.
        types: of events that are told apart, as they occur before the cut; none where all are
            of one, of which figures by type would repeat those of all.
        days: lengths of windows, ascending.
        prior: events that are added before a share is taken, so that few events tell little.
        attributes: of items, by which a user's past is told apart; rows have the index of the
            nth as `alike_n`, null where it is missing or not in the vocabulary.
        positive_min: the least value of an event that says that its item was taken.
        searched: whether searches have the category that they are after, as `alike_0`, the first
            of the attributes.
        gap_minutes: a longer pause ends a visit.
        shapes: which features are clipped, and of which logarithms are taken.
    """

    as_of: datetime
    types: tuple[str, ...]
    days: tuple[int, ...]
    prior: float
    attributes: tuple[str, ...]
    positive_min: float = 0.0
    searched: bool = False
    gap_minutes: float = 30.0
    shapes: Shapes = field(default_factory=Shapes)

    @property
    def of_type(self) -> Mapping[str, Column]:
        """Whether an event is of a type."""
        return {name: F.col("event_type") == name for name in self.types}
