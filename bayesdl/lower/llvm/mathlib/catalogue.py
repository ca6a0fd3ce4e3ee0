"""The table of scalar functions, and the one way in which a function enters a module."""

from __future__ import annotations

from collections.abc import Callable

from llvmlite import ir

from bayesdl._base.dataclass import dataclass
from bayesdl._base.registry import Registry

from .formula import DOUBLE, SINGLE, Format, Formula, Real

Definition = Callable[..., Real]


@dataclass(frozen=True, slots=True)
class Accuracy:
    """What is promised of a function, and tested.

    Attributes
    ----------
    f64, f32 : float
        Largest error, in units in the last place of the true result, over the stated range.
    absolute : float
        An error that is also allowed in float64, for results near zero.
    note : str
        Where the promise holds, or what happens outside.
    """

    f64: float
    f32: float
    absolute: float = 0.0
    note: str = ""


@dataclass(frozen=True, slots=True)
class ScalarFunction:
    """A mathematical function of one or two reals, and how to write it."""

    name: str
    arity: int
    definition: Definition
    accuracy: Accuracy
    through_double: bool


FUNCTIONS: Registry[ScalarFunction] = Registry("scalar function")


def scalar(
    name: str,
    accuracy: Accuracy,
    *,
    arity: int = 1,
    through_double: bool = False,
) -> Callable[[Definition], Definition]:
    """Enter a definition into the table.

    Parameters
    ----------
    name : str
        The name by which the emitter asks.
    accuracy : Accuracy
        The promise.
    arity : int
        Number of arguments.
    through_double : bool
        Whether the float32 version computes in float64 and rounds once at the end.

    Returns
    -------
    callable
        A decorator that returns the definition as it is.
    """

    def enter(definition: Definition) -> Definition:
        FUNCTIONS.add(name, ScalarFunction(name, arity, definition, accuracy, through_double))
        return definition

    return enter


def accuracy_table() -> str:
    """What is promised of every function, as a table for people.

    Examples
    --------
    >>> print(accuracy_table().splitlines()[1])
    arccos           2        1
    """
    lines = ["function   float64  float32  notes"]
    for name in sorted(FUNCTIONS):
        promise = FUNCTIONS[name].accuracy
        notes = [f"float64: absolute {promise.absolute:g}"] * (promise.absolute > 0)
        notes += [promise.note] * bool(promise.note)
        line = f"{name:9}  {promise.f64:7g}  {promise.f32:7g}  {'; '.join(notes)}"
        lines.append(line.rstrip())
    return "\n".join(lines)


def scalar_function(
    module: ir.Module, name: str, type: ir.DoubleType | ir.FloatType, lanes: int = 1
) -> ir.Function:
    """The function ``bdl.<name>.f64`` or ``.f32`` of a module, added on first use.

    The function is internal, inlined everywhere, free of control flow and of memory access, so
    LLVM's loop vectoriser widens a loop that calls it. ``sin``, ``cos`` and ``tan`` call another
    one, of which the vectoriser finds variants for several elements in the module.

    Parameters
    ----------
    module : ir.Module
        The module that will call the function.
    name : str
        One of `NAMES`.
    type : ir.DoubleType or ir.FloatType
        The type of every argument and of the result.
    lanes : int, default 1
        So many numbers at once; the function is then called ``bdl.<name>.v<lanes>f64``.

    Returns
    -------
    ir.Function
        Takes one value of `type` (two for ``arctan2`` and ``power``), returns one.

    Raises
    ------
    KeyError
        If there is no such function; the message lists those that exist.

    Notes
    -----
    Errors and ranges stand in `ACCURACY`. No fast-math flag may be set on these functions:
    error-free steps rely on the order in which they are written.

    Examples
    --------
    >>> from llvmlite import ir
    >>> module = ir.Module()
    >>> scalar_function(module, "tanh", ir.DoubleType()).name
    'bdl.tanh.f64'
    """
    if name not in FUNCTIONS:
        known = ", ".join(sorted(FUNCTIONS))
        raise KeyError(f"no scalar function named {name!r}; there are: {known}")
    one = DOUBLE if isinstance(type, ir.DoubleType) else SINGLE
    format, wide = (f if lanes == 1 else f.several(lanes) for f in (one, DOUBLE))
    symbol = f"bdl.{name}.{format.suffix}"
    existing = module.globals.get(symbol)
    return _write(module, symbol, FUNCTIONS[name], format, wide) if existing is None else existing


def _write(
    module: ir.Module, symbol: str, entry: ScalarFunction, format: Format, wide: Format
) -> ir.Function:
    signature = ir.FunctionType(format.type, [format.type] * entry.arity)
    function = ir.Function(module, signature, name=symbol)
    function.linkage = "internal"
    for attribute in ("alwaysinline", "nounwind", "readnone"):
        function.attributes.add(attribute)
    builder = ir.IRBuilder(function.append_basic_block("entry"))
    if entry.through_double and format.mantissa == SINGLE.mantissa:
        formula = Formula(module, builder, wide, coarse=True)
        given = [Real(formula, builder.fpext(arg, wide.type)) for arg in function.args]
        builder.ret(builder.fptrunc(entry.definition(formula, *given).value, format.type))
    else:
        formula = Formula(module, builder, format)
        builder.ret(entry.definition(formula, *(Real(formula, arg) for arg in function.args)).value)
    return function
