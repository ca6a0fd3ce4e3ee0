"""The two parts of predictive uncertainty."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.special
import scipy.stats

import bayesdl as bdl
from bayesdl import dist, nn
from bayesdl._base.errors import ArgumentError, ClosedFormError, ShapeError
from bayesdl.criticism.uncertainty import decompose_entropy, decompose_variance


def test_variances_add_up_to_that_of_predictions() -> None:
    """The law of total variance, against 400 000 draws of one row; seed 0, 5 standard errors."""
    rng = np.random.default_rng(0)
    mean, sd = rng.normal(size=(400_000, 1)), rng.uniform(0.5, 2.0, size=(400_000, 1))
    found = decompose_variance(mean, sd**2)
    drawn = mean + sd * rng.normal(size=mean.shape)
    error = 5.0 * np.std((drawn - drawn.mean()) ** 2) / np.sqrt(len(drawn))
    assert abs(found.total[0] - drawn.var()) < error
    np.testing.assert_allclose(found.total, found.aleatoric + found.epistemic)


def test_draws_that_agree_leave_only_noise() -> None:
    probs = np.broadcast_to([0.2, 0.3, 0.5], (10, 4, 3))
    found = decompose_entropy(probs)
    np.testing.assert_allclose(found.epistemic, 0.0, atol=1e-12)
    np.testing.assert_allclose(found.aleatoric, -np.sum(probs[0, 0] * np.log(probs[0, 0])))


def test_mutual_information_is_never_negative() -> None:
    probs = np.random.default_rng(1).dirichlet([0.1, 0.1, 0.1], size=(50, 200))
    found = decompose_entropy(probs)
    assert found.epistemic.min() >= -1e-12
    assert found.total.max() <= np.log(3.0) + 1e-12


def test_chains_must_be_joined() -> None:
    with pytest.raises(ShapeError, match="join"):
        decompose_entropy(np.ones((2, 3, 4, 5)) / 5)


X = np.linspace(-2.0, 2.0, 24).reshape(12, 2)
NEW = np.cos(np.arange(34.0)).reshape(17, 2)
Y = np.arange(12) % 3


def outputs(x: Any, count: int) -> Any:
    """Of a network; a site of its own, so that tests can compute with it in NumPy."""
    f = nn.MLP(out=count, hidden=(5,))(x)
    return bdl.deterministic("f", f)


def gaussian(x: Any, y: Any = None) -> None:
    f, scale = outputs(x, 1), bdl.sample("scale", dist.HalfNormal(1.0))
    with bdl.plate("rows", x.shape[0]):
        bdl.sample("y", nn.heads.gaussian(f, scale), obs=y)


def known_noise(x: Any, y: Any = None) -> None:
    bdl.sample("y", nn.heads.gaussian(outputs(x, 1), 0.5), obs=y)


def heteroscedastic(x: Any, y: Any = None) -> None:
    bdl.sample("y", nn.heads.heteroscedastic(outputs(x, 2)), obs=y)


def student_t(x: Any, y: Any = None) -> None:
    bdl.sample("y", nn.heads.student_t(outputs(x, 1), 5.0, 0.3), obs=y)


def poisson(x: Any, y: Any = None) -> None:
    bdl.sample("y", nn.heads.poisson(outputs(x, 1)), obs=y)


def mixture(x: Any, y: Any = None) -> None:
    bdl.sample("y", nn.heads.mixture_density(outputs(x, 6), 2), obs=y)


def categorical(x: Any, y: Any = None) -> None:
    bdl.sample("y", nn.heads.categorical(outputs(x, 3)), obs=y)


def bernoulli(x: Any, y: Any = None) -> None:
    bdl.sample("y", nn.heads.bernoulli(outputs(x, 1)), obs=y)


def softplus(f: Any) -> Any:
    return np.logaddexp(0.0, f) + nn.heads.LEAST_SCALE


def mixed(f: Any) -> tuple[Any, Any]:
    weight, loc, scale = scipy.special.softmax(f[..., :2], -1), f[..., 2:4], softplus(f[..., 4:])
    mean = (weight * loc).sum(-1)
    return mean, (weight * (scale**2 + loc**2)).sum(-1) - mean**2


NUMBERS = {
    gaussian: lambda f, s: (f[..., 0], np.broadcast_to(s[..., None] ** 2, f.shape[:-1])),
    known_noise: lambda f, s: (f[..., 0], np.full(f.shape[:-1], 0.25)),
    heteroscedastic: lambda f, s: (f[..., 0], softplus(f[..., 1]) ** 2),
    student_t: lambda f, s: (f[..., 0], np.full(f.shape[:-1], 0.09 * 5.0 / 3.0)),
    poisson: lambda f, s: (np.exp(f[..., 0]), np.exp(f[..., 0])),
    mixture: lambda f, s: mixed(f),
}
CLASSES = {
    categorical: lambda f: scipy.special.softmax(f, -1),
    bernoulli: lambda f: np.stack(
        [scipy.special.expit(-f[..., 0]), scipy.special.expit(f[..., 0])], -1
    ),
}
SETTINGS = {
    "method": "vi",
    "tune": 50,
    "draws": 30,
    "dtype": np.float64,
    "random_seed": 0,
    "progressbar": False,
}


def fitted(model: Any, **settings: Any) -> Any:
    y = Y % 2 if model is bernoulli else Y if model in (categorical, poisson) else 0.5 * Y
    return bdl.fit(model, X, y, **{**SETTINGS, **settings})


@pytest.mark.parametrize("model", NUMBERS, ids=lambda m: m.__name__)
def test_of_numbers_it_is_the_law_of_total_variance(model: Any) -> None:
    """Against NumPy on the network's outputs, for new rows."""
    post = fitted(model)
    f = post.predict(NEW)["f"]
    mean, noise = NUMBERS[model](f, post.draws.values.get("scale"))
    found = post.uncertainty(NEW)["y"]
    np.testing.assert_allclose(found.mean, mean.mean((0, 1)), rtol=1e-12)
    np.testing.assert_allclose(found.aleatoric, noise.mean((0, 1)), rtol=1e-12)
    np.testing.assert_allclose(found.epistemic, mean.var((0, 1)), rtol=1e-10)
    np.testing.assert_array_equal(found.total, found.aleatoric + found.epistemic)
    np.testing.assert_allclose(post.predict(NEW, kind="mean")["y"], mean, rtol=1e-12)
    np.testing.assert_allclose(post.predict(NEW, kind="variance")["y"], noise, rtol=1e-12)


@pytest.mark.parametrize("model", CLASSES, ids=lambda m: m.__name__)
def test_of_classes_it_is_entropy_and_mutual_information(model: Any) -> None:
    post = fitted(model)
    probs = CLASSES[model](post.predict(NEW)["f"])
    found = post.uncertainty(NEW)["y"]
    np.testing.assert_allclose(post.predict(NEW, kind="probs")["y"], probs, rtol=1e-12)
    np.testing.assert_allclose(found.mean, probs.mean((0, 1)), rtol=1e-12)
    np.testing.assert_allclose(found.total, scipy.stats.entropy(found.mean, axis=-1), rtol=1e-12)
    each = scipy.stats.entropy(probs, axis=-1)
    np.testing.assert_allclose(found.aleatoric, each.mean((0, 1)), rtol=1e-12)
    np.testing.assert_array_equal(found.epistemic, found.total - found.aleatoric)
    assert found.epistemic.min() > 0.0


def test_the_total_is_the_variance_of_what_is_drawn() -> None:
    """40 000 new observations of each row; seed 0, 5.5 standard errors: one in 1e6 over 17 rows."""
    post = fitted(heteroscedastic, draws=40_000)
    drawn, total = post.predict(NEW)["y"][0], post.uncertainty(NEW)["y"].total
    square = (drawn - drawn.mean(0)) ** 2
    error = square.std(0) / np.sqrt(len(drawn))
    assert (np.abs(square.mean(0) - total) < 5.5 * error).all()


def test_the_mean_of_a_class_is_its_probabilities() -> None:
    """And the variance that of each indicator; a Bernoulli site is a number too."""
    post, other = fitted(categorical), fitted(bernoulli)
    probs = post.predict(NEW, kind="probs")["y"]
    np.testing.assert_array_equal(post.predict(NEW, kind="mean")["y"], probs)
    np.testing.assert_array_equal(post.predict(NEW, kind="variance")["y"], probs * (1.0 - probs))
    success = other.predict(NEW, kind="probs")["y"][..., 1]
    np.testing.assert_array_equal(other.predict(NEW, kind="mean")["y"], success)


@pytest.mark.parametrize(
    ("model", "settings"),
    [
        (categorical, {"method": "nuts", "tune": 20, "draws": 10, "chains": 2}),
        (categorical, {"method": "mc_dropout", "dtype": np.float32}),
        (gaussian, {"method": "concrete_dropout"}),
    ],
    ids=["nuts", "mc_dropout", "concrete_dropout"],
)
def test_every_method_has_it_and_so_has_its_file(
    model: Any, settings: dict[str, Any], tmp_path: Path
) -> None:
    post = fitted(model, **settings)
    post.save(tmp_path / "a.nc")
    from_file = bdl.load(tmp_path / "a.nc")
    for rows in (NEW, NEW[:1]):
        found, again = post.uncertainty(rows)["y"], from_file.uncertainty(rows)["y"]
        for name in ("mean", "total", "aleatoric", "epistemic"):
            assert getattr(found, name).dtype == np.float64
            np.testing.assert_array_equal(getattr(again, name), getattr(found, name))
        assert found.dims == (("rows",) if model is gaussian else ("y_dim_0",))
    kept = fitted(model, **settings, keep="predictive")
    assert not kept.latent[0].startswith("mlp")
    np.testing.assert_allclose(
        kept.uncertainty()["y"].epistemic, post.uncertainty()["y"].epistemic, rtol=1e-4, atol=1e-6
    )


def test_arrays_have_names() -> None:
    found = fitted(gaussian).uncertainty(NEW)["y"].to_xarray()
    assert dict(found.sizes) == {"rows": 17}
    assert set(found) == {"mean", "total", "aleatoric", "epistemic"}
    classes = fitted(categorical).uncertainty(NEW)["y"].to_xarray()
    assert classes["mean"].dims == ("y_dim_0", "class")


def test_probabilities_need_classes() -> None:
    with pytest.raises(ArgumentError, match="no observed site has classes"):
        fitted(poisson).predict(NEW, kind="probs")


def test_a_distribution_without_a_formula_is_told_of() -> None:
    class Unknown(dist.Normal):
        def _variance(self) -> Any:
            raise self._no_formula("variance")

    def model(y: Any = None) -> None:
        bdl.sample("y", Unknown(bdl.sample("m", dist.Normal(0.0, 1.0)), 1.0), obs=y)

    post = bdl.fit(model, 0.3, **SETTINGS)
    with pytest.raises(ClosedFormError, match="variance"):
        post.uncertainty()


def test_a_table_of_fits_scores_classes_by_their_probabilities() -> None:
    table = bdl.compare({"vi": fitted(categorical)}, X, Y)
    assert table.column("rmse") == {"vi": None}
    assert np.isfinite(table.column("nlpd")["vi"])


MANY_ROWS = """
import sys
import numpy as np
import bayesdl as bdl
from bayesdl import nn
from bayesdl.infer.machine import peak_megabytes

def net(x, y=None):
    bdl.sample("y", nn.heads.{head}(nn.MLP((200,), {out})(x)), obs=y)

rng = np.random.default_rng(0)
small, y = rng.normal(size=(20, 3)), np.arange(20) % 3
post = bdl.fit(net, small, y * 1.0 if "{head}" == "heteroscedastic" else y, method="mc_dropout",
               tune=20, draws=4, dtype=np.float64, random_seed=1, progressbar=False)
x = rng.normal(size=(150_000, 3))
for ask in (post.predict, post.uncertainty):
    ask(small[:7])
before, nbytes = peak_megabytes(), 0
nbytes += post.predict(x)["y"].nbytes
found = post.uncertainty(x)["y"]
nbytes += sum(getattr(found, n).nbytes for n in ("mean", "total", "aleatoric", "epistemic"))
print(peak_megabytes() - before, nbytes / 1e6)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="the peak of memory is not told there")
@pytest.mark.parametrize(("head", "out"), [("heteroscedastic", 2), ("categorical", 3)])
def test_memory_does_not_grow_with_the_rows(head: str, out: int) -> None:
    """The values of the hidden layer at all rows alone would be 240 MB."""
    told = subprocess.run(
        [sys.executable, "-c", MANY_ROWS.format(head=head, out=out)],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    grown, results = map(float, told.split())
    assert grown < 100.0 + results
