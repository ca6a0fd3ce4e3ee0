"""Equal code has one fingerprint; whatever changes the code changes it."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from bayesdl.ir.fingerprint import SIZE, fingerprint
from bayesdl.ir.program import Equation, Program
from bayesdl.ir.text import from_text
from bayesdl.ops import numpy as bnp
from bayesdl.tracing import trace

TEXT = """program f(%a: f64[4], %b: f64[4]):
  %c: f64[4] = mul %a 0.5:f64
  %d: f64[4] = sub %c %b
  %e: f64[] = reduce_sum %d axes=(0)
  return %e %d"""


def test_names_and_lines_do_not_count() -> None:
    found = fingerprint(from_text(TEXT))
    renamed = TEXT.replace("program f", "program g").replace("%a", "%x")
    assert found == fingerprint(from_text(renamed))
    assert len(found) == SIZE
    first = fingerprint(trace(lambda x: bnp.exp(x), np.zeros(3)).program)
    second = fingerprint(trace(lambda y: bnp.exp(y), np.zeros(3), name="other").program)
    assert first == second


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("mul %a", "div %a"),
        ("0.5:f64", "0.25:f64"),
        ("sub %c %b", "sub %b %c"),
        ("return %e %d", "return %e %c"),
        ("f64[4]", "f64[5]"),
        ("f64", "f32"),
    ],
)
def test_what_counts(old: str, new: str) -> None:
    assert fingerprint(from_text(TEXT)) != fingerprint(from_text(TEXT.replace(old, new)))


def test_parameters_are_told_apart() -> None:
    """−0 and 0, 1 and 1.0 and true, and arrays of equal bytes."""
    (equation,) = trace(lambda x: bnp.exp(x), np.zeros(3)).program.equations

    def of(value: object) -> bytes:
        changed = Equation(equation.primitive, equation.inputs, {"p": value}, equation.outputs)
        return fingerprint(Program("f", equation.inputs, (changed,), equation.outputs))

    values = [0.0, -0.0, 0, False, None, "0", (0,), ((0,),), np.float64(0.0), np.float32(0.0)]
    values += [np.dtype("f8"), np.zeros(2), np.zeros((1, 2)), np.zeros(4, np.float32), np.zeros(0)]
    assert len({of(v) for v in values}) == len(values)
    assert of(np.float64("nan")) == of(np.float64("nan"))
    assert of(np.arange(6.0)[::2]) == of(np.array([0.0, 2.0, 4.0]))
    with pytest.raises(TypeError, match="has no fingerprint"):
        of(object())


def test_sharing_counts() -> None:
    """One inner Program used twice is emitted once, two equal ones twice."""
    outer = "program f(%a: f64[4]):\n  %b: f64[4] = call %a program={0}\n"
    outer += "  %c: f64[4] = call %b program={0}\n  return %c"
    inner = "{{\n    program g(%a: f64[4]):\n      %b: f64[4] = exp %a\n      return %b\n  }}"
    apart = from_text(outer.format(inner.format()))
    first, second = apart.equations
    shared = Equation(second.primitive, second.inputs, first.params, second.outputs)
    together = Program("f", apart.inputs, (first, shared), apart.outputs)
    assert fingerprint(apart) != fingerprint(together)


def test_it_is_the_same_in_every_process() -> None:
    code = f"""if True:
        from bayesdl.ir.fingerprint import fingerprint
        from bayesdl.ir.text import from_text
        from bayesdl.lower.executable import VOCABULARY
        print(fingerprint(from_text({TEXT!r})).hex())"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == fingerprint(from_text(TEXT)).hex()
