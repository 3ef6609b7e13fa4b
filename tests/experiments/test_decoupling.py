"""Maps of learning rate and decay. Oracles: valleys of known slope, and the algebra."""

import numpy as np
import pytest

from keras_decay.experiments import decoupling
from keras_decay.experiments._coupling import coupling_of
from keras_decay.experiments._problems import diabetes
from keras_decay.experiments._seeds import mean_and_interval

pytestmark = pytest.mark.slow

RATES, DECAYS = np.linspace(-3, -1, 9), np.linspace(-4, 0, 17)


def valley(slope, level=-2.0):
    """Losses whose best log decay is slope · (log η + 2) + level."""
    best = slope * (RATES[:, None] + 2) + level
    return 1 + 0.1 * (DECAYS - best) ** 2


@pytest.mark.parametrize("slope", [-1, -0.3, 0, 0.7, 1])
def test_the_slope_of_a_valley(slope):
    coupling = coupling_of(valley(slope), RATES, DECAYS)
    np.testing.assert_allclose(coupling.slope, slope, atol=1e-10)
    np.testing.assert_allclose(coupling.best, slope * (RATES + 2) - 2, atol=1e-10)
    np.testing.assert_allclose(coupling.correlation, np.sign(slope), atol=1e-10)


def test_which_learning_rates_count():
    losses = valley(0.5)
    losses[0] += 10  # no good
    losses[1] = np.linspace(1, 2, len(DECAYS))  # the best at the edge
    losses[2] = 1 + 0.001 * (DECAYS + 2) ** 2  # decay does not matter
    losses[3] = np.nan  # diverged
    losses[4, -1] = np.nan  # diverged where decay is largest
    coupling = coupling_of(losses, RATES, DECAYS)
    assert np.isnan(coupling.best).tolist() == [True] * 4 + [False] * 5
    np.testing.assert_allclose(coupling.slope, 0.5, atol=1e-10)
    assert np.isnan(coupling_of(losses[:6], RATES[:6], DECAYS).slope)


def test_an_interval():
    """Against the textbook: t of 0.975 with 3 degrees of freedom is 3.182."""
    mean, half = mean_and_interval([1.0, 2.0, 3.0, 4.0, np.nan])
    assert mean == 2.5
    np.testing.assert_allclose(half, 3.182446 * np.sqrt(5 / 3 / 4), rtol=1e-6)
    assert np.isnan(mean_and_interval([1.0])[1])
    assert np.isnan(mean_and_interval([np.nan])[0])


@pytest.mark.parametrize(
    ("advantage", "verdict"),
    [
        ((0.8, 0.5), "shows"),
        ((-0.8, 0.5), "reversed"),
        ((0.4, 0.5), "undecided"),
        ((0.4, np.nan), "undecided"),
    ],
)
def test_a_verdict_needs_an_interval(advantage, verdict):
    assert decoupling._verdict(advantage) == verdict


def test_noise_about_zero_is_no_dependence():
    noisy = np.array([-0.5, 0.5, -0.4, 0.3])
    assert decoupling._size(noisy).mean() == pytest.approx(0.025)
    assert decoupling._size(np.array([-0.9, np.nan, -1.1])).tolist()[::2] == [0.9, 1.1]


@pytest.mark.slow
def test_without_momentum_one_map_is_the_other_sheared():
    """Under plain SGD λ' = η₀ λ, whatever the data: the decays add up as logarithms."""
    rates, decays = np.array([-2.0, -1.5]), np.array([-1.0, -0.5, 0.0])
    sheared = np.array([-3.0, -2.5, -2.0, -1.5])
    problem = diabetes(3, train=50, validation=30)
    coupled, decoupled = (
        decoupling.losses_of(problem, arm, rates, grid, [0], 2, momentum=0.0)[0]
        for arm, grid in ((decoupling.ARMS[0], decays), (decoupling.ARMS[1], sheared))
    )
    # Decay does something: a hundred times what is allowed below.
    assert np.ptp(coupled, axis=1).min() > 1e-3
    for row in range(2):
        np.testing.assert_allclose(
            decoupled[row, row : row + 3], coupled[row], rtol=1e-5
        )


@pytest.mark.slow
def test_what_the_quick_maps_show(found):
    """On this data L2's best strength stays where it is, and the paper's form moves."""
    numbers = found("decoupling").numbers
    (pair,) = numbers["slopes"]
    slopes = {form: np.nanmean(of_seeds) for form, of_seeds in pair["by_seed"].items()}
    # Initial weights differ between backends: nearer to 0 than to 1, and the reverse.
    assert abs(slopes["l2"]) < 0.5 < slopes["decoupled"]
    np.testing.assert_allclose(slopes["decoupled_rate"], slopes["decoupled"] - 1)
    assert pair["verdict"]["decoupled"] != "shows"
    for one in numbers["maps"].values():
        assert one["losses"].shape == (2, 3, 6)
        # Predicting the mean has a loss of about 1; the best are well below.
        assert np.nanmin(one["losses"]) < 0.6
