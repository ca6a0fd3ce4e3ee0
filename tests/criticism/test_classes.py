"""Scores of class probabilities against slow direct formulas."""

from __future__ import annotations

import numpy as np
import pytest

from bayesdl._base.errors import ArgumentError, ShapeError
from bayesdl.criticism import accuracy, brier, ece, nll

RNG = np.random.default_rng(11)
DRAWS = RNG.dirichlet([0.7, 0.7, 0.7], size=(5, 40))
PROBS = DRAWS.mean(axis=0)
LABELS = RNG.integers(0, 3, size=40)
SCORES = (accuracy, brier, ece, nll)


@pytest.mark.parametrize("score", SCORES)
def test_draws_are_averaged_before_scoring(score):
    assert score(DRAWS, LABELS) == pytest.approx(score(PROBS, LABELS), rel=1e-13)


def test_accuracy_nll_and_brier_are_their_definitions():
    hits = [max(range(3), key=lambda c, p=p: p[c]) == k for p, k in zip(PROBS, LABELS, strict=True)]
    assert accuracy(PROBS, LABELS) == np.mean(hits)
    logs = [np.log(p[k]) for p, k in zip(PROBS, LABELS, strict=True)]
    assert nll(PROBS, LABELS) == pytest.approx(-np.mean(logs), rel=1e-13)
    squares = [
        sum((p[c] - (c == k)) ** 2 for c in range(3)) for p, k in zip(PROBS, LABELS, strict=True)
    ]
    assert brier(PROBS, LABELS) == pytest.approx(np.mean(squares), rel=1e-13)


@pytest.mark.parametrize("bins", [1, 4, 15])
def test_ece_is_its_definition(bins):
    confidence, hit = PROBS.max(axis=1), PROBS.argmax(axis=1) == LABELS
    total = 0.0
    for b in range(bins):
        inside = (confidence > b / bins) & (confidence <= (b + 1) / bins)
        if inside.any():
            total += inside.sum() / 40 * abs(hit[inside].mean() - confidence[inside].mean())
    assert ece(PROBS, LABELS, bins=bins) == pytest.approx(total, rel=1e-12)


def test_certain_and_right_is_perfect():
    sure = np.eye(3)[LABELS]
    assert accuracy(sure, LABELS) == 1.0
    assert nll(sure, LABELS) == brier(sure, LABELS) == ece(sure, LABELS) == 0.0


def test_certain_and_wrong_is_infinitely_bad():
    assert nll([[1.0, 0.0]], [1]) == np.inf
    assert brier([[1.0, 0.0]], [1]) == 2.0


@pytest.mark.parametrize("score", SCORES)
def test_refuses_logits_and_labels_that_are_no_classes(score):
    with pytest.raises(ArgumentError, match="not probabilities") as caught:
        score([[2.0, -1.0]], [0])
    assert "softmax" in str(caught.value)
    for labels in ([2], [-1], [0.0]):
        with pytest.raises(ArgumentError, match="not classes"):
            score([[0.5, 0.5]], labels)


@pytest.mark.parametrize("score", SCORES)
def test_refuses_shapes_that_do_not_fit(score):
    for probs, labels in (([0.5, 0.5], [0, 1]), ([[0.5, 0.5]], [0, 1]), (PROBS, LABELS[:, None])):
        with pytest.raises(ShapeError, match="do not belong"):
            score(probs, labels)


def test_ece_needs_a_bin():
    with pytest.raises(ArgumentError, match="at least 1"):
        ece(PROBS, LABELS, bins=0)
