"""Verdicts on draws: what is wrong, by how much, and what to do about it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from bayesdl._base.dataclass import dataclass
from bayesdl.infer.draws import Moment

from . import convergence
from ._apart import Apart, apart
from ._layers import LayerLine, layers
from ._parts import parts
from .summary import KHAT_LIMIT

Arrays = Mapping[str, np.ndarray[Any, Any]]
LARGEST_RHAT = 1.01
LEAST_ESS_PER_CHAIN = 100
LEAST_BFMI = 0.3
# Part of the trajectories that a limit may end early.
MOST_CUT_OFF = 0.01
UNKNOWN = "not judged: how far these draws are from the posterior is not known"
MARKS = {True: "ok", False: "!!"}
# Prints what there is to read on a check, by its heading in docs/guide/verdict.md.
EXPLAIN = "bayesdl explain"
# Of limits that end trajectories: what reaches them, what to do, and the heading to read.
LIMITS = {
    "max_treedepth": (
        "trees reached the depth limit",
        "slow, not wrong: rescale or decorrelate parameters, or raise max_treedepth",
        "tree-depth",
    ),
    "max_steps": (
        "trajectories reached the step limit",
        "slow, not wrong: rescale or decorrelate parameters, raise max_steps, or ask for a shorter "
        "path_length",
        "steps",
    ),
}


@dataclass(frozen=True)
class Finding:
    """One thing that was checked.

    Parameters
    ----------
    name : str
        Under which it is kept in a result's attributes.
    says : str
        The value against its threshold, in words.
    value : float
    fine : bool
    advice : str
        What to do where it is not fine.
    heading : str
        Of the section that `EXPLAIN` prints.
    """

    name: str
    says: str
    value: float
    fine: bool
    advice: str
    heading: str

    def __str__(self) -> str:
        more = "" if self.fine else f"\n      {self.advice}\n      more: {EXPLAIN} {self.heading}"
        return f"{MARKS[self.fine]}  {self.says}{more}"


@dataclass(frozen=True)
class Verdict:
    """All that was checked of a run.

    Parameters
    ----------
    findings : tuple of Finding
    apart : tuple of Apart
        Elements of sites whose values set divergent draws apart from the others, the most first.
    layers : tuple of LayerLine
        Of a network's weights.
    energies : tuple of float
        E-BFMI of each chain.
    """

    findings: tuple[Finding, ...]
    apart: tuple[Apart, ...] = ()
    layers: tuple[LayerLine, ...] = ()
    energies: tuple[float, ...] = ()

    @property
    def fine(self) -> bool:
        """Whether nothing needs attention."""
        return all(f.fine for f in self.findings)

    def attrs(self) -> dict[str, Any]:
        """The same as data: value by name, names of what is not fine, and the details."""
        values: dict[str, Any] = {f.name: f.value for f in self.findings}
        values["attention"] = [f.name for f in self.findings if not f.fine]
        values["divergences_apart"] = [a.name for a in self.apart]
        values["divergences_where"] = [a.how for a in self.apart]
        if self.layers:
            values["layers"] = {line.name: line.data() for line in self.layers}
        if self.energies:
            values["bfmi"] = list(self.energies)
        return values

    def line(self) -> str:
        """All findings in one line, for a run that is fine."""
        listed = "; ".join(f.says.partition(";")[0] for f in self.findings)
        return f"{MARKS[True]}  {listed}" if listed else UNKNOWN

    def __str__(self) -> str:
        lines = [] if self.findings else [UNKNOWN]
        for f in self.findings:
            lines.append(str(f))
            if f.name == "divergences":
                lines += [f"      there, {one}" for one in self.apart]
        lines += [f"    {line}" for line in self.layers]
        return "\n".join(lines)


def of_chains(
    values: Arrays,
    stats: Arrays,
    *,
    predictions: Arrays | None = None,
    weights: tuple[str, ...] = (),
    limits: Mapping[str, Any] | None = None,
    thinned: int = 1,
) -> Verdict:
    """Judge the draws of Markov chains.

    Parameters
    ----------
    values : mapping of site name to array, shape (chain, draw, *shape)
        Latent sites.
    stats : mapping of name to array, shape (chain, draw)
        Under ArviZ's names; what is not there is not judged.
    predictions : mapping of name to array, shape (chain, draw, *shape), optional
        Of a network: judged in place of its weights.
    weights : tuple of str
        Sites that are weights of a network: these are exchangeable, so that chains may differ in
        them and agree in everything that matters. They are not judged if predictions are given.
    limits : mapping of str to int, optional
        ``max_treedepth`` or ``max_steps`` of the run, where the user gave one.
    thinned : int, default 1
        The values are those of one draw in so many of the statistics.

    Returns
    -------
    Verdict

    References
    ----------
    Vehtari, Gelman, Simpson, Carpenter & Bürkner (2021), Rank-normalization, folding, and
    localization: an improved R-hat, Bayesian Analysis 16; Betancourt (2017), A conceptual
    introduction to Hamiltonian Monte Carlo, section 6.2 (arXiv:1701.02434).

    Examples
    --------
    >>> draws = np.random.default_rng(0).normal(size=(4, 500))
    >>> print(of_chains({"mu": draws}, {"diverging": np.zeros((4, 500), bool)}))
    ok  R-hat at most 1.001 (mu); 1.01 is the limit
    ok  ESS at least 2003 (mu); 400 are needed
    ok  no divergences
    """
    judged = {n: v for n, v in values.items() if predictions is None or n not in weights}
    predicted = {f"prediction of {n}": v for n, v in (predictions or {}).items()}
    judged.update(predicted)
    counts = {n: _not_finite(v) for n, v in {**values, **predicted}.items()}
    findings = [*_mixing(judged), *_non_finite(counts), *_hamiltonian(stats, limits or {})]
    return Verdict(
        tuple(findings),
        apart(values, stats["diverging"][:, ::thinned]) if "diverging" in stats else (),
        layers(values, weights),
        _energies(stats),
    )


def of_moments(
    moments: Mapping[str, Moment], stats: Arrays, *, limits: Mapping[str, Any] | None = None
) -> Verdict:
    """Judge Markov chains whose draws were not kept, by R-hat without ranks and batch means.

    Parameters
    ----------
    moments : mapping of site name to Moment
    stats, limits
        As for `of_chains`.
    """
    chains = len(next(iter(stats.values())))
    rhat = _worst({n: m.r_hat for n, m in moments.items()}, np.nanmax)
    ess = _worst({n: m.ess for n, m in moments.items()}, np.nanmin)
    counts = {n: _not_finite(np.asarray(m.mean) + np.asarray(m.sd)) for n, m in moments.items()}
    findings = [*_agreement(rhat, ess, chains), *_non_finite(counts)]
    findings += _hamiltonian(stats, limits or {})
    return Verdict(tuple(findings), energies=_energies(stats))


def _energies(stats: Arrays) -> tuple[float, ...]:
    return tuple(map(float, convergence.bfmi(stats["energy"]))) if "energy" in stats else ()


def of_approximation(
    khat: float | None, stats: Arrays | None = None, attrs: Mapping[str, Any] | None = None
) -> Verdict:
    """Judge the draws of an approximation, by its k-hat where that is known.

    Parameters
    ----------
    khat : float or None
    stats : mapping of name to array, shape (chain, draw), optional
        With "lp" or "lp_estimate": the log density at each draw.
    attrs : mapping of name to value, optional
        Of a climb by L-BFGS "gradient_max", "gradient_limit" and "optimisation_steps".

    References
    ----------
    Yao, Vehtari, Simpson & Gelman (2018), Yes, but did it work?: Evaluating variational inference,
    section 3.
    """
    findings = [*_without_density(stats or {}), *_climbed(attrs or {})]
    if khat is not None:
        says = f"k-hat {khat:.2f}; {KHAT_LIMIT} is the limit"
        advice = "the approximation misses the posterior's tails: compare its predictions with nuts"
        findings.append(Finding("khat", says, khat, khat <= KHAT_LIMIT, advice, "k-hat"))
    return Verdict(tuple(findings))


def _without_density(stats: Arrays) -> list[Finding]:
    """Draws at which the log density is not finite, where there are any."""
    densities = np.asarray(next((stats[n] for n in ("lp", "lp_estimate") if n in stats), ()))
    share = float(np.mean(~np.isfinite(densities))) if densities.size else 0.0
    if not share:
        return []
    return [
        Finding(
            "not_finite",
            f"{share:.1%} of draws have no finite log density",
            share,
            False,
            "the approximation reaches where the model has no density: bound the site that does, "
            "by the support of its distribution",
            "draws-without-a-density",
        )
    ]


def _climbed(attrs: Mapping[str, Any]) -> list[Finding]:
    """Whether a climb has ended at a mode."""
    if "gradient_max" not in attrs:
        return []
    slope, limit = attrs["gradient_max"], attrs["gradient_limit"]
    return [
        Finding(
            "gradient_max",
            f"gradient at most {slope:.2g} after {attrs['optimisation_steps']} steps; "
            f"{limit:.2g} is the limit",
            slope,
            slope <= limit,
            "the climb did not reach the mode: give more steps (tune=), or another start; where it "
            "ended before them, the density has an edge or a kink",
            "gradient-of-a-climb",
        )
    ]


def _mixing(values: Arrays) -> list[Finding]:
    chains = next(iter(values.values())).shape[0]
    found = {name: convergence.mixing(draws) for name, draws in values.items()}
    rhats, bulks, tails = ({name: f[i] for name, f in found.items()} for i in range(3))
    ess = min(_worst(bulks, np.nanmin), _worst(tails, np.nanmin))
    return _agreement(_worst(rhats, np.nanmax), ess, chains)


def _agreement(
    worst_rhat: tuple[float, str], worst_ess: tuple[float, str], chains: int
) -> list[Finding]:
    (rhat, where), (ess, ess_where) = worst_rhat, worst_ess
    needed, several = LEAST_ESS_PER_CHAIN * chains, chains > 1
    return [
        Finding(
            "rhat_max",
            f"R-hat at most {rhat:.3f} ({where}); {LARGEST_RHAT} is the limit"
            if several
            else "R-hat needs more than one chain",
            rhat,
            several and rhat <= LARGEST_RHAT,
            "chains disagree: run longer (tune=, draws=), or look for two modes in plots of chains"
            if several
            else "run at least two, chains=4",
            "r-hat",
        ),
        Finding(
            "ess_min",
            f"ESS at least {ess:.0f} ({ess_where}); {needed} are needed",
            ess,
            ess >= needed,
            "draws are too alike: draw more (draws=), or reparametrise what is correlated",
            "effective-sample-size",
        ),
    ]


def _not_finite(draws: Any) -> int:
    """How many numbers are NaN or infinite."""
    return sum(int(np.size(part) - np.isfinite(part).sum()) for part in parts(draws))


def _non_finite(counts: Mapping[str, int]) -> list[Finding]:
    """The sites with numbers that are none, which R-hat and ESS pass over; nothing if all are."""
    bad = {name: count for name, count in counts.items() if count}
    if not bad:
        return []
    where = ", ".join(f"{name}: {count}" for name, count in bad.items())
    return [
        Finding(
            "non_finite",
            f"numbers that are NaN or infinite ({where})",
            sum(bad.values()),
            False,
            "none of what is computed from them can be trusted: rescale what overflows, and look "
            "at the draws in which it happened",
            "non-finite-draws",
        )
    ]


def _hamiltonian(stats: Arrays, limits: Mapping[str, Any]) -> list[Finding]:
    found = [_divergences(stats["diverging"])] if "diverging" in stats else []
    for setting in LIMITS:
        reached = stats.get(f"reached_{setting}")
        found += [] if reached is None else [_cut_off(reached, setting, limits.get(setting))]
    return [*found, _energy(stats["energy"])] if "energy" in stats else found


def _divergences(diverging: np.ndarray[Any, Any]) -> Finding:
    count = int(np.sum(diverging))
    return Finding(
        "divergences",
        f"{count} of {np.size(diverging)} draws diverged" if count else "no divergences",
        count,
        count == 0,
        "the posterior has a place too narrow for the step: write the model non-centred "
        "(theta = mu + tau * z), or raise target_accept to 0.95",
        "divergences",
    )


def _cut_off(reached: np.ndarray[Any, Any], setting: str, limit: int | None) -> Finding:
    """Trajectories that a limit ended before their time."""
    what, advice, heading = LIMITS[setting]
    share = float(np.mean(reached))
    says = f"{share:.1%} of {what}" + ("" if limit is None else f" of {limit}")
    return Finding(f"reached_{setting}", says, share, share <= MOST_CUT_OFF, advice, heading)


def _energy(energy: np.ndarray[Any, Any]) -> Finding:
    each = convergence.bfmi(energy)
    least, chain = float(np.min(each)), np.argmin(each)
    says = f"E-BFMI at least {least:.2f} (chain {chain}); {LEAST_BFMI} is the limit"
    if np.isnan(least):
        says = f"E-BFMI is not defined (chain {chain}): energies do not vary, or are not finite"
    advice = "energies mix slowly, as with heavy tails: reparametrise scales"
    return Finding("bfmi_min", says, least, least >= LEAST_BFMI, advice, "e-bfmi")


def _worst(values: Mapping[str, Any], extreme: Any) -> tuple[float, str]:
    """The worst element over all sites, and its name."""
    found: list[tuple[float, str]] = []
    for name, value in values.items():
        each = np.asarray(value)
        if np.isfinite(each).any():
            worst = extreme(each)
            index = np.argwhere(each == worst)[0]
            label = name + (f"[{', '.join(map(str, index))}]" if index.size else "")
            found.append((float(worst), label))
    if not found:
        return float("nan"), "no site that varies"
    return max(found) if extreme is np.nanmax else min(found)
