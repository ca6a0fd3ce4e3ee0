"""Control flow → branches and loops around the code of the Programs inside."""

from __future__ import annotations

from bayesdl.ir.program import Equation

from .ahead import windows_of
from .code import value_type
from .emit import Scope, emits, nbytes
from .shares import is_shared, write_shared
from .spaces import kept_carry


@emits("call", "custom_call")
def _call(scope: Scope, equation: Equation) -> None:
    program = equation.params["program"]
    inputs = [scope.value(a) for a in equation.inputs]
    _define(
        scope,
        equation,
        scope.apply(program, inputs, _targets(scope, equation), _shared(scope, equation, 0)),
    )


@emits("cond")
def _cond(scope: Scope, equation: Equation) -> None:
    code, predicate = scope.code, scope.scalar(equation.inputs[0])
    inputs = [scope.value(a) for a in equation.inputs[1:]]
    targets, shared = _targets(scope, equation), _shared(scope, equation, 1)
    names = [code.fresh("true"), code.fresh("false")]
    end = code.fresh("end")
    code.do(f"br i1 {predicate}, label %{names[0]}, label %{names[1]}")
    sources, ends = [], []
    for key, name in zip(("true", "false"), names, strict=True):
        code.start(name)
        sources.append(scope.apply(equation.params[key], inputs, targets, shared))
        ends.append(code.block)
        code.do(f"br label %{end}")
    code.start(end)
    for var, yes, no in zip(equation.outputs, *sources, strict=True):
        if not var.type.shape:
            phi = code.phi(value_type(var.type.dtype))
            phi.join((yes, ends[0]), (no, ends[1]))
            scope.define(var, phi.name)


@emits("while_loop")
def _while(scope: Scope, equation: Equation) -> None:
    code, test, body = scope.code, equation.params["test"], equation.params["body"]
    first, targets, shared = _start_carry(scope, equation)
    fixed = [scope.value(a) for a in equation.inputs[: equation.params["constants"]]]
    moving = _moving(equation)
    before, head, inside, end = code.block, code.fresh("while"), code.fresh("do"), code.fresh("end")
    code.do(f"br label %{head}")
    code.start(head)
    phis = {k: code.phi(value_type(equation.outputs[k].type.dtype)) for k in moving}
    carry = [phis[k].name if k in phis else value for k, value in enumerate(first)]
    (going,) = scope.apply(test, [*fixed, *carry], [""], {})
    code.do(f"br i1 {going}, label %{inside}, label %{end}")
    code.start(inside)
    apart = scope.frame.unit.is_turn(body)
    following = scope.apply(body, [*fixed, *carry], targets, shared, apart)
    for k, phi in phis.items():
        phi.join((first[k], before), (following[k], code.block))
    # An empty last block would be folded into the loop before it, whose advice (its accesses never
    # meet) LLVM then takes for this loop's own, and turns are lost.
    code.do(f"call void @{code.module.declare('llvm.sideeffect', 'void', [])}()")
    code.do(f"br label %{head}")
    code.start(end)
    _define(scope, equation, carry)


@emits("scan")
def _scan(scope: Scope, equation: Equation) -> None:
    if is_shared(scope, equation):
        write_shared(scope, equation)
        return
    code, params = scope.code, equation.params
    constants, count, length = params["constants"], params["carry"], params["length"]
    first, targets, shared = _start_carry(scope, equation)
    fixed = [scope.value(a) for a in equation.inputs[:constants]]
    stacked = [(scope.pointer(a), a.type.drop((0,))) for a in equation.inputs[constants + count :]]
    results = [(scope.pointer(v), v.type.drop((0,))) for v in equation.outputs[count:]]
    moving = _moving(equation)
    if not length:
        _define(scope, equation, [*first, *("" for _ in results)])
        return
    state = [(value_type(equation.outputs[k].type.dtype), first[k]) for k in moving]
    scope.frame.unit.windows[id(params["body"])] = windows_of(equation)
    with code.loop(length, state) as loop:
        at = loop.index
        if params["reverse"]:
            at = code.let(f"sub nsw i64 {length - 1}, {at}")
        carry = list(first)
        for k, value in zip(moving, loop.state, strict=True):
            carry[k] = value
        xs = []
        for pointer, row in stacked:
            address = code.at(pointer, code.scale(at, row.size), row.dtype)
            xs.append(address if row.shape else code.load(address, "0", row.dtype))
        rows = [code.at(p, code.scale(at, t.size), t.dtype) for p, t in results]
        found = scope.apply(
            params["body"], [*fixed, *carry, *xs], [*targets[:count], *rows], shared
        )
        for address, value, (_, row) in zip(rows, found[count:], results, strict=True):
            if not row.shape:
                code.store(value, address, "0", row.dtype)
        loop.next = [found[k] for k in moving]
    final = list(first)
    for k, value in zip(moving, loop.next, strict=True):
        final[k] = value
    _define(scope, equation, [*final, *("" for _ in results)])


def _start_carry(scope: Scope, equation: Equation) -> tuple[list[str], list[str], dict[int, int]]:
    """Bring a carry into the buffers where the loop keeps it.

    Returns
    -------
    carry, targets : list of str
        Registers and addresses of the carry, and addresses for what the body makes.
    shared : dict
        Every array of the carry is made where it was.
    """
    constants, body = equation.params["constants"], equation.params["body"]
    carry, targets, shared = [], [], {}
    for k in range(equation.params.get("carry", len(body.outputs))):
        operand, var = equation.inputs[constants + k], equation.outputs[k]
        if not var.type.shape:
            carry.append(scope.scalar(operand))
            targets.append("")
            continue
        pointer = scope.pointer(var)
        if scope.place(operand) != scope.place(var):
            scope.code.copy(pointer, scope.pointer(operand), nbytes(var))
        carry.append(pointer)
        targets.append(pointer)
        shared[k] = constants + k
    return carry, targets, shared


def _moving(equation: Equation) -> list[int]:
    """The scalars of a carry that the body changes."""
    kept, count = kept_carry(equation), equation.params.get("carry", len(equation.outputs))
    return [k for k in range(count) if not equation.outputs[k].type.shape and k not in kept]


def _targets(scope: Scope, equation: Equation) -> list[str]:
    return [
        scope.pointer(v) if v.type.shape and scope.fusion.stored(v) else ""
        for v in equation.outputs
    ]


def _shared(scope: Scope, equation: Equation, skip: int) -> dict[int, int]:
    """Outputs that are made in the buffer of an operand."""
    places = {
        scope.place(a): i
        for i, a in enumerate(equation.inputs[skip:])
        if a.type.shape and scope.place(a) is not None
    }
    return {
        k: places[p]
        for k, v in enumerate(equation.outputs)
        if v.type.shape and (p := scope.place(v)) in places
    }


def _define(scope: Scope, equation: Equation, values: list[str]) -> None:
    for var, value in zip(equation.outputs, values, strict=True):
        if not var.type.shape:
            scope.define(var, value)
