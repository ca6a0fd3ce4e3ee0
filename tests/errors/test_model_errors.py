"""The text of what the model language says when a model or its data are wrong."""

# ruff: noqa: E501  (a message is as long as it prints)

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import bayesdl as bdl
from bayesdl import dist
from bayesdl._base.errors import BayesdlError
from bayesdl.model.density import build_density


def two_sites_of_one_name() -> None:
    bdl.sample("scale", dist.HalfNormal(1.0))
    bdl.sample("scale", dist.Exponential(2.0))


def column(x: Any, y: Any) -> None:
    slope = bdl.sample("slope", dist.Normal(0.0, 1.0))
    with bdl.plate("rows", 3):
        bdl.sample("y", dist.Normal(slope * x, 1.0), obs=y)


def no_plate(y: Any) -> None:
    mu = bdl.sample("mu", dist.Normal(0.0, 1.0))
    bdl.sample("y", dist.Normal(mu, 1.0), obs=y)


def waiting_times(y: Any) -> None:
    rate = bdl.sample("rate", dist.Gamma(2.0, 1.0))
    bdl.sample("y", dist.Exponential(rate).expand((4,)), obs=y)


def hidden_count(y: Any) -> None:
    n = bdl.sample("n", dist.Poisson(0.5))
    bdl.sample("y", dist.Normal(n, 1.0), obs=y)


def nothing_latent(y: Any) -> None:
    bdl.sample("y", dist.Normal(0.0, 1.0), obs=y)


def branch(y: Any) -> None:
    mu = bdl.sample("mu", dist.Normal(0.0, 1.0))
    if mu > 0:
        bdl.sample("y", dist.Normal(mu, 1.0), obs=y)


def strings() -> None:
    bdl.sample("y", dist.Normal(0.0, 1.0).expand((2,)), obs=["low", "high"])


def number_for_distribution() -> None:
    bdl.sample("mu", 3.0)  # type: ignore[arg-type]


X = np.arange(3.0)


def plate_of_its_name(y: Any) -> None:
    with bdl.plate("y", 3):
        bdl.sample("y", dist.Normal(bdl.sample("mu", dist.Normal(0.0, 1.0)), 1.0), obs=y)


def dims_of_a_site(y: Any) -> None:
    group = bdl.sample("group", dist.Normal(0.0, 1.0))
    bdl.sample("y", dist.Normal(group, 1.0).expand((3,)), obs=y, dims=("group",))


def site_of_a_results_axis(y: Any) -> None:
    bdl.sample("y", dist.Normal(bdl.sample("draw", dist.Normal(0.0, 1.0)), 1.0), obs=y)


def site_with_a_slash(y: Any) -> None:
    bdl.sample("y", dist.Normal(bdl.sample("a/b", dist.Normal(0.0, 1.0)), 1.0), obs=y)


CASES: dict[str, tuple[Callable[[], Any], str]] = {
    "two sites of one name": (
        lambda: build_density(two_sites_of_one_name, ()),
        """
the name "scale" is used by two sample statements.
    first   HalfNormal(scale=1.0)  HERE
    second  Exponential(rate=2.0)  HERE
  Fix: rename one, or put them in `with scope("noise"):`.
  At HERE:  bdl.sample("scale", dist.Exponential(2.0))
  [M101]
""",
    ),
    "data with one axis too many": (
        lambda: build_density(column, (X, X[:, None])),
        """
the value of site "y" does not have the shape of its distribution.
    value         (3, 1)
    distribution  (3,)    Normal(loc=Array(f64[3]), scale=1.0)
  Fix: did you mean y[:, 0]?
  At HERE:  bdl.sample("y", dist.Normal(slope * x, 1.0), obs=y)
  [M105]
""",
    ),
    "data without a plate": (
        lambda: build_density(no_plate, (np.zeros(100),)),
        """
the value of site "y" does not have the shape of its distribution.
    value         (100,)
    distribution  ()      Normal(loc=Array(f64[]), scale=1.0)
  Fix: put the statement in `with plate("rows", 100):`.
  At HERE:  bdl.sample("y", dist.Normal(mu, 1.0), obs=y)
  [M105]
""",
    ),
    "parameters with one axis too many": (
        lambda: build_density(column, (X[:, None], X)),
        """
the distribution of site "y" does not fit the plates around it.
    distribution  (3, 1)  Normal(loc=Array(f64[3,1]), scale=1.0)
    plates        (3,)    "rows" 3
  Fix: drop the last axis of its parameters: f[:, 0].
  At HERE:  bdl.sample("y", dist.Normal(slope * x, 1.0), obs=y)
  [M104]
""",
    ),
    "parameters of another size": (
        lambda: build_density(column, (np.arange(4.0), X)),
        """
the distribution of site "y" does not fit the plates around it.
    distribution  (4,)  Normal(loc=Array(f64[4]), scale=1.0)
    plates        (3,)  "rows" 3
  Fix: give its parameters the sizes of the plates; .to_event(n) for axes of one event.
  At HERE:  bdl.sample("y", dist.Normal(slope * x, 1.0), obs=y)
  [M104]
""",
    ),
    "data outside the support": (
        lambda: build_density(waiting_times, (np.array([1.0, 2.0, -0.5, -3.0]),)),
        """
the data of site "y" lie outside the support of its distribution.
    first    y[2] = -0.5
    support  [0, ∞) of Exponential(rate=Array(f64[]))
    outside  2 of 4
  Fix: check those values, or choose a distribution whose support holds them.
  At HERE:  bdl.sample("y", dist.Exponential(rate).expand((4,)), obs=y)
  [M106]
""",
    ),
    "missing data": (
        lambda: build_density(waiting_times, (np.array([1.0, np.nan, 0.5, np.nan]),)),
        """
the argument `y` has missing values (NaN).
    missing  2 of 4 values
    rows     1, 3
  Fix: keep = ~np.isnan(y), then [keep] on every argument; or fill the values in.
  At HERE:  lambda: build_density(waiting_times, (np.array([1.0, np.nan, 0.5, np.nan]),)),
  [M107]
""",
    ),
    "missing data in a table": (
        lambda: build_density(column, (np.array([[1.0, np.nan], [np.nan, np.nan]]), X)),
        """
the argument `x` has missing values (NaN).
    missing  3 of 4 values
    rows     0, 1
  Fix: keep = ~np.isnan(x).any(axis=(1,)), then [keep] on every argument; or fill the values in.
  At HERE:  lambda: build_density(column, (np.array([[1.0, np.nan], [np.nan, np.nan]]), X)),
  [M107]
""",
    ),
    "text as an argument": (
        lambda: build_density(no_plate, (np.array(["a", "b"]),)),
        """
the argument `y` is not made of numbers.
    dtype  <U1
    shape  (2,)
    first  'a'
  Fix: convert it first; np.unique(x, return_inverse=True)[1] numbers categories.
  At HERE:  lambda: build_density(no_plate, (np.array(["a", "b"]),)),
  [M108]
""",
    ),
    "text as data of a site": (
        lambda: build_density(strings, ()),
        """
the value of site "y" is not an array of numbers.
    value  ['low', 'high']
    type   list
  Fix: convert it first; np.unique(x, return_inverse=True)[1] numbers categories.
  At HERE:  bdl.sample("y", dist.Normal(0.0, 1.0).expand((2,)), obs=["low", "high"])
  [M108]
""",
    ),
    "a latent discrete site": (
        lambda: build_density(hidden_count, (1.0,)),
        """
site "n" is discrete and latent, and cannot be summed over.
    distribution  Poisson(rate=0.5)
    values        not a finite set
  Fix: put independent ones in a plate, observe it, or draw it in a guide of your own: estimator="score_function".
  At HERE:  n = bdl.sample("n", dist.Poisson(0.5))
  [M103]
""",
    ),
    "nothing to infer": (
        lambda: build_density(nothing_latent, (1.0,)),
        """
model nothing_latent has no latent site: there is nothing to infer.
    y  observed  HERE
  Fix: add one, mu = sample("mu", dist.Normal(0.0, 1.0)), or leave out its obs=.
  At HERE:  lambda: build_density(nothing_latent, (1.0,)),
  [M102]
""",
    ),
    "a branch on an array in flight": (
        lambda: build_density(branch, (1.0,)),
        """
a Python `if`, `while`, `and` or `not` needs a number, but this value is known only when the Program runs.
    value  bool[]
  Fix: write bayesdl.numpy.where(condition, a, b) for a choice per element, or bayesdl.cond(condition, f, g, *args) for a branch.
  At HERE:  if mu > 0:
  [T201]
""",
    ),
    "no seed": (
        lambda: no_plate(1.0),
        """
site "mu" has no value, and nothing to draw it with.
    distribution  Normal(loc=0.0, scale=1.0)
  Fix: run the model under `with bayesdl.seed(0):`, or fit it, bayesdl.fit(model, ...).
  At HERE:  mu = bdl.sample("mu", dist.Normal(0.0, 1.0))
  [M109]
""",
    ),
    "a number for a distribution": (
        lambda: build_density(number_for_distribution, ()),
        """
site "mu" needs a distribution.
    given  float 3.0
  Fix: sample("mu", dist.Normal(0.0, 1.0)); deterministic() is for computed values.
  At HERE:  bdl.sample("mu", 3.0)  # type: ignore[arg-type]
  [M110]
""",
    ),
    "unknown argument": (
        lambda: build_density(column, (X,), {"yy": X}),
        """
model column does not take these arguments: missing a required argument: 'y'.
    given  1 by position, yy
    takes  (x, y)
  Fix: did you mean y=?
  At HERE:  lambda: build_density(column, (X,), {"yy": X}),
  [M115]
""",
    ),
    "a plate of a site's name": (
        lambda: build_density(plate_of_its_name, (X,)),
        """
"y" is the name of a site and of an axis.
    site  observed
    axis  of site "y"
  Fix: rename the plate, for example plate("y_rows", ...).
  At HERE:  bdl.sample("y", dist.Normal(bdl.sample("mu", dist.Normal(0.0, 1.0)), 1.0), obs=y)
  [M120]
""",
    ),
    "dims of a site's name": (
        lambda: build_density(dims_of_a_site, (X,)),
        """
"group" is the name of a site and of an axis.
    site  latent
    axis  of site "y"
  Fix: rename one, for example "group_id" in dims= and coords=.
  At HERE:  group = bdl.sample("group", dist.Normal(0.0, 1.0))
  [M120]
""",
    ),
    "a site of the name of an axis of results": (
        lambda: build_density(site_of_a_results_axis, (1.0,)),
        """
"draw" is the name of a site and of an axis.
    site  latent
    axis  of all results
  Fix: rename the site, for example "draw_effect".
  At HERE:  bdl.sample("y", dist.Normal(bdl.sample("draw", dist.Normal(0.0, 1.0)), 1.0), obs=y)
  [M120]
""",
    ),
    "a site whose name is a path": (
        lambda: build_density(site_with_a_slash, (1.0,)),
        """
"a/b" cannot be the name of a site: it would be a path in a file.
  Fix: rename it, for example "a.b".
  At HERE:  bdl.sample("y", dist.Normal(bdl.sample("a/b", dist.Normal(0.0, 1.0)), 1.0), obs=y)
  [M120]
""",
    ),
    "the size of a plate": (
        lambda: bdl.plate("rows", X.shape),  # type: ignore[arg-type]
        """
plate "rows" needs a whole number above 0 as its size.
    size  (3,)
  Fix: plate("rows", x.shape[0])
  At HERE:  lambda: bdl.plate("rows", X.shape),  # type: ignore[arg-type]
  [M113]
""",
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=list(CASES))
def test_text(case: tuple[Callable[[], Any], str]) -> None:
    """Headline, facts, fix, the user's line, code."""
    raises, text = case
    with pytest.raises(BayesdlError) as error:
        raises()
    found = re.sub(r"test_model_errors\.py:\d+", "HERE", str(error.value))
    assert found == text.strip("\n")
