"""Bayesian inference from scratch: the whole of bayesdl in one file, small enough to read.

Read it from top to bottom, or run it: `python docs/from_scratch.py`. It needs NumPy alone, has the
nouns of the real library and walks the same line. What the prose claims, the code below it asserts.

    model + data → log density → Program → derivative → batch → simplify → lower → draws
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, make_dataclass
from functools import partial

import numpy as np

# ---- 1. A Program is a list of equations --------------------------------------------------------
# What we want to differentiate, batch and compile must first be written down: as equations, each of
# which applies one Primitive to values. Two values of one shape are still two values: `eq=False`.
@dataclass(frozen=True)
class Primitive:
    """A word of the language, and in one place all that is known of it."""
    name: str
    numpy: Callable  # the meaning
    jvp: Callable  # (tangents, y, *xs, **params) -> tangent of y
    vjp: Callable  # (cotangent, y, *xs, **params) -> one cotangent per input
    batch: Callable  # (size, params) -> params for one more leading axis

Var = make_dataclass("Var", ["shape"], frozen=True, eq=False)
Literal = make_dataclass("Literal", ["value", "shape"], frozen=True, eq=False)
Equation = make_dataclass("Equation", ["primitive", "inputs", "params", "output"], eq=False)

@dataclass(frozen=True)
class Program:
    inputs: tuple  # of Var
    equations: tuple  # of Equation, each after those that it reads
    outputs: tuple  # of Var or Literal
    def __str__(self):
        name = names(self)
        show = lambda a: f"%{name[a]}" if isinstance(a, Var) else f"literal{list(a.shape)}"
        typed = lambda v: f"{show(v)}: f64{list(v.shape)}"
        lines = [f"program({', '.join(map(typed, self.inputs))}):"]
        for eq in self.equations:
            words = [*map(show, eq.inputs), *(f"{k}={v}" for k, v in eq.params.items())]
            lines.append(f"  {typed(eq.output)} = {eq.primitive.name} {' '.join(words)}")
        return "\n".join([*lines, f"  return {', '.join(map(show, self.outputs))}"])

def names(program):
    values = [*program.inputs, *(eq.output for eq in program.equations)]
    return {v: f"v{i}" for i, v in enumerate(values)}

# ---- 2. Tracing: watch a Python function, write down what it does -------------------------------
# The function is called with Arrays: handles that hold a Var and no number. `bind` is the one gate:
# numbers alone are computed, a handle makes an equation. So one spelling serves NumPy and Programs.
BUILDERS: list[list] = []  # the equations of each trace under way, innermost last

class Array(np.lib.mixins.NDArrayOperatorsMixin):
    """A value in flight. NumPy asks `__array_ufunc__` first, so np.exp(x) and 2 * x just work."""
    def __init__(self, var, builder):
        self.var, self.builder, self.shape = var, builder, var.shape
    def __array_ufunc__(self, ufunc, method, *xs, **_):
        return UFUNCS[ufunc](*xs) if method == "__call__" and ufunc in UFUNCS else NotImplemented
    def sum(self, axis=None, **_):
        rank = len(self.shape)
        return bind(reduce_sum, self, axes=tuple(range(rank)) if axis is None else (axis % rank,))
    def __bool__(self):
        raise TypeError("a Python `if` needs a number, but here is an array in flight")

def bind(primitive, *xs, **params):
    """Use a primitive: compute when all inputs are numbers, else append an equation."""
    if not any(isinstance(x, Array) for x in xs):
        return primitive.numpy(*xs, **params)
    examples = (np.broadcast_to(1.0, np.shape(x)) for x in xs)
    output = Var(primitive.numpy(*examples, **params).shape)  # the type rule: what NumPy returns
    BUILDERS[-1].append(Equation(primitive, tuple(map(atom, xs)), params, output))
    return Array(output, BUILDERS[-1])

def atom(x):
    """What an equation stores. A handle of an outer trace is a constant for the inner one."""
    return x.var if isinstance(x, Array) and x.builder is BUILDERS[-1] else Literal(x, np.shape(x))

def trace(function, *examples):
    """Python function → Program, for inputs that have the shapes of the examples."""
    inputs = tuple(Var(np.shape(x)) for x in examples)
    BUILDERS.append([])
    try:
        result = function(*(Array(v, BUILDERS[-1]) for v in inputs))
        outputs = tuple(map(atom, result if isinstance(result, tuple) else (result,)))
        return Program(inputs, tuple(BUILDERS[-1]), outputs)
    finally:
        BUILDERS.pop()

# ---- 3. The vocabulary: each primitive is declared once -----------------------------------------
# An elementwise primitive states its partial derivatives, a linear one its transpose; both modes
# follow. Shapes must be equal: `align` broadcasts apart, so that no derivative rule has to undo it.
def elementwise(name, numpy, partials):
    def jvp(ts, y, *xs):
        terms = [p * t for p, t in zip(partials(y, *xs), ts, strict=True) if t is not None]
        return sum(terms[1:], terms[0])
    vjp = lambda ct, y, *xs: [p * ct for p in partials(y, *xs)]
    return Primitive(name, numpy, jvp, vjp, lambda size, params: params)

def linear(name, numpy, transpose, batch=lambda size, params: params):
    def jvp(ts, y, *xs, **params):
        return bind(primitive, *(np.zeros(y.shape) if t is None else t for t in ts), **params)
    primitive = Primitive(name, numpy, jvp, transpose, batch)
    return primitive

add = linear("add", np.add, lambda ct, z, x, y: (ct, ct))
negative = linear("negative", np.negative, lambda ct, y, x: (-ct,))
multiply = elementwise("multiply", np.multiply, lambda z, x, y: (y, x))
divide = elementwise("divide", np.divide, lambda z, x, y: (1 / y, -z / y))
exp = elementwise("exp", np.exp, lambda y, x: (y,))
log = elementwise("log", np.log, lambda y, x: (1 / x,))
# Adjoint pairs: broadcast and sum, slice and pad (of the last axis) are each other's transposes.
shift = lambda axes: tuple(a + 1 for a in axes)
reduce_sum = linear(
    "reduce_sum", lambda x, *, axes: np.sum(x, axis=axes),
    lambda ct, y, x, *, axes: (bind(broadcast, ct, shape=x.shape, axes=axes),),
    lambda size, params: {"axes": shift(params["axes"])})
broadcast = linear(
    "broadcast", lambda x, *, shape, axes: np.broadcast_to(np.expand_dims(x, axes), shape),
    lambda ct, y, x, *, shape, axes: (bind(reduce_sum, ct, axes=axes),),
    lambda size, params: {"shape": (size, *params["shape"]), "axes": shift(params["axes"])})
take = linear(
    "slice", lambda x, *, start, stop: x[..., start:stop],
    lambda ct, y, x, *, start, stop: (bind(pad, ct, before=start, after=x.shape[-1] - stop),))
pad = linear(
    "pad", lambda x, *, before, after: np.pad(x, [(0, 0)] * (x.ndim - 1) + [(before, after)]),
    lambda ct, y, x, *, before, after: (bind(take, ct, start=before, stop=before + x.shape[-1]),))
PRIMITIVES = (add, negative, multiply, divide, exp, log, reduce_sum, broadcast, take, pad)

def align(x, shape):
    new = len(shape) - len(np.shape(x))
    ones = tuple(a for a, n in enumerate(np.shape(x)) if n == 1 and shape[new + a] != 1)
    x = bind(reduce_sum, x, axes=ones) if ones else x
    return bind(broadcast, x, shape=shape, axes=(*range(new), *(new + a for a in ones)))

def surface(primitive, *xs):
    shape = np.broadcast_shapes(*map(np.shape, xs))
    return bind(primitive, *(x if np.shape(x) == shape else align(x, shape) for x in xs))
UFUNCS = {p.numpy: partial(surface, p) for p in PRIMITIVES if isinstance(p.numpy, np.ufunc)}
UFUNCS[np.subtract] = lambda x, y: x + (-y)
UFUNCS[np.matmul] = lambda x, w: (x * w).sum(-1)  # matrix times vector

wave = lambda x: np.sum(np.exp(-x * x) / (2 + x))
points = np.array([0.3, -1.2, 2.0])
program = trace(wave, points)
print("A traced function:", program, sep="\n")

# ---- 4. The interpreter defines what a Program means --------------------------------------------
# It goes through `bind`, so it has a second use: called with handles it copies the equations into
# the trace under way. Running a Program and inlining it are one function.
use = lambda eq, *xs: bind(eq.primitive, *xs, **eq.params)
def forward(program, args, use=use):
    """Use each equation in order; return a function that reads any Var or Literal."""
    env = dict(zip(program.inputs, args, strict=True))
    read = lambda a: env[a] if isinstance(a, Var) else a.value
    for eq in program.equations:
        env[eq.output] = use(eq, *map(read, eq.inputs))
    return read

def evaluate(program, *args):
    return tuple(map(forward(program, args), program.outputs))
assert evaluate(program, points) == (wave(points),)

# ---- 5. The calculus: Program → Program ---------------------------------------------------------
# Forward mode carries a tangent beside every value. Reverse mode goes back through the equations
# and carries cotangents. What nothing flows to has no entry: that zero is symbolic, and free.
def jvp(program):
    """(inputs, tangents) → (outputs, tangents of the outputs)."""
    def dual(*args):
        n = len(program.inputs)
        read = forward(program, args[:n])
        tangents = dict(zip(program.inputs, args[n:], strict=True))
        for eq in program.equations:
            ts, xs = [tangents.get(a) for a in eq.inputs], map(read, eq.inputs)
            if any(t is not None for t in ts):
                tangents[eq.output] = eq.primitive.jvp(ts, read(eq.output), *xs, **eq.params)
        zero_or = (tangents.get(a, np.zeros(a.shape)) for a in program.outputs)
        return (*map(read, program.outputs), *zero_or)
    return trace(dual, *program.inputs, *program.inputs)

def vjp(program):
    """(inputs, cotangents of the outputs) → (outputs, cotangents of the inputs)."""
    def sweep(*args):
        n, flow = len(program.inputs), {}
        read = forward(program, args[:n])
        def send(atoms, cts):
            for a, ct in zip(atoms, cts, strict=True):
                flow[a] = flow[a] + ct if a in flow else ct
        send(program.outputs, args[n:])
        for eq in reversed(program.equations):
            if eq.output in flow:
                ct, y, xs = flow[eq.output], read(eq.output), map(read, eq.inputs)
                send(eq.inputs, eq.primitive.vjp(ct, y, *xs, **eq.params))
        cotangents = (flow.get(v, np.zeros(v.shape)) for v in program.inputs)
        return (*map(read, program.outputs), *cotangents)
    return trace(sweep, *program.inputs, *program.outputs)

def grad(function):
    """Gradient for the first argument: trace, differentiate, inline."""
    return lambda x, *rest: evaluate(vjp(trace(function, x, *rest)), x, *rest, 1.0)[1]

direction, h = np.array([0.5, -1.0, 2.0]), 1e-6
tangent = evaluate(jvp(program), points, direction)[1]
numerical = (wave(points + h * direction) - wave(points - h * direction)) / (2 * h)
assert np.isclose(tangent, numerical, rtol=1e-8)  # forward mode is the derivative
assert np.isclose(tangent, grad(wave)(points) @ direction)  # reverse mode is the same linear map
curvature = evaluate(jvp(trace(grad(wave), points)), points, direction)[1]  # they nest
assert np.allclose(curvature, grad(lambda x: np.sum(grad(wave)(x) * direction))(points))

# ---- 6. Batching: write for one example, run for many -------------------------------------------
# `vmap` gives every value that depends on a batched input one leading axis. Elementwise primitives
# do not mind; sum and broadcast move their axes by one. Transforms compose: here vmap of vjp.
def vmap(program, size, batched):
    """The Program for `size` examples at once; `batched` says which inputs have the new axis."""
    def many(*args):
        wide = {v for v, flag in zip(program.inputs, batched, strict=True) if flag}
        def widened(a, x):
            return x if a in wide else bind(broadcast, x, shape=(size, *a.shape), axes=(0,))
        def use_wide(eq, *xs):
            if wide.isdisjoint(eq.inputs):
                return use(eq, *xs)
            wide.add(eq.output)
            params = eq.primitive.batch(size, eq.params)
            return bind(eq.primitive, *map(widened, eq.inputs, xs), **params)
        read = forward(program, args, use_wide)
        return tuple(widened(a, read(a)) for a in program.outputs)
    pairs = zip(program.inputs, batched, strict=True)
    return trace(many, *(Var((size, *v.shape)) if flag else v for v, flag in pairs))

rows = np.linspace(-1.0, 1.0, 12).reshape(4, 3)
(at_once,) = evaluate(vmap(trace(grad(wave), points), 4, [True]), rows)
assert np.allclose(at_once, [grad(wave)(row) for row in rows])  # vmap = loop

# ---- 7. To an Executable ------------------------------------------------------------------------
# A transform changes the meaning of a Program, a pass keeps it: `simplify` computes what is equal
# once and drops what nobody asks for. `lower` writes for a machine: here Python, in bayesdl LLVM.
def simplify(program):
    same, seen, kept, needed = {}, {}, [], []
    key = lambda a: a if isinstance(a, Var) else (a.shape, np.asarray(a.value).tobytes())
    for eq in program.equations:
        inputs = tuple(same.get(a, a) for a in eq.inputs)
        expression = (eq.primitive.name, *map(key, inputs), *eq.params.items())
        same[eq.output] = seen.setdefault(expression, eq.output)
        if same[eq.output] is eq.output:
            kept.append(Equation(eq.primitive, inputs, eq.params, eq.output))
    outputs = tuple(same.get(a, a) for a in program.outputs)
    wanted = set(outputs)
    for eq in reversed(kept):
        if eq.output in wanted:
            needed.append(eq)
            wanted.update(eq.inputs)
    return Program(program.inputs, tuple(reversed(needed)), outputs)

def lower(program):
    name, scope = names(program), {p.name: p.numpy for p in PRIMITIVES}
    def word(a):
        if isinstance(a, Literal):
            scope[name.setdefault(a, f"c{len(scope)}")] = a.value
        return name[a]
    lines = [f"def executable({', '.join(map(word, program.inputs))}):"]
    for eq in program.equations:
        words = [*map(word, eq.inputs), *(f"{k}={v}" for k, v in eq.params.items())]
        lines.append(f"    {word(eq.output)} = {eq.primitive.name}({', '.join(words)})")
    exec("\n".join([*lines, f"    return [{', '.join(map(word, program.outputs))}]"]), scope)
    return scope["executable"]

small = simplify(slope := trace(grad(wave), points))
print(f"\nIts gradient, {len(slope.equations)} equations, simplified:", small, sep="\n")
assert len(small.equations) < len(slope.equations)
assert np.array_equal(lower(small)(points)[0], grad(wave)(points))

# ---- 8. The model language ----------------------------------------------------------------------
# A model is a function with `sample` statements. A handler outside it reads or fills in each site.
Site = make_dataclass("Site", ["name", "dist", "value", "observed"])
HANDLERS: list[Callable] = []

@dataclass(frozen=True)
class Normal:
    loc: object
    scale: object
    support: str = "real"
    def log_prob(self, x):
        z, folded = (x - self.loc) / self.scale, math.log(2) if self.support == "positive" else 0.0
        return folded - 0.5 * z * z - np.log(self.scale) - 0.5 * math.log(2 * math.pi)
HalfNormal = lambda scale: Normal(0.0, scale, "positive")  # folded at zero

def sample(name, dist, obs=None):
    """The model statement: a random quantity with a name, observed or not."""
    site = Site(name, dist, value=obs, observed=obs is not None)
    for handle in reversed(HANDLERS):
        handle(site)
    return site.value

def read_sites(model, data, fill):
    """Run the model once, give each site without data its value, and return all sites by name."""
    sites = {}
    def handle(site):
        assert site.name not in sites, f"two sample statements are called {site.name!r}"
        site.value = site.value if site.observed else fill(site)
        sites[site.name] = site
    HANDLERS.append(handle)
    try:
        model(*data)
    finally:
        HANDLERS.pop()
    return sites

def regression(x, y=None):
    weights = sample("weights", Normal(np.zeros(2), 2.0))
    sigma = sample("sigma", HalfNormal(1.0))
    sample("y", Normal(x @ weights, sigma), obs=y)

rng = np.random.default_rng(1)
x = np.stack([np.ones(12), np.linspace(-1.0, 1.0, 12)], axis=1)
y = x @ [0.5, -1.0] + 0.4 * rng.normal(size=12)

# ---- 9. From the model to a log density on R^dim ------------------------------------------------
# Samplers like to walk where there are no walls: a positive site is walked as u = log(value). The
# density of u has the factor |d value / d u| = value, whose logarithm is u, and it joins the sum.
def log_density(model, *data):
    """(density, dim): density(position, *data) is the log joint, Jacobian included."""
    sites = read_sites(model, data, lambda site: np.ones(np.shape(site.dist.log_prob(1.0))))
    latent = [(s.name, np.shape(s.value), s.dist.support) for s in sites.values() if not s.observed]
    def density(position, *data):
        values, total, start = {}, 0.0, 0
        for name, shape, support in latent:  # a site is a vector or a scalar here
            u = bind(take, position, start=start, stop=start + math.prod(shape))
            u, start = u if shape else np.sum(u), start + math.prod(shape)
            total = total + np.sum(u) if support == "positive" else total
            values[name] = np.exp(u) if support == "positive" else u
        sites = read_sites(model, data, lambda site: values[site.name])
        return total + sum(np.sum(s.dist.log_prob(s.value)) for s in sites.values())
    return density, sum(math.prod(shape) for _, shape, _ in latent)

density, dim = log_density(regression, x, y)
position = np.array([0.1, -0.5, math.log(0.3)])
by_hand = (Normal(0.0, 2.0).log_prob(position[:2]).sum() + HalfNormal(1.0).log_prob(0.3)
           + Normal(x @ position[:2], 0.3).log_prob(y).sum() + math.log(0.3))  # + log |det|
assert np.isclose(density(position, x, y), by_hand)

# ---- 10. Hamiltonian Monte Carlo ----------------------------------------------------------------
# A particle is pushed and glides over the log density; its end point is the proposal. The whole
# trajectory is one Program for all chains; data, step size, inverse mass are inputs: no retrace.
def leapfrog(position, momentum, gradient, step_size, inverse_mass):
    """Half a kick, one drift, half a kick. Neal (2011), section 2.3."""
    momentum = momentum + 0.5 * step_size * gradient(position)
    position = position + step_size * inverse_mass * momentum
    momentum = momentum + 0.5 * step_size * gradient(position)
    return position, momentum

def trajectory(position, momentum, step_size, inverse_mass, *data):
    """End point, and the log of its Metropolis ratio: minus the change of energy."""
    energy = lambda q, p: 0.5 * np.sum(inverse_mass * p * p) - density(q, *data)
    end = (position, momentum)
    for _ in range(6):
        end = leapfrog(*end, lambda q: grad(density)(q, *data), step_size, inverse_mass)
    return end[0], energy(position, momentum) - energy(*end)

chains = 64
traced = trace(trajectory, position, position, 0.1, np.ones(dim), x, y)
whole = simplify(vmap(traced, chains, [True, True, False, False, False, False]))
move = lower(whole)
print(f"\nAn HMC trajectory: {len(traced.equations)} equations, simplified {len(whole.equations)}")
assert len(whole.equations) < len(traced.equations) / 2  # neighbouring steps share a gradient

def run(state, step_size, inverse_mass, n_draws, seed):
    """Draws (chain, draw, dim). Draw i has its own random stream: same seed, same numbers."""
    draws = []
    for i in range(n_draws):
        rng = np.random.Generator(np.random.Philox(key=[seed, i]))
        momentum = rng.normal(size=state.shape) / np.sqrt(inverse_mass)
        proposal, log_ratio = move(state, momentum, step_size, inverse_mass, x, y)
        accepted = np.log(rng.uniform(size=chains)) < log_ratio
        state = np.where(accepted[:, None], proposal, state)
        draws.append(state)
    return np.stack(draws, axis=1)

warm = run(0.3 * rng.normal(size=(chains, dim)), 0.05, np.ones(dim), 100, seed=3)
variance = warm[:, 50:].var(axis=(0, 1))  # a good inverse mass
draws = run(warm[:, -1], 0.4, variance, 250, seed=4)

# ---- 11. Was it right? --------------------------------------------------------------------------
# In three dimensions a grid will do, all points at once by vmap; for a smooth density its sums are
# right to many digits. Chains are independent: the spread of their means is an honest error.
sides = np.sqrt(variance)[:, None] * np.linspace(-9, 9, 31) + warm[:, -1].mean(0)[:, None]
grid = np.stack(np.meshgrid(*sides), axis=-1).reshape(-1, dim)
on_grid = vmap(trace(density, position, x, y), len(grid), [True, False, False])
heights = lower(simplify(on_grid))(grid, x, y)[0]
mass = np.exp(heights - heights.max())
quantities = lambda q: np.concatenate([q, q * q], axis=-1)  # intercept, slope, log sigma; squares
exact = mass @ quantities(grid) / mass.sum()
per_chain = quantities(draws).mean(axis=1)
estimate, error = per_chain.mean(0), per_chain.std(0, ddof=1) / math.sqrt(chains)
for name, row in [("exact", exact), ("HMC", estimate), ("error", error)]:
    print(f"{name:6s}", *(f"{value:8.4f}" for value in row))
# Six t statistics with 63 degrees of freedom: a false alarm has a chance below 1e-6.
assert np.all(np.abs(estimate - exact) < 6 * error)
print("\nThe sampler agrees with the exact posterior.")
