"""Forms of decay compared. Oracles: `fit`, scipy's paired t, and Holm by hand."""

import keras
import numpy as np
import pytest
from scipy.stats import ttest_rel

import keras_decay as kd
from keras_decay.experiments import _problems, which_decay
from keras_decay.experiments._pairs import compared

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def numbers(found):
    return found("which-decay").numbers


def test_strengths_are_chosen_by_validation(numbers):
    for name, own in numbers["losses"]["diabetes"].items():
        best = own["validation_losses"].argmin(axis=0)
        assert np.array_equal(own["chosen"], own["strengths"][best])
        assert np.array_equal(own["test"], own["test_losses"][best, range(3)]), name
    assert numbers["losses"]["diabetes"]["none"]["chosen"].tolist() == [0, 0, 0]


def test_decay_helps(numbers):
    means = {
        name: own["validation_losses"].min(axis=0).mean()
        for name, own in numbers["losses"]["diabetes"].items()
    }
    assert max(means["l2"], means["adamw"]) < 0.97 * means["none"]


def test_a_training_is_that_of_fit(numbers):
    problem = _problems.diabetes(0, train=200, validation=100)
    own = numbers["losses"]["diabetes"]["adamw"]
    number, split = 1, 2
    x, y = (np.concatenate(parts) for parts in zip(*problem[1:4], strict=True))
    pairs = _problems._pairs_of_rows(problem, len(x), 3, 0, 142)
    train, held_out = pairs[split]
    assert not set(train) & set(held_out)
    keras.utils.set_random_seed(0)
    model = which_decay.model_of(problem, which_decay.ADAMW, own["strengths"][number])
    for epoch in range(which_decay.EPOCHS):
        rows = train[kd.search.epoch_order(0, epoch, len(train))]
        model.fit(x[rows], y[rows], batch_size=25, shuffle=False, verbose=0)
    for name, rows in (("validation", held_out[:100]), ("test", held_out[100:])):
        loss = model.evaluate(x[rows], y[rows], verbose=0)
        # 240 steps in float32 by another order of sums.
        np.testing.assert_allclose(
            own[f"{name}_losses"][number, split], loss, rtol=2e-3
        )


def test_comparisons_against_scipy():
    rng = np.random.default_rng(0)
    common = rng.normal(size=8)
    losses = {
        "worst": common + 1 + 0.1 * rng.normal(size=8),
        "near": common + 0.05 * rng.normal(size=8),
        "far": common + 0.3 + 0.1 * rng.normal(size=8),
        "best": common - 0.02,
    }
    found = compared(losses)
    p = {n: ttest_rel(losses[n], losses["best"]).pvalue for n in losses if n != "best"}
    assert p["worst"] < p["far"] < p["near"]
    # Holm: the smallest three times, the next twice, never less than one before.
    first = 3 * p["worst"]
    second = max(first, 2 * p["far"])
    expected = {"worst": first, "far": second, "near": max(second, p["near"])}
    for name, value in expected.items():
        np.testing.assert_allclose(found[name]["p"], value, rtol=1e-12)
    words = {name: each["words"] for name, each in found.items()}
    assert words == {
        "worst": "worse",
        "near": "not significant",
        "far": "worse",
        "best": "best",
    }
    np.testing.assert_allclose(found["far"]["difference"], 0.32, atol=0.1)


def test_equal_losses_are_no_difference():
    found = compared({"a": np.ones(3), "b": np.ones(3), "c": np.ones(3) + 1})
    assert [each["words"] for each in found.values()] == [
        "best",
        "not significant",
        "worse",
    ]
