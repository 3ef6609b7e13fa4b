"""Conversions between conventions of λ.

Oracles: scikit-learn's Ridge, Lasso and MLPRegressor; the normal equations of each loss
as its definition writes it; the conditional mean of a Gaussian; the update rules as
their definitions write them, step by step in NumPy; the optimizers themselves.
"""

import itertools
import json
import math

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import Lasso, Ridge
from sklearn.neural_network import MLPRegressor
from support import replay

import keras_decay as kd

LOSS = (
    "l2",
    "half_l2",
    "half_l2_per_sample",
    "ridge_alpha",
    "mlp_alpha",
    "gaussian_prior_scale",
)
STEP = ("decoupled", "decoupled_paper", "independent", "normalized", "timescale_epochs")
L1 = ("l1", "lasso_alpha")
ALIASES = {
    "keras_l2": "l2",
    "torch_sgd": "half_l2",
    "sklearn_ridge": "ridge_alpha",
    "sklearn_mlp": "mlp_alpha",
    "adamw": "decoupled",
    "torch_adamw": "decoupled",
    "keras_weight_decay": "decoupled",
    "tfa_weight_decay": "independent",
    "keras_l1": "l1",
    "sklearn_lasso": "lasso_alpha",
}
N, B, T, ETA, NOISE = 40, 8, 30, 0.1, 0.3
NEEDED = {
    "optimizer": "sgd",
    "learning_rate": ETA,
    "n_samples": N,
    "batch_size": B,
    "epochs": T,
    "noise_variance": NOISE,
}
EVERYTHING = {**NEEDED, "n_outputs": 3}
# Strengths that matter on the data below, so that a wrong factor shows.
STRENGTH = {"ridge_alpha": 20.0, "half_l2_per_sample": 10.0, "timescale_epochs": 4.0}


def pairs(names):
    return list(itertools.permutations(names, 2))


def data(k):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(N, 5))
    y = x @ rng.normal(size=(5, k)) + rng.normal(size=(N, k))
    return x - x.mean(0), y - y.mean(0)


# What is minimised, as each definition writes it; r are the residuals of b samples.
OBJECTIVES = {
    "l2": lambda r, w, v: np.mean(r**2) + v * np.sum(w**2),
    "half_l2": lambda r, w, v: np.mean(r**2) + v / 2 * np.sum(w**2),
    "half_l2_per_sample": lambda r, w, v: np.mean(r**2) + v / (2 * N) * np.sum(w**2),
    "ridge_alpha": lambda r, w, v: np.sum(r**2) + v * np.sum(w**2),
    "gaussian_prior_scale": lambda r, w, v: (
        np.sum(r**2) / (2 * NOISE) + np.sum(w**2) / (2 * v**2)
    ),
}


def minimiser(name, strength, k):
    """The weights at which the objective of a convention is least, on all data."""
    x, y = data(k)
    one, gram = np.eye(5), x.T @ x / (N * k)
    if name == "ridge_alpha":
        return (
            Ridge(alpha=strength, fit_intercept=False).fit(x, y).coef_.T.reshape(5, k)
        )
    if name == "gaussian_prior_scale":  # E[w | y] of jointly Gaussian w and y
        covariance = strength**2 * x @ x.T + NOISE * np.eye(N)
        return strength**2 * x.T @ np.linalg.solve(covariance, y)
    # Half the derivative of a mean of squares, and of the penalty.
    pull = {"l2": 1, "half_l2": 1 / 2, "half_l2_per_sample": 1 / (2 * N)}[name]
    return np.linalg.solve(gram + pull * strength * one, x.T @ y / (N * k))


@pytest.mark.parametrize("k", (1, 3))
@pytest.mark.parametrize("source, target", pairs(OBJECTIVES))
def test_equal_minimisers_in_the_loss(source, target, k):
    value = STRENGTH.get(source, 0.2)
    settings = {"n_samples": N, "noise_variance": NOISE, "n_outputs": k}
    converted = kd.convert(value, source, target, **settings)
    expected = minimiser(source, value, k)
    np.testing.assert_allclose(minimiser(target, converted, k), expected, rtol=1e-10)
    assert np.abs(minimiser(target, 1.1 * converted, k) - expected).max() > 1e-3


@pytest.mark.parametrize("k", (1, 3))
@pytest.mark.parametrize("source", OBJECTIVES)
def test_perceptron_stays_at_the_minimiser(source, k):
    """scikit-learn's own step, at the weights that another convention calls best."""
    x, y = data(k)
    value = STRENGTH.get(source, 0.2)
    settings = {"n_samples": N, "noise_variance": NOISE, "n_outputs": k}
    alpha = kd.convert(value, source, "mlp_alpha", batch_size=N, **settings)
    best = minimiser(source, value, k)

    def moved(alpha):
        network = MLPRegressor(
            hidden_layer_sizes=(),
            alpha=alpha,
            solver="sgd",
            learning_rate_init=1.0,
            momentum=0,
            batch_size=N,
        )
        target = y if k > 1 else y[:, 0]
        network.partial_fit(x, target)
        network.coefs_[0][:], network.intercepts_[0][:] = best, 0
        network.partial_fit(x, target)
        return np.abs(network.coefs_[0] - best).max()

    assert moved(alpha) < 1e-12 < 1e-3 < moved(1.1 * alpha)


def test_prior_under_a_mean_negative_log_likelihood():
    x, y = data(3)
    sigma, one = 0.4, np.eye(N)
    l2 = kd.convert(sigma, "gaussian_prior_scale", "l2", n_samples=N, n_outputs=3)
    # The mean −log p of targets of unit variance is Σ r²/(2n) and a constant.
    weights = np.linalg.solve(x.T @ x / N + 2 * l2 * np.eye(5), x.T @ y / N)
    expected = sigma**2 * x.T @ np.linalg.solve(sigma**2 * x @ x.T + one, y)
    np.testing.assert_allclose(weights, expected, rtol=1e-10)


@pytest.mark.parametrize("k", (1, 3))
def test_lasso_satisfies_the_condition_of_l1(k):
    x, y = data(k)
    y = y if k > 1 else y[:, 0]
    w = (
        Lasso(alpha=0.4, fit_intercept=False, tol=1e-14, max_iter=100_000)
        .fit(x, y)
        .coef_
    )
    l1 = kd.convert(0.4, "lasso_alpha", "l1", n_outputs=k)
    slope = 2 * (y - x @ w.T).T @ x / (N * k)  # of the mean squared error, downward
    support = w != 0
    assert 0 < support.sum() < support.size
    np.testing.assert_allclose(slope[support], l1 * np.sign(w[support]), rtol=1e-6)
    assert (np.abs(slope[~support]) < l1).all()
    assert kd.convert(l1, "l1", "lasso_alpha", n_outputs=k) == pytest.approx(0.4, 1e-14)


# The decay of a step as each definition writes it, with v the strength.
RULES = {
    "decoupled": lambda w, v, rate: rate * v * w,
    "decoupled_paper": lambda w, v, rate: rate / ETA * v * w,
    "independent": lambda w, v, rate: v * w,
    "normalized": lambda w, v, rate: rate / ETA * (v * np.sqrt(B / (N * T))) * w,
    # An average over the last τ epochs of N/B steps.
    "timescale_epochs": lambda w, v, rate: w / (v * (N / B)),
}
SCHEDULED = ("decoupled", "decoupled_paper", "normalized")


def stepped(rule, strength, rates):
    """The weights after steps of plain SGD by `rates`, and decay by `rule`."""
    rng = np.random.default_rng(1)
    w = rng.normal(size=5)
    for rate in rates:
        w = w - rate * rng.normal(size=5) - rule(w, strength, rate)
    return w


@pytest.mark.parametrize("source, target", pairs(STEP))
def test_equal_steps(source, target):
    value = STRENGTH.get(source, 0.2)
    settings = {name: NEEDED[name] for name in NEEDED if name != "optimizer"}
    converted = kd.convert(value, source, target, **settings)
    rates = [ETA] * 7
    if source in SCHEDULED and target in SCHEDULED:
        rates = [ETA, 0.02, 0.05, 0.1, 0.08, 0.01]
    expected = stepped(RULES[source], value, rates)
    np.testing.assert_allclose(
        stepped(RULES[target], converted, rates), expected, rtol=1e-12
    )
    assert np.abs(stepped(RULES[target], 2 * converted, rates) - expected).max() > 1e-4


@pytest.mark.parametrize("loss", OBJECTIVES)
@pytest.mark.parametrize("step", STEP)
def test_plain_sgd_on_the_loss_is_decay_in_the_step(loss, step):
    """Descent of the objective by central differences, exact for a quadratic."""
    k = 3
    x, y = data(k)
    start = np.random.default_rng(1).normal(size=(5, k))

    def objective(name, w, strength):
        return OBJECTIVES[name](y - x @ w, w, strength)

    def slope(function):
        units = np.eye(5 * k).reshape(-1, 5, k)
        return lambda w: np.reshape(
            [(function(w + e) - function(w - e)) / 2 for e in units], (5, k)
        )

    # The learning rate is that of a mean squared error, whatever the definition's.
    nothing = np.inf if loss == "gaussian_prior_scale" else 0.0
    scale = objective("l2", start, 0.0) / objective(loss, start, nothing)
    value = STRENGTH.get(step, 0.2)
    converted = kd.convert(value, step, loss, **EVERYTHING)
    assert kd.convert(converted, loss, step, **EVERYTHING) == pytest.approx(
        value, 1e-13
    )
    penalised = slope(lambda w: scale * objective(loss, w, converted))
    plain = slope(lambda w: objective("l2", w, 0.0))
    rates = [ETA, 0.02, 0.05] if step in SCHEDULED else [ETA] * 3
    w = v = start
    for rate in rates:
        w = w - rate * penalised(w)
        v = v - rate * plain(v) - RULES[step](v, value, rate)
    np.testing.assert_allclose(w, v, rtol=1e-10)
    assert np.abs(w - start).max() > 0.01


def test_optimizers_agree_on_converted_strengths():
    """Float32 steps of the real things: L2 in the loss of SGD, and three couplings."""
    rng = np.random.default_rng(2)
    start = {"dense/kernel": rng.normal(size=(5, 4)).astype("float32")}
    sequence = [
        {"dense/kernel": rng.normal(size=(5, 4)).astype("float32")} for _ in range(5)
    ]
    sgd, decoupled = keras.optimizers.SGD(ETA), 0.4
    l2 = kd.convert(decoupled, "decoupled", "keras_l2", optimizer=sgd)
    w = start["dense/kernel"]
    for grads in sequence:  # 2 λ w is the gradient of λ Σw²
        w = w - np.float32(ETA) * (grads["dense/kernel"] + np.float32(2 * l2) * w)
    couplings = {
        "learning_rate": "decoupled",
        "schedule": "decoupled_paper",
        "independent": "independent",
    }
    for coupling, name in couplings.items():
        strength = kd.convert(decoupled, "decoupled", name, optimizer=sgd)
        optimizer = kd.DecoupledWeightDecay(
            keras.optimizers.SGD(ETA), strength, coupling=coupling
        )
        got = replay(optimizer, start, sequence)["dense/kernel"]
        np.testing.assert_allclose(got, w, rtol=1e-5, atol=1e-6)
    # Keras' AdamW without gradients is nothing but its decay.
    zero = [{"dense/kernel": np.zeros((5, 4), "float32")}]
    adamw = keras.optimizers.AdamW(ETA, weight_decay=decoupled)
    shrunk = start["dense/kernel"] * (
        1 - kd.convert(decoupled, "keras_weight_decay", "independent", optimizer=adamw)
    )
    got = replay(adamw, start, zero)["dense/kernel"]
    np.testing.assert_allclose(got, shrunk, rtol=1e-5)


ALL = [(a, b) for side in (LOSS + STEP, L1) for a in side for b in side]
NUMBERS = st.fixed_dictionaries(
    {
        "learning_rate": st.floats(1e-6, 10),
        "noise_variance": st.floats(1e-4, 1e4),
        "epochs": st.integers(1, 10**4),
        "n_outputs": st.integers(1, 1000),
        "batch_size": st.integers(1, 10**4),
    }
)


@settings(max_examples=30, deadline=None)
@given(NUMBERS, st.floats(-8, 8), st.integers(1, 10**5), st.data())
def test_round_trips_and_detours(numbers, exponent, batches, drawn):
    value = 10.0**exponent
    numbers |= {"n_samples": numbers["batch_size"] * batches, "optimizer": "sgd"}
    for source, target in ALL:
        there = kd.convert(value, source, target, **numbers)
        assert math.isfinite(there) and there > 0
        back = kd.convert(there, target, source, **numbers)
        assert back == pytest.approx(value, rel=1e-13)
        others = [b for a, b in ALL if a == source]
        middle = drawn.draw(st.sampled_from(others))
        detour = kd.convert(value, source, middle, **numbers)
        detour = kd.convert(detour, middle, target, **numbers)
        assert detour == pytest.approx(there, rel=1e-13)


def test_known_values():
    assert kd.convert(0.01, "l2", "half_l2") == 0.02
    assert kd.convert(0.01, "l2", "decoupled", optimizer="sgd") == 0.02
    assert kd.convert(
        0.01, "l2", "decoupled_paper", optimizer="SGD", learning_rate=0.5
    ) == pytest.approx(0.01, 1e-15)
    assert kd.convert(0.01, "ridge_alpha", "l2", n_samples=np.int64(100)) == 1e-4
    assert kd.convert(np.float32(0.5), "mlp_alpha", "l2", batch_size=2) == 0.25
    assert kd.convert(3, "lasso_alpha", "l1") == 6.0
    assert kd.convert(2.0, "gaussian_prior_scale", "ridge_alpha", noise_variance=8) == 2
    assert kd.convert(0.0, "l2", "ridge_alpha", n_samples=9) == 0.0
    # The half-life of CIFAR-10's usual settings: 1 epoch is 390 steps.
    tau = kd.convert(
        0.1,
        "torch_adamw",
        "timescale_epochs",
        learning_rate=1e-3,
        n_samples=50_000,
        batch_size=128,
    )
    assert tau == pytest.approx(25.6, 1e-14)
    assert type(kd.convert(1, "l2", "l2")) is float


def test_every_name_and_alias():
    for name in LOSS + STEP + L1:
        assert kd.convert(0.3, name, name) == 0.3
    for alias, name in ALIASES.items():
        assert kd.convert(0.3, alias, name) == kd.convert(0.3, name, alias) == 0.3


@pytest.mark.parametrize("source", LOSS + STEP + L1)
def test_what_is_needed_is_asked_for_and_no_more(source):
    for target in LOSS + STEP + L1:
        if (source in L1) != (target in L1):
            with pytest.raises(ValueError, match=r"`target` must be .* Σ.w. pulls"):
                kd.convert(0.1, source, target, **EVERYTHING)
            continue
        full = kd.convert(0.1, source, target, **NEEDED)
        asked = []
        for name in NEEDED:
            rest = {n: NEEDED[n] for n in NEEDED if n != name}
            try:
                without = kd.convert(0.1, source, target, **rest)
                # A prior without the noise is a prior for another loss.
                assert without == full or name == "noise_variance"
            except ValueError as error:
                assert f"`{name}` (" in str(error) and f"{name}=None" in str(error)
                asked.append(name)
        if not asked:
            continue
        with pytest.raises(ValueError) as caught:
            kd.convert(0.1, source, target)
        message = str(caught.value)
        assert all(f"`{name}` (" in message for name in asked)
        assert message.count("=None") == len(asked)
        kd.convert(0.1, source, target, **{name: NEEDED[name] for name in asked})
        assert ("history of gradients" in message) == ("optimizer" in asked)


def test_noise_is_asked_for_between_a_prior_and_a_squared_error():
    for name in ("ridge_alpha", "mlp_alpha"):
        for pair in ((name, "gaussian_prior_scale"), ("gaussian_prior_scale", name)):
            with pytest.raises(ValueError, match=r"`noise_variance`.*must be given"):
                kd.convert(0.1, *pair, n_samples=N, batch_size=B)


BAD = {
    "value": [True, "0.1", None, [0.1], 1j, float("nan"), math.inf, -1e-9, 10**400],
    "learning_rate": [True, "0.1", 0, -0.1, float("nan"), math.inf, np.ones(2)],
    "noise_variance": [True, "1", 0.0, -1, float("nan")],
    "n_samples": [True, 2.0, "9", 0, -1, float("nan")],
    "batch_size": [False, 2.5, 0, -1, N + 1],
    "epochs": [True, 1e2, 0],
    "n_outputs": [True, None, 0, 1.0],
    "optimizer": [True, 3, keras.optimizers.SGD, kd.L2(0.1)],
    "source": [None, 3, "", "ridge", "L2", "torch_weight_decay"],
    "target": [None, 3, "", "weight_decay", "torch_weight_decay"],
}


@pytest.mark.parametrize("name", BAD)
def test_bad_arguments_are_refused_by_name(name):
    for value in BAD[name]:
        # Also where the argument is not needed.
        arguments = {"value": 0.1, "source": "l2", "target": "half_l2", "n_samples": N}
        with pytest.raises((TypeError, ValueError)) as caught:
            kd.convert(**(arguments | {name: value}))
        message = str(caught.value)
        assert f"`{name}` must be" in message and f"Received: {name}=" in message
        assert len(message) < 500  # one value has 400 digits


def test_names_that_mean_two_things_or_nothing():
    with pytest.raises(ValueError, match=r"'half_l2'.*'decoupled'"):
        kd.convert(0.1, "torch_weight_decay", "l2")
    with pytest.raises(ValueError, match="closest is 'ridge_alpha'") as caught:
        kd.convert(0.1, "rigde_alpha", "l2")
    assert all(name in str(caught.value) for name in LOSS + STEP + L1)
    with pytest.raises(ValueError, match="closest is 'sklearn_lasso'"):
        kd.convert(0.1, "l1", "sklearn-lasso")
    for name in ("bogus", "", "l3", "torch", "alpha"):
        with pytest.raises(ValueError, match="There are l2, half_l2, ") as caught:
            kd.convert(0.1, name, "l2")
        assert all(name in str(caught.value) for name in LOSS + STEP + L1)
        assert "closest" not in str(caught.value)


@pytest.mark.parametrize("name", ("gaussian_prior_scale", "timescale_epochs"))
def test_no_decay_has_no_scale_and_no_time(name):
    source = "l2" if name in LOSS else "decoupled"
    for value in (0, 1e-320):
        with pytest.raises(
            ValueError, match=f"`value` must be .*Received: value={value}"
        ):
            kd.convert(value, source, name, **EVERYTHING | {"learning_rate": 1e-12})
    for value in (0, math.inf):
        with pytest.raises(ValueError, match="`value` must be a finite number greater"):
            kd.convert(value, name, source, **EVERYTHING)
    with pytest.raises(ValueError, match=r"`value` must be .*Received: value=1e[+]308"):
        kd.convert(1e308, "l2", "ridge_alpha", n_samples=100)


class OwnSGD(keras.optimizers.SGD):
    pass


def schedule(kind=keras.optimizers.SGD):
    return kind(keras.optimizers.schedules.CosineDecay(ETA, 10))


@pytest.mark.parametrize(
    "make, words",
    (
        (lambda: "adam", "history of gradients.*1/.1 − β.*Received: optimizer='adam'"),
        (lambda: "sgdw", "Received: optimizer='sgdw'"),
        (keras.optimizers.Adam, "history of gradients.*Received: optimizer=Adam"),
        (lambda: kd.AdamW(ETA), "history of gradients.*Received: optimizer=Adam"),
        (
            lambda: keras.optimizers.SGD(ETA, momentum=0.9),
            r"β = 0.9 accumulates.*1/\(1 − β\).*optimizer=SGD\(momentum=0.9\)",
        ),
        (lambda: kd.SGDW(ETA), r"Received: optimizer=SGD\(momentum=0.9\)"),
        (lambda: keras.optimizers.SGD(ETA, clipnorm=1.0), "clipnorm.*is clipped"),
        (lambda: keras.optimizers.SGD(ETA, clipvalue=1.0), "clipvalue.*is clipped"),
        (OwnSGD, "a subclass does is not known.*OwnSGD"),
    ),
)
def test_only_plain_sgd_crosses_the_line(make, words):
    optimizer = make()
    for pair in (("l2", "decoupled"), ("independent", "ridge_alpha")):
        with pytest.raises(ValueError, match=f"`optimizer` must be plain SGD.*{words}"):
            kd.convert(0.1, *pair, optimizer=optimizer)
    # Within one side the optimizer does not matter.
    assert kd.convert(0.1, "l2", "half_l2", optimizer=optimizer) == 0.2
    assert kd.convert(0.1, "decoupled_paper", "independent", optimizer=optimizer) == 0.1


@pytest.mark.parametrize(
    "make",
    (
        lambda: keras.optimizers.SGD(ETA),
        lambda: keras.optimizers.SGD(ETA, nesterov=True, gradient_accumulation_steps=2),
        lambda: kd.SGDW(ETA, momentum=0.0),
        lambda: keras.optimizers.LossScaleOptimizer(kd.SGDW(ETA, momentum=0.0)),
    ),
)
def test_plain_sgd_and_its_rate_are_read_from_the_optimizer(make):
    # Exactly: the float32 variable holds 0.10000000149.
    assert kd.convert(0.1, "l2", "decoupled_paper", optimizer=make()) == 0.2 * ETA
    given = kd.convert(0.1, "l2", "decoupled_paper", optimizer=make(), learning_rate=2)
    assert given == 0.4


def test_rate_that_is_no_number():
    for optimizer in (
        schedule(),
        schedule(keras.optimizers.Adam),
        keras.optimizers.Adam(lambda: ETA),
    ):
        # `independent` holds at one rate only; the others with η_0.
        for target in ("decoupled_paper", "independent"):
            with pytest.raises(ValueError, match="rate is not constant"):
                kd.convert(0.1, "decoupled", target, optimizer=optimizer)
            given = {"optimizer": optimizer, "learning_rate": ETA}
            assert kd.convert(0.1, "decoupled", target, **given) == 0.1 * ETA
        with pytest.raises(ValueError, match="rate is not constant"):
            kd.convert(0.1, "decoupled_paper", "independent", optimizer=optimizer)
    assert kd.convert(0.1, "l2", "decoupled", optimizer=schedule()) == 0.2


def test_result_is_plain():
    result = kd.convert(np.float64(0.1), "l2", "normalized", **EVERYTHING)
    assert json.loads(json.dumps(result)) == result
