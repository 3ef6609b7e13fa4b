"""The penalties that are sums over entries: value, gradient and proximal step.

Oracles: the papers' formulas in NumPy and brute force, both in `numpy_penalties`;
scipy.stats for the priors; the simpler penalties that they have as limits.
"""

import math

import keras
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from keras import ops
from numpy_penalties import FAMILIES, excess
from support import gradient, mostly_slow, to_numpy

import keras_decay as kd

# Those with a corner at zero, whose proximal steps give exact zeros (Lp: p ≤ 1).
SPARSE = {"Lp", "MCP", "SCAD", "LogSum", "LaplacePrior"}
EXAMPLES = {  # settings of no special kind
    "Lp": {"strength": 0.3, "p": 0.8},
    "HuberL1": {"strength": 0.3, "delta": 0.2},
    "MCP": {"strength": 0.3, "gamma": 2.5},
    "SCAD": {"strength": 0.3, "a": 3.7},
    "LogSum": {"strength": 0.3, "epsilon": 0.2},
    "GaussianPrior": {"scale": 0.4, "n_samples": 3},
    "LaplacePrior": {"scale": 0.4, "n_samples": 3},
    "StudentTPrior": {"df": 3, "scale": 0.4, "n_samples": 3},
    "HorseshoePrior": {"scale": 0.4, "n_samples": 3},
}
STEPS = st.sampled_from([0.0, 1e-3, 1.0, 2.0, 3.7]) | st.floats(0, 60)
SHAPES = st.sampled_from([(), (0,), (7,), (5, 8), (2, 3, 4, 5)])
if keras.backend.backend() == "jax":
    # It compiles every operation for every shape, and the loops of Lp and the horseshoe
    # for every example.
    SHAPES = st.sampled_from([(0,), (5, 8)])
EXAMPLE_COUNT = 8 if keras.backend.backend() == "jax" else 30


def drawn_weights(shape, seed, decades):
    """Weights of many magnitudes, some of them zero."""
    rng = np.random.default_rng(seed)
    w = rng.choice([-1, 0, 1], size=shape, p=[0.45, 0.1, 0.45])
    return w * 10 ** rng.uniform(*decades, size=shape)


@pytest.mark.parametrize(
    "name", mostly_slow(FAMILIES, set(FAMILIES) - {"HorseshoePrior"})
)
@settings(
    deadline=None,
    max_examples=EXAMPLE_COUNT,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    data=st.data(),
    step=STEPS,
    shape=SHAPES,
    seed=st.integers(0, 10**6),
    decades=st.sampled_from([(-3, 2), (-1, 1), (-9, 6)]),
)
def test_prox_is_the_global_minimiser(name, data, step, shape, seed, decades, float64):
    family = FAMILIES[name]
    chosen = {key: data.draw(values, key) for key, values in family.settings.items()}
    w = drawn_weights(shape, seed, decades)
    penalty = family.make(**chosen)
    v = to_numpy(penalty.prox(ops.convert_to_tensor(w), step))
    assert v.shape == shape and v.dtype == np.float64
    assert np.all(v * w >= 0) and np.all(np.abs(v) <= np.abs(w))
    if step == 0:
        np.testing.assert_array_equal(v, w)

    def value(m):
        return (family.prox_value or family.value)(m, **chosen)

    assert np.all(excess(v.ravel(), w.ravel(), step, value) <= 1e-12)
    # The optimality condition, where v is not zero: v − w + step · Ω′(v) = 0.
    kept = np.abs(v) > 1e-300
    m, a = np.abs(v[kept]), np.abs(w[kept])
    slope = (family.prox_slope or family.slope)(m, **chosen)
    np.testing.assert_allclose((m - a + step * slope) / a, 0, atol=1e-9)
    if name in SPARSE and chosen.get("p", 1) <= 1:
        assert np.all(np.abs(v[v != 0]) > 1e-14 * np.abs(w[v != 0]))


@pytest.mark.parametrize("name", FAMILIES)
@settings(
    deadline=None,
    max_examples=EXAMPLE_COUNT // 2,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data(), seed=st.integers(0, 10**6))
def test_value_and_gradient_are_the_formulas(name, data, seed, float64):
    family = FAMILIES[name]
    chosen = {key: data.draw(values, key) for key, values in family.settings.items()}
    w = drawn_weights((4, 30), seed, (-4, 2))
    penalty = family.make(**chosen)
    value = to_numpy(penalty(ops.convert_to_tensor(w)))
    assert value.shape == ()
    np.testing.assert_allclose(
        value, family.value(np.abs(w), **chosen).sum(), rtol=1e-10, atol=1e-14
    )
    slopes = np.sign(w) * family.slope(np.abs(w), **chosen)
    np.testing.assert_allclose(gradient(penalty, w), slopes, rtol=1e-9, atol=1e-14)


@pytest.mark.parametrize("name", FAMILIES)
def test_slopes_are_central_differences_of_the_values(name):
    # Of the oracles themselves, so that the tests above rest on the values alone.
    family, chosen = FAMILIES[name], EXAMPLES[name]
    m = np.array([1e-3, 0.11, 0.27, 0.4, 0.9, 1.8])
    h = 1e-5 * m
    for value, slope in [
        (family.value, family.slope),
        (family.prox_value or family.value, family.prox_slope or family.slope),
    ]:
        rise = value(m + h, **chosen) - value(m - h, **chosen)
        np.testing.assert_allclose(rise / (2 * h), slope(m, **chosen), rtol=1e-6)


EXTREME = np.array([0, -1e-30, 1e-9, -3e-4, 1e5, -1e18, 1e30], "float32")


@pytest.mark.parametrize("name", FAMILIES)
def test_extreme_weights_in_float32(name):
    family, chosen = FAMILIES[name], EXAMPLES[name]
    penalty, wide = family.make(**chosen), EXTREME.astype("float64")
    assert np.isfinite(gradient(penalty, EXTREME)).all()
    for w, x in zip(EXTREME, wide, strict=True):
        found = to_numpy(penalty(ops.convert_to_tensor([w])))
        with np.errstate(over="ignore"):
            expected = family.value(np.abs(x), **chosen).astype("float32")
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-7)
    for step in (0.0, 0.7, 1e12):
        v = to_numpy(penalty.prox(ops.convert_to_tensor(EXTREME), step))
        excesses = excess(
            v.astype("float64"),
            wide,
            step,
            lambda m: (family.prox_value or family.value)(m, **chosen),
        )
        assert np.isfinite(v).all() and np.all(excesses <= 1e-6)
    zero = np.zeros_like(EXTREME)
    np.testing.assert_array_equal(gradient(penalty, zero), zero)
    v = to_numpy(penalty.prox(ops.convert_to_tensor(zero), 0.7))
    np.testing.assert_array_equal(v, zero)


@pytest.mark.parametrize("p, huge", [(0.01, 1e30), (2.0, 1e30), (3.0, 1e18)])
def test_gradient_of_powers_of_huge_weights(p, huge):
    # The power itself may be beyond float32, when its derivative is not.
    found = gradient(kd.Lp(1.0, p), np.array([huge], "float32"))
    np.testing.assert_allclose(found, [p * huge ** (p - 1)], rtol=1e-5)


@pytest.mark.parametrize("p", [0.1, 0.5, 2 / 3, 0.97, 1.0])
def test_lp_is_zero_up_to_the_documented_threshold(p, float64):
    step, strength = 0.7, 0.6
    knee = (2 * (1 - p) / (2 - p)) ** ((1 - p) / (2 - p)) if p < 1 else 1
    threshold = (step * strength * (2 - p)) ** (1 / (2 - p)) / knee
    around = threshold * np.array([0.5, 1 - 1e-9, 1 + 1e-9, 2])
    v = to_numpy(kd.Lp(strength, p).prox(ops.convert_to_tensor(around), step))
    np.testing.assert_array_equal(v != 0, [False, False, True, True])


def test_half_thresholding_is_the_papers(float64):
    # Xu et al. 2012 write ‖x − a‖² + λ‖x‖_{1/2}; ours is half of it with λ = 2t.
    a, t = np.linspace(1.2, 9, 50), 0.6
    angle = np.arccos(2 * t / 8 * (a / 3) ** -1.5)
    expected = 2 / 3 * a * (1 + np.cos(2 * np.pi / 3 - 2 / 3 * angle))
    v = to_numpy(kd.Lp(t, 0.5).prox(ops.convert_to_tensor(a), 1.0))
    np.testing.assert_allclose(v, expected, rtol=1e-10)


LIMITS = {
    "MCP is L1 for large gamma": (kd.MCP(0.3, 1e12), kd.L1(0.3), 1e-9),
    "SCAD is L1 for large a": (kd.SCAD(0.3, 1e12), kd.L1(0.3), 1e-9),
    "LogSum is L1 for large epsilon": (kd.LogSum(0.3e9, 1e9), kd.L1(0.3), 1e-7),
    "HuberL1 is L1 for small delta": (kd.HuberL1(0.3, 1e-12), kd.L1(0.3), 1e-9),
    "Lp(p=1) is L1 but for epsilon": (kd.Lp(0.3, 1), kd.L1(0.3), 1e-4),
    "Lp(p=2) is L2": (kd.Lp(0.3, 2), kd.L2(0.3), 1e-9),
    "GaussianPrior is L2": (kd.GaussianPrior(0.5, 4), kd.L2(0.5), 1e-12),
    "LaplacePrior is L1": (kd.LaplacePrior(0.5, 4), kd.L1(0.5), 1e-12),
    "StudentTPrior is GaussianPrior for large df": (
        kd.StudentTPrior(1e12, 0.5, 4),
        kd.GaussianPrior(0.5, 4),
        1e-9,
    ),
}


@pytest.mark.parametrize("name", LIMITS)
def test_special_cases_equal_the_simpler_penalty(name, float64):
    general, simple, tolerance = LIMITS[name]
    w = np.random.default_rng(0).normal(size=(6, 7))
    w[0, 0] = 0
    tensor = ops.convert_to_tensor(w)
    np.testing.assert_allclose(
        to_numpy(general(tensor)), to_numpy(simple(tensor)), rtol=tolerance
    )
    proximal = [to_numpy(p.prox(tensor, 0.7)) for p in (general, simple)]
    np.testing.assert_allclose(*proximal, rtol=tolerance, atol=tolerance * 1e-3)
    if name.startswith(("MCP", "SCAD", "Lp", "Laplace")):
        np.testing.assert_array_equal(proximal[0] == 0, proximal[1] == 0)


def test_convexity_is_said():
    convex = {name for name in FAMILIES if FAMILIES[name].make(**EXAMPLES[name]).convex}
    assert convex == {"HuberL1", "GaussianPrior", "LaplacePrior"}
    assert kd.Lp(0.1, 1).convex and kd.Lp(0.1, 1.5).convex


def test_priors_are_the_log_densities_of_scipy(float64):
    from scipy import stats

    w, n, s = np.random.default_rng(0).normal(size=50), 7, 0.4
    for prior, distribution in [
        (kd.GaussianPrior(s, n), stats.norm(scale=s)),
        (kd.LaplacePrior(s, n), stats.laplace(scale=s)),
        (kd.StudentTPrior(2.5, s, n), stats.t(2.5, scale=s)),
    ]:
        value = to_numpy(prior(ops.convert_to_tensor(w)))
        dropped = -w.size * distribution.logpdf(0) / n
        expected = -distribution.logpdf(w).sum() / n - dropped
        np.testing.assert_allclose(value, expected, rtol=1e-10)


def test_horseshoe_is_the_bound_of_its_density(float64):
    # Carvalho et al. 2010, theorem 1: K/2 log(1 + 4/w²) < p(w) < K log(1 + 2/w²) for
    # scale 1, K = 1/√(2π³); the density is an integral over the half-Cauchy scale.
    from scipy import integrate, stats

    constant = 1 / math.sqrt(2 * math.pi**3)
    for w in (0.05, 0.3, 1.0, 4.0):
        density, _ = integrate.quad(
            lambda t, w=w: stats.norm.pdf(w, scale=math.tan(t)) * 2 / math.pi,
            0,
            math.pi / 2,
        )
        value = to_numpy(kd.HorseshoePrior(1.0, 1)(ops.convert_to_tensor([w])))
        bound = constant * math.exp(-value)
        # ε = 1e-3 lowers the bound by less than 1e-3 here.
        np.testing.assert_allclose(bound, constant * math.log(1 + 2 / w**2), rtol=1e-3)
        assert constant / 2 * math.log(1 + 4 / w**2) < density < bound
        scaled = kd.HorseshoePrior(3.0, 5)(ops.convert_to_tensor([3 * w]))
        np.testing.assert_allclose(to_numpy(scaled), value / 5, rtol=1e-12)


def test_variable_scales_and_strengths_act_at_once():
    variable, w = keras.Variable(0.5), ops.convert_to_tensor([[0.4, -2.0, 0.0]])
    for make in (
        lambda x: kd.GaussianPrior(x, 3),
        lambda x: kd.LaplacePrior(x, 3),
        lambda x: kd.StudentTPrior(2, x, 3),
        lambda x: kd.HorseshoePrior(x, 3),
        lambda x: kd.LaplacePrior(x, 3) + kd.GaussianPrior(x, 4) + kd.MCP(x),
    ):
        penalty = make(variable)
        assert set(map(id, penalty.variables)) == {id(variable)}
        for value in (0.5, 1.25):
            variable.assign(value)
            for found, expected in [
                (penalty(w), make(value)(w)),
                (penalty.prox(w, 0.3), make(value).prox(w, 0.3)),
            ]:
                np.testing.assert_allclose(
                    to_numpy(found), to_numpy(expected), rtol=1e-5, atol=1e-7
                )


@pytest.mark.parametrize(
    "make, argument, values",
    [
        (lambda x: kd.Lp(0.1, x), "p", [0, -1]),
        (lambda x: kd.HuberL1(0.1, x), "delta", [0, -1]),
        (lambda x: kd.MCP(0.1, x), "gamma", [1, 0.5, -3]),
        (lambda x: kd.SCAD(0.1, x), "a", [2, 1.5, -3]),
        (lambda x: kd.LogSum(0.1, x), "epsilon", [0, -1]),
        (lambda x: kd.StudentTPrior(x, 1.0, 5), "df", [0, -1]),
        (lambda x: kd.GaussianPrior(1.0, x), "n_samples", [0, -1]),
    ],
)
def test_bad_shapes_are_refused_by_name(make, argument, values):
    for value in [*values, math.nan, math.inf, "1", None, True, keras.Variable(1.5)]:
        with pytest.raises((TypeError, ValueError)) as error:
            make(value)
        message = str(error.value)
        assert f"`{argument}` must be" in message
        assert f"Received: {argument}=" in message
