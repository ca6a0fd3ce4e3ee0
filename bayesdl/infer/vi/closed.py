"""Divergences in closed form: for a mean-field guide, what a site costs without an estimate."""

from __future__ import annotations

from typing import Any

from bayesdl._base.dataclass import dataclass
from bayesdl.bijectors import Exp, Identity
from bayesdl.dist import Distribution, LogNormal, Normal
from bayesdl.model.density import Density
from bayesdl.model.handlers import Statement
from bayesdl.model.sites import Site
from bayesdl.ops import numpy as bnp

from ..minibatch import Turn, minibatch_target
from ..targets import NoisyTarget
from .guides._base import LOG_2PI
from .local import Spread
from .terms import divergence_of


@dataclass(frozen=True)
class ClosedTarget(NoisyTarget):
    """The ELBO of a mean-field guide, given its draw.

        E_q log p(data | z) − Σ_sites KL(q(site) ‖ p(site | others))

    The other unknowns in a site's prior are those of the draw. Sites without a formula add log
    prior at the draw, and the entropy of the guide.
    """

    def function(self, place: Any, turn: Turn, *data: Any) -> Any:
        """Log density at a position, or an estimate of the bound for the guide of a `Spread`."""
        if not isinstance(place, Spread):
            return self.minibatch.function(place, turn, *data)
        part, rows = self.minibatch.part, self.minibatch.chosen(turn, data)
        terms = part.site_log_densities(place.draw, *rows)
        statements = part.read(place.draw, rows).statements
        for name, site in part.sites.latent.items():
            if site.point:
                continue
            mean, sd = site.part(place.mean), site.part(place.sd)
            law = _law(site, mean, sd)
            found = None if law is None else divergence_of(law, statements[name])
            if found is None or name not in terms:
                entropy = bnp.log(sd).sum() + 0.5 * site.size * (1.0 + LOG_2PI)
                terms[name] = entropy + terms.get(name, 0.0)
            else:
                terms[name] = -_total(statements[name], found)
        return self.minibatch.total(terms, turn)


def closed_target(density: Density, batch: int | None) -> ClosedTarget:
    """The target of an ELBO with divergences in closed form.

    Parameters
    ----------
    density : Density
    batch : int or None
        Rows in each estimate; all if not given.
    """
    return ClosedTarget(minibatch_target(density, batch), ())


def _law(site: Site, mean: Any, sd: Any) -> Distribution | None:
    """The guide of one site, on the site's own values."""
    assert site.constraint is not None
    kinds = {Identity: Normal, Exp: LogNormal}
    kind = kinds.get(type(site.constraint.bijector))
    if kind is None:
        return None
    return kind(mean, sd).to_event(site.constraint.event_ndim)


def _total(statement: Statement, terms: Any) -> Any:
    total = bnp.sum(terms)
    return total if statement.scale is None else statement.scale * total
