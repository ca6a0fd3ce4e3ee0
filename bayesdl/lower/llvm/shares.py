"""Shares of a loop: turns that do not depend on each other, which a crew of threads may take."""

from __future__ import annotations

import os
from collections.abc import Callable

from bayesdl.ir.program import Equation, Program
from bayesdl.lower.rows import SHARES

from .code import Module, value_type
from .crew import LOOP
from .emit import Frame, Scope, Unit
from .subnormal import flushed


def is_shared(scope: Scope, equation: Equation) -> bool:
    """Whether a scan is one whose turns are dealt out, and this system has what that takes."""
    params = equation.params
    independent = params["carry"] == 0 and params["length"] == SHARES
    return (
        independent
        and any(e.primitive.name == "scan" for e in params["body"].equations)
        and "sched_yield" in dir(os)
        and not scope.frame.is_share
    )


def write_shared(scope: Scope, equation: Equation) -> None:
    """Call a function for each turn, which has a table of what it reads and its own workspace."""
    unit, code = scope.frame.unit, scope.code
    name, extent = _function(unit, equation)
    constants = equation.params["constants"]
    operands = [(scope.value(a), a) for a in equation.inputs[:constants]]
    operands += [(scope.pointer(a), a) for a in equation.inputs[constants:]]
    operands += [(scope.pointer(v), v) for v in equation.outputs]
    table, rooms = scope.scratch(8 * (len(operands) + 2), extent * SHARES)
    kinds = [value_type(a.type.dtype) if not a.type.shape else "ptr" for _, a in operands]
    for i, (kind, value) in enumerate(
        [("ptr", "%constants"), ("ptr", rooms), *zip(kinds, (v for v, _ in operands), strict=True)]
    ):
        address = code.let(f"getelementptr inbounds i64, ptr {table}, i64 {i}")
        code.do(f"store {kind} {value}, ptr {address}, align 8")
    module: Module = code.module
    module.declare("sched_yield", "i32", ())
    module.define("share", LOOP)
    code.do(f"call void @share(ptr %constants, ptr @{name}, ptr {table})")


def _function(unit: Unit, equation: Equation) -> tuple[str, int]:
    """The function of one turn, and the workspace it needs."""
    body, constants = equation.params["body"], equation.params["constants"]
    name = f"share{len(unit.module.functions)}"
    frame = Frame(unit, is_share=True)
    code = frame.code

    def entry(i: int, kind: str) -> str:
        address = code.let(f"getelementptr inbounds i64, ptr %table, i64 {i}")
        return code.let(f"load {kind}, ptr {address}, align 8")

    code.do(f"%constants = bitcast ptr {entry(0, 'ptr')} to ptr")
    own = code.let("mul i64 %turn, %extent")
    code.do(f"%workspace = getelementptr inbounds i8, ptr {entry(1, 'ptr')}, i64 {own}")
    with flushed(code, unit.flushes):
        _write_turn(frame, body, constants, entry)
    code.do("ret void")
    extent = -(-frame.extent // 64) * 64
    # How much workspace a turn has is known only now.
    code.lines.insert(0, f"  %extent = add i64 0, {extent}")
    frame.close(f"define internal void @{name}(ptr noalias %table, i64 %turn)")
    return name, extent


def _write_turn(
    frame: Frame, body: Program, constants: int, entry: Callable[[int, str], str]
) -> None:
    """The body, on what `entry` finds in the table."""
    code, inputs = frame.code, []
    for i, kind in enumerate(body.input_types):
        if i < constants:
            inputs.append(entry(i + 2, "ptr" if kind.shape else value_type(kind.dtype)))
            continue
        row = code.at(entry(i + 2, "ptr"), code.scale("%turn", kind.size), kind.dtype)
        inputs.append(row if kind.shape else code.load(row, "0", kind.dtype))
    rows = []
    for i, kind in enumerate(body.output_types, len(body.inputs) + 2):
        rows.append(code.at(entry(i, "ptr"), code.scale("%turn", kind.size), kind.dtype))
    found = frame.inline(body, inputs, rows, {}, 0)
    for value, row, kind in zip(found, rows, body.output_types, strict=True):
        if not kind.shape:
            code.store(value, row, "0", kind.dtype)
