"""A family of distributions on some coordinates of a position, beside a point on the others."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import Any, ClassVar

from bayesdl._base.dataclass import dataclass
from bayesdl.model.density import Density
from bayesdl.model.sites import Sites
from bayesdl.ops import numpy as bnp

from ._base import Guide
from .delta import Delta
from .model import ModelGuide

Run = tuple[int, int, bool]


@dataclass(frozen=True)
class BesidePoints(Guide):
    """A guide of the unknowns that have priors; parameters without one are fitted to a point.

    Densities are those of the former given the latter, so bounds are of the evidence as a function
    of the parameters, and weights of draws mean what they do without them.

    Parameters
    ----------
    family : Guide
        Fitted to the model; its positions have the coordinates of unknowns with priors alone.
    runs : tuple of (int, int, bool)
        First and last + 1 coordinate of each stretch of a position, and whether it is of points.
    """

    name: ClassVar[str] = "beside_points"

    family: Guide
    runs: tuple[Run, ...]

    @property
    def estimator(self) -> str:  # type: ignore[override]
        """The family's."""
        return self.family.estimator

    @property
    def has_density(self) -> bool:
        return self.family.has_density

    def start(self, key: Any, position: Any, sd: float) -> Any:
        return {
            "family": self.family.start(key, self._part(position, False), sd),
            "points": self._part(position, True),
        }

    def sample_and_log_prob(self, params: Any, key: Any) -> tuple[Any, Any]:
        position, log_prob = self.family.sample_and_log_prob(params["family"], key)
        return self._joined(position, params["points"]), log_prob

    def log_prob(self, params: Any, position: Any) -> Any:
        return self.family.log_prob(params["family"], self._part(position, False))

    def entropy(self, params: Any) -> Any:
        return self.family.entropy(params["family"])

    def mean_and_sd(self, params: Any) -> tuple[Any, Any]:
        mean, sd = self.family.mean_and_sd(params["family"])
        points = params["points"]
        return self._joined(mean, points), self._joined(sd, bnp.zeros_like(points))

    def _part(self, position: Any, points: bool) -> Any:
        """The coordinates of points, or the others."""
        return bnp.concatenate([position[a:b] for a, b, point in self.runs if point == points])

    def _joined(self, others: Any, points: Any) -> Any:
        """The inverse of `_part`."""
        parts, at = [], {False: 0, True: 0}
        for start, stop, point in self.runs:
            source, first = points if point else others, at[point]
            at[point] = first + stop - start
            parts.append(source[first : at[point]])
        return bnp.concatenate(parts)


def beside_points(guide: Guide, density: Density) -> Guide:
    """A guide fitted to a model, and points for the parameters that the model has.

    Parameters
    ----------
    guide : Guide
        A guide of the user's own is left as it is: what it does not draw is a point already.
    density : Density
    """
    points = density.sites.points
    if not points or isinstance(guide, Delta | ModelGuide):
        return guide.fitted_to(density)
    if len(points) == len(density.sites.latent):
        return Delta()
    return BesidePoints(guide.fitted_to(density), tuple(_runs(density.sites)))


def _runs(sites: Sites) -> Iterator[Run]:
    for point, group in groupby(sites.latent.values(), key=lambda site: site.point):
        run = list(group)
        yield run[0].offset, run[-1].slice.stop, point
