"""Stored functions as values that JSON has, with arrays beside them, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import count
from typing import Any

import numpy as np

from bayesdl.infer.vi.fitted import FittedGuide, SavedGuide

from .rules import Array, Rule
from .stored import Input, Parameter, StoredFunction, StoredFunctions
from .template import Template


def to_record(functions: StoredFunctions) -> tuple[dict[str, Any], list[Array]]:
    """What is to be written: a JSON value, and arrays beside it."""
    arrays: list[Array] = []

    def constant(found: Array | Rule) -> Any:
        if isinstance(found, Rule):
            return asdict(found)
        arrays.append(found)
        return len(arrays) - 1

    def one(stored: StoredFunction) -> dict[str, Any]:
        template = stored.template
        if template is None:
            return {"reason": stored.reason}
        return {
            "program": template.text,
            "constants": [constant(c) for c in template.constants],
            "inputs": [asdict(i) for i in stored.inputs],
            "outputs": stored.outputs,
            "arguments": stored.arguments,
            "reason": stored.reason,
        }

    return {
        "name": functions.name,
        "dtype": str(functions.dtype),
        "parameters": [asdict(p) for p in functions.parameters],
        "functions": {kind: one(stored) for kind, stored in functions.table.items()},
    }, arrays


def from_record(
    record: Mapping[str, Any], arrays: Sequence[Array], fitted: dict[str, Array]
) -> StoredFunctions:
    """The inverse of `to_record`."""

    def constant(found: Any) -> Array | Rule:
        if isinstance(found, int):
            return arrays[found]
        return Rule(found["family"], tuple(found["numbers"]))

    def one(found: Mapping[str, Any]) -> StoredFunction:
        if "program" not in found:
            return StoredFunction(None, reason=found["reason"])
        return StoredFunction(
            Template(found["program"], tuple(map(constant, found["constants"]))),
            tuple(Input(i["label"], tuple(i["shape"]), i["dtype"]) for i in found["inputs"]),
            tuple(found["outputs"]),
            dict(found["arguments"]),
            found["reason"],
        )

    return StoredFunctions(
        record["name"],
        np.dtype(record["dtype"]),
        tuple(Parameter(**p) for p in record["parameters"]),
        {kind: one(found) for kind, found in record["functions"].items()},
        fitted,
    )


def guide_record(guide: FittedGuide | SavedGuide, first: int) -> tuple[dict[str, Any], list[Array]]:
    """What is to be written of a guide; its arrays are counted from `first`."""
    numbers = count(first)
    names = {part: {n: next(numbers) for n in found} for part, found in guide.params.items()}
    arrays = [np.asarray(v) for found in guide.params.values() for v in found.values()]
    return {"dtype": str(guide.dtype), "params": names}, arrays


def guide_of_record(record: Mapping[str, Any], arrays: Sequence[Array]) -> SavedGuide:
    """The inverse of `guide_record`."""
    params = {
        part: {name: arrays[i] for name, i in found.items()}
        for part, found in record["params"].items()
    }
    return SavedGuide(params, np.dtype(record["dtype"]))
