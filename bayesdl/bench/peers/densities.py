"""The bench models for any array library: log densities on R^dim, up to a constant.

Each takes a namespace `xp` of functions (`exp log log1p sum tanh concatenate softplus`, and `scan`
of a step over an array), a flat unconstrained position, and the data. Positions are laid out as in
`bayesdl.bench.models`.
"""

from __future__ import annotations

from typing import Any


def normal(x: Any, loc: Any, scale: float) -> Any:
    """Normal log density with a known scale, up to a constant."""
    z = (x - loc) / scale
    return -0.5 * z * z


def half_normal(xp: Any, u: Any, scale: float) -> tuple[Any, Any]:
    """(x, log density of x with the change of variables) where x = exp(u)."""
    x = xp.exp(u)
    return x, normal(x, 0.0, scale) + u


def eight_schools(xp: Any, q: Any, y: Any, error: Any) -> Any:
    """mu, log tau, offset."""
    mu, tau, offset = q[0], xp.exp(q[1]), q[2:]
    prior = normal(mu, 0.0, 5.0) - xp.log1p((tau / 5.0) ** 2) + q[1] - 0.5 * xp.sum(offset**2)
    return prior - 0.5 * xp.sum(((y - mu - tau * offset) / error) ** 2)


def hierarchical(xp: Any, q: Any, x: Any, group: Any, y: Any) -> Any:
    """mean, log spread, beta, log sigma, offset."""
    k = x.shape[1]
    mean, beta, offset = q[0], q[2 : 2 + k], q[3 + k :]
    spread, spread_prior = half_normal(xp, q[1], 2.0)
    sigma, sigma_prior = half_normal(xp, q[2 + k], 2.0)
    prior = normal(mean, 0.0, 5.0) + spread_prior + sigma_prior
    prior = prior + xp.sum(normal(beta, 0.0, 2.0)) - 0.5 * xp.sum(offset**2)
    residual = y - (mean + spread * offset)[group] - x @ beta
    return prior - 0.5 * xp.sum((residual / sigma) ** 2) - y.shape[0] * q[2 + k]


def logistic(xp: Any, q: Any, x: Any, y: Any) -> Any:
    """beta."""
    eta = x @ q
    return xp.sum(normal(q, 0.0, 2.0)) + xp.sum(y * eta - xp.softplus(eta))


def gaussian(xp: Any, q: Any, precision: Any) -> Any:
    """x."""
    return -0.5 * xp.sum(q * (precision @ q))


def poisson_glmm(xp: Any, q: Any, x: Any, y: Any) -> Any:
    """alpha, beta, log sigma, offset."""
    k = x.shape[1]
    alpha, beta, offset = q[0], q[1 : 1 + k], q[2 + k :]
    sigma, sigma_prior = half_normal(xp, q[1 + k], 1.0)
    eta = alpha + x @ beta + sigma * offset
    prior = normal(alpha, 0.0, 5.0) + xp.sum(normal(beta, 0.0, 2.0)) + sigma_prior
    return prior - 0.5 * xp.sum(offset**2) + xp.sum(y * eta - xp.exp(eta))


def _persistence(xp: Any, q: Any) -> tuple[Any, Any, Any, Any]:
    """mu, phi, sigma and the log density of the three; phi = tanh(u / 2)."""
    sigma, sigma_prior = half_normal(xp, q[2], 1.0)
    jacobian = -xp.softplus(q[1]) - xp.softplus(-q[1])
    return q[0], xp.tanh(0.5 * q[1]), sigma, normal(q[0], 0.0, 5.0) + jacobian + sigma_prior


def volatility(xp: Any, q: Any, y: Any) -> Any:
    """mu, logit of phi, log sigma, h."""
    mu, phi, sigma, prior = _persistence(xp, q)
    h = q[3:]
    drift = h - mu
    shocks = (drift[1:] - phi * drift[:-1]) / sigma
    squeeze = 1.0 - phi**2
    first = -0.5 * squeeze * (drift[0] / sigma) ** 2 + 0.5 * xp.log(squeeze)
    path = first - 0.5 * xp.sum(shocks**2) - y.shape[0] * q[2]
    return prior + path - 0.5 * xp.sum(h + y * y * xp.exp(-h))


def volatility_recursive(xp: Any, q: Any, y: Any) -> Any:
    """mu, logit of phi, log sigma, noise."""
    mu, phi, sigma, prior = _persistence(xp, q)
    noise = q[3:]
    first = sigma * noise[0] / (1.0 - phi**2) ** 0.5
    h = mu + xp.scan(lambda before, shock: phi * before + sigma * shock, first, noise[1:])
    return prior - 0.5 * xp.sum(noise**2) - 0.5 * xp.sum(h + y * y * xp.exp(-h))


def _layers(xp: Any, q: Any, x: Any, hidden: tuple[int, ...]) -> tuple[Any, Any, int]:
    """The network's output for each row, log prior of its weights, and their number."""
    sizes, place, f, prior = (x.shape[1], *hidden, 1), 0, x, 0.0
    for layer, (fan_in, fan_out) in enumerate(zip(sizes[:-1], sizes[1:])):  # noqa: B905, RUF007
        w = q[place : place + fan_in * fan_out]
        b = q[place + fan_in * fan_out : place + (fan_in + 1) * fan_out]
        place += (fan_in + 1) * fan_out
        prior = prior - 0.5 * fan_in * xp.sum(w**2) - 0.5 * xp.sum(b**2)
        f = f @ w.reshape((fan_in, fan_out)) + b
        f = xp.tanh(f) if layer < len(hidden) else f
    return f[:, 0], prior, place


def _network(hidden: tuple[int, ...]) -> Any:
    def density(xp: Any, q: Any, x: Any, y: Any) -> Any:
        f, prior, place = _layers(xp, q, x, hidden)
        sigma, sigma_prior = half_normal(xp, q[place], 1.0)
        residual = (y - f) / sigma
        return prior + sigma_prior - 0.5 * xp.sum(residual**2) - y.shape[0] * q[place]

    return density


HIDDEN = {"network_one": (50,), "network_two": (30, 30)}
network_one, network_two = (_network(hidden) for hidden in HIDDEN.values())


def network_output(xp: Any, case: str, q: Any, x: Any) -> Any:
    """What a network says of each row, shape (rows,)."""
    return _layers(xp, q, x, HIDDEN[case])[0]


DENSITIES = {
    "eight_schools": eight_schools,
    "hierarchical": hierarchical,
    "logistic": logistic,
    "gaussian": gaussian,
    "poisson_glmm": poisson_glmm,
    "volatility": volatility,
    "volatility_recursive": volatility_recursive,
    "network_one": network_one,
    "network_two": network_two,
}
