"""Results on their way out: ArviZ's schema, and files; what a fit does not need comes when used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bayesdl._base.lazy import lazily

if TYPE_CHECKING:
    from .arviz import attributes, to_arviz, to_datatree
    from .recording import recorded
    from .records import from_record, guide_of_record, guide_record, to_record
    from .stored import StoredFunctions
else:
    __getattr__, __dir__ = lazily(
        __name__,
        {
            "attributes": "arviz",
            "to_arviz": "arviz",
            "to_datatree": "arviz",
            "recorded": "recording",
            "from_record": "records",
            "guide_of_record": "records",
            "guide_record": "records",
            "to_record": "records",
            "StoredFunctions": "stored",
        },
    )

__all__ = [
    "StoredFunctions",
    "attributes",
    "from_record",
    "guide_of_record",
    "guide_record",
    "recorded",
    "to_arviz",
    "to_datatree",
    "to_record",
]
