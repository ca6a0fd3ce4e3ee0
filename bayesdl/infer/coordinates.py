"""Names of sites to coordinates of a position: kernels know no names."""

from __future__ import annotations

from typing import Any

from bayesdl._base.errors import ArgumentError, did_you_mean
from bayesdl._base.source import user_source
from bayesdl.model.density import Density


def coordinate_blocks(density: Density, dense: Any) -> tuple[tuple[int, ...], ...]:
    """The coordinates of sites whose covariance is to be learnt: one block a site, or a tuple.

    Parameters
    ----------
    density : Density
    dense : sequence of str or of tuple of str
        Names of latent sites; those in one tuple are learnt together.

    Raises
    ------
    ArgumentError
        For a name that no latent site has.
    """
    latent = density.sites.latent
    blocks = []
    for entry in [dense] if isinstance(dense, str) else dense:
        block: list[int] = []
        for name in (entry,) if isinstance(entry, str) else entry:
            if name not in latent:
                guess = did_you_mean(str(name), latent)
                raise ArgumentError(
                    f"dense names {name!r}, which is no latent site of the model.",
                    facts=[("latent sites", ", ".join(latent))],
                    fix=f"did you mean {guess!r}?" if guess else "use their names.",
                    where=user_source(),
                    code="A108",
                )
            block += range(density.dim)[latent[name].slice]
        blocks.append(tuple(block))
    return tuple(blocks)
