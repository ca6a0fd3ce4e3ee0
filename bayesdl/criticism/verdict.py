"""Verdicts on draws: what is wrong, by how much, and what to do about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from . import convergence
from .summary import KHAT_LIMIT

Arrays = Mapping[str, np.ndarray[Any, Any]]
LARGEST_RHAT = 1.01
LEAST_ESS_PER_CHAIN = 100
LEAST_BFMI = 0.3
# Standard deviations by which the mean rank of a site's divergent draws must lie off the middle.
APART = 4.0
SHOWN = 3
MARKS = {True: "ok", False: "!!"}


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
    """

    name: str
    says: str
    value: float
    fine: bool
    advice: str = ""


@dataclass(frozen=True)
class Verdict:
    """All that was checked of a run.

    Parameters
    ----------
    findings : tuple of Finding
    apart : tuple of str
        Elements of sites whose values set divergent draws apart from the others, the most first.
    """

    findings: tuple[Finding, ...]
    apart: tuple[str, ...] = ()

    @property
    def fine(self) -> bool:
        """Whether nothing needs attention."""
        return all(f.fine for f in self.findings)

    def attrs(self) -> dict[str, Any]:
        """The same as data: value by name, and the names of what is not fine."""
        values: dict[str, Any] = {f.name: f.value for f in self.findings}
        values["attention"] = [f.name for f in self.findings if not f.fine]
        values["divergences_apart"] = list(self.apart)
        return values

    def __str__(self) -> str:
        lines = []
        for f in self.findings:
            lines.append(f"{MARKS[f.fine]}  {f.says}")
            if not f.fine:
                lines.append(f"      {f.advice}")
            if f.name == "divergences" and self.apart:
                lines.append(f"      they lie apart in {', '.join(self.apart)}")
        return "\n".join(lines)


def of_chains(
    values: Arrays,
    stats: Arrays,
    *,
    predictions: Arrays | None = None,
    weights: tuple[str, ...] = (),
    max_treedepth: int | None = None,
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
    max_treedepth : int, optional
        That of the run.

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
    apart = _apart(values, stats["diverging"]) if "diverging" in stats else ()
    judged = {n: v for n, v in values.items() if predictions is None or n not in weights}
    judged.update({f"prediction of {n}": v for n, v in (predictions or {}).items()})
    findings = [*_mixing(judged), *_hamiltonian(stats, max_treedepth)]
    return Verdict(tuple(findings), apart)


def of_approximation(khat: float | None) -> Verdict:
    """Judge the draws of an approximation, by its k-hat where that is known.

    References
    ----------
    Yao, Vehtari, Simpson & Gelman (2018), Yes, but did it work?: Evaluating variational inference,
    section 3.
    """
    if khat is None:
        return Verdict(())
    says = f"k-hat {khat:.2f}; {KHAT_LIMIT} is the limit"
    advice = "the approximation misses the posterior's tails: compare its predictions with nuts"
    return Verdict((Finding("khat", says, khat, khat <= KHAT_LIMIT, advice),))


def _mixing(values: Arrays) -> list[Finding]:
    chains = next(iter(values.values())).shape[0]
    rhat, where = _worst(values, convergence.rhat, np.nanmax)
    needed = LEAST_ESS_PER_CHAIN * chains
    bulk, bulk_where = _worst(values, convergence.ess_bulk, np.nanmin)
    tail, tail_where = _worst(values, convergence.ess_tail, np.nanmin)
    ess, ess_where = min((bulk, bulk_where), (tail, tail_where))
    several = chains > 1
    found = [
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
        ),
        Finding(
            "ess_min",
            f"ESS at least {ess:.0f} ({ess_where}); {needed} are needed",
            ess,
            ess >= needed,
            "draws are too alike: draw more (draws=), or reparametrise what is correlated",
        ),
    ]
    return found


def _hamiltonian(stats: Arrays, max_treedepth: int | None) -> list[Finding]:
    found = []
    if "diverging" in stats:
        count = int(np.sum(stats["diverging"]))
        total = np.size(stats["diverging"])
        found.append(
            Finding(
                "divergences",
                f"{count} of {total} draws diverged" if count else "no divergences",
                count,
                count == 0,
                "the posterior has a place too narrow for the step: write the model non-centred "
                "(theta = mu + tau * z), or raise target_accept to 0.95",
            )
        )
    if "reached_max_treedepth" in stats:
        share = float(np.mean(stats["reached_max_treedepth"]))
        limit = "" if max_treedepth is None else f" of {max_treedepth}"
        found.append(
            Finding(
                "reached_max_treedepth",
                f"{share:.1%} of trees reached the depth limit{limit}",
                share,
                share <= 0.01,
                "slow, not wrong: rescale or decorrelate parameters, or raise max_treedepth",
            )
        )
    if "energy" in stats:
        least = float(np.min(convergence.bfmi(stats["energy"])))
        found.append(
            Finding(
                "bfmi_min",
                f"E-BFMI at least {least:.2f}; {LEAST_BFMI} is the limit",
                least,
                not least < LEAST_BFMI,
                "energies mix slowly, as with heavy tails: reparametrise scales",
            )
        )
    return found


def _worst(values: Arrays, statistic: Any, extreme: Any) -> tuple[float, str]:
    """The worst element over all sites, and its name."""
    found: list[tuple[float, str]] = []
    for name, draws in values.items():
        each = np.asarray(statistic(draws))
        if np.isfinite(each).any():
            worst = extreme(each)
            index = np.argwhere(each == worst)[0]
            label = name + (f"[{', '.join(map(str, index))}]" if index.size else "")
            found.append((float(worst), label))
    if not found:
        return float("nan"), "no site that varies"
    return max(found) if extreme is np.nanmax else min(found)


def _apart(values: Arrays, diverging: np.ndarray[Any, Any]) -> tuple[str, ...]:
    """Elements in which divergent draws rank far off the middle: z of their mean rank."""
    chosen = np.ravel(diverging).astype(bool)
    count, total = int(chosen.sum()), chosen.size
    if count < 2 or count == total:
        return ()
    found = []
    # Mann & Whitney's normal approximation to the mean rank of `count` out of `total`.
    spread = np.sqrt((total - count) * (total + 1) / 12.0 / count)
    for name, draws in values.items():
        flat = np.reshape(draws, (total, -1))
        ranks = np.argsort(np.argsort(flat, axis=0), axis=0) + 1.0
        z = np.abs(ranks[chosen].mean(axis=0) - (total + 1) / 2.0) / spread
        shape = np.shape(draws)[2:]
        for j in np.flatnonzero(z > APART):
            index = np.unravel_index(j, shape) if shape else ()
            label = name + (f"[{', '.join(map(str, index))}]" if index else "")
            found.append((float(z[j]), label))
    return tuple(label for _, label in sorted(found, reverse=True)[:SHOWN])
