"""Nuclear, SpectralNorm and Orthogonal: values, gradients, proximal steps.

Oracles: NumPy's norms, central differences, optimality conditions and local
optimisation by SciPy from random starts.
"""

import functools

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import ops
from scipy.optimize import minimize
from support import compiled, gradient, one_program, slow, to_numpy

import keras_decay as kd
from keras_decay.ground import backend

PENALTIES = [kd.Nuclear(0.7), kd.SpectralNorm(0.7), kd.Orthogonal(0.7)]
NAMES = ["Nuclear", "SpectralNorm", "Orthogonal"]
every = pytest.mark.parametrize("penalty", PENALTIES, ids=NAMES)


def matrix(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def value(name, w):
    """The penalty of strength 1 on a matrix, in NumPy."""
    if name == "Nuclear":
        return np.linalg.norm(w, "nuc")
    if name == "SpectralNorm":
        return np.linalg.norm(w, 2) ** 2 / 2
    w = w if w.shape[0] >= w.shape[1] else w.T
    return np.linalg.norm(w.T @ w - np.eye(w.shape[1])) ** 2


@functools.cache
def program(kind):
    """The proximal step as a function of weights and level, compiled once on JAX."""

    def run(w, level):
        return kind(level).prox(w, 1.0)

    return one_program(run)


def prox(penalty, w, step):
    w = ops.convert_to_tensor(w)
    level = ops.convert_to_tensor(penalty.strength * step, dtype=w.dtype)
    return to_numpy(program(type(penalty))(w, level))


REPEATED = np.linalg.qr(matrix(5, 5))[0][:, :3] * 2.0
DEFICIENT = np.outer(matrix(5), matrix(3))
CASES = {
    "tall": matrix(5, 3),
    "wide": matrix(3, 5),
    "one column": matrix(5, 1),
    "repeated": REPEATED,
    "rank one": DEFICIENT,
    "with zero columns": matrix(5, 3) * [1.0, 0.0, 0.0],
    "zero": np.zeros((5, 3)),
}
case = pytest.mark.parametrize("name", CASES)


@every
@case
def test_value_is_numpys(penalty, name, float64):
    w = CASES[name]
    expected = 0.7 * value(type(penalty).__name__, w)
    actual = to_numpy(penalty(ops.convert_to_tensor(w)))
    np.testing.assert_allclose(actual, expected, rtol=1e-10, atol=1e-12)


@every
@case
def test_gradient_is_finite_and_a_subgradient(penalty, name, float64):
    w = CASES[name]
    slope = gradient(penalty, w)
    assert np.all(np.isfinite(slope))
    if not w.any():
        np.testing.assert_array_equal(slope, 0)
    if not penalty.convex:
        return
    kind, rng = type(penalty).__name__, np.random.default_rng(1)
    for size in (1e-6, 1e-3, 1.0, 10.0):
        other = w + size * rng.normal(size=w.shape)
        rise = 0.7 * (value(kind, other) - value(kind, w))
        assert rise >= np.sum(slope * (other - w)) - 1e-12


@every
@pytest.mark.parametrize("name", ["tall", "wide", "one column"])
def test_gradient_by_central_differences(penalty, name, float64):
    w, h = CASES[name], 1e-5
    slope, kind = gradient(penalty, w), type(penalty).__name__
    for index in np.ndindex(*w.shape):
        bump = np.zeros_like(w)
        bump[index] = h
        rise = 0.7 * (value(kind, w + bump) - value(kind, w - bump)) / (2 * h)
        np.testing.assert_allclose(slope[index], rise, rtol=1e-6, atol=1e-7)


def test_orthogonal_gradient_where_singular_values_repeat(float64):
    slope = gradient(kd.Orthogonal(0.7), REPEATED)
    np.testing.assert_allclose(slope, 0.7 * 4 * 3 * REPEATED, rtol=1e-10, atol=1e-13)


@functools.cache
def brute_force(kind, shape, scale, weight):
    """The lowest ½‖v − w‖² + weight · Ω(v) from many starts, by BFGS.

    The nuclear norm is the least ½(‖A‖² + ‖B‖²) over A B = v, which is smooth.
    """
    w = scale * matrix(*shape)
    rng, rank = np.random.default_rng(3), min(shape)

    def smooth(flat):
        v = flat.reshape(shape)
        return 0.5 * np.sum((v - w) ** 2) + weight * value(kind, v)

    def factored(flat):
        a = flat[: shape[0] * rank].reshape(shape[0], rank)
        b = flat[shape[0] * rank :].reshape(rank, shape[1])
        norms = np.sum(a**2) + np.sum(b**2)
        return 0.5 * np.sum((a @ b - w) ** 2) + 0.5 * weight * norms

    function = factored if kind == "Nuclear" else smooth
    size = sum(shape) * rank if kind == "Nuclear" else np.prod(shape)
    starts = [rng.normal(size=size) for _ in range(6)]
    return min(minimize(function, start, tol=1e-12).fun for start in starts)


@every
@pytest.mark.parametrize("shape", [(2, 3)], ids=str)
@pytest.mark.parametrize("scale, step", [(1, 0.1), slow((1e-3, 1.0)), slow((20, 3.0))])
def test_prox_is_no_worse_than_brute_force(penalty, shape, scale, step, float64):
    kind, w = type(penalty).__name__, scale * matrix(*shape)
    v = prox(penalty, w, step)
    found = 0.5 * np.sum((v - w) ** 2) + 0.7 * step * value(kind, v)
    best = brute_force(kind, shape, scale, 0.7 * step)
    assert found <= best + 1e-9 * max(best, 1e-6)


SHAPES = [(5, 3), (3, 5), (5,)]


@settings(deadline=None, max_examples=40)
@given(
    st.sampled_from(SHAPES),
    st.integers(0, 3),
    st.sampled_from([0.0, 1e-8, 1.0, 1e6, 1e150]),
    st.sampled_from([0.0, 1e-6, 0.25, 3.0, 1e9]),
    st.sampled_from([0.0, 0.1, 7.0]),
)
def test_prox_is_optimal(float64_for_hypothesis, shape, rank, scale, strength, step):
    rng = np.random.default_rng(rank)
    w = rng.normal(size=shape)
    if rank == 0 and len(shape) == 2:
        w = np.outer(w[:, 0], w[0])
    w, weight = scale * w, strength * step
    flat = w.reshape(1, -1) if w.ndim == 1 else w.reshape(-1, w.shape[-1])
    before = np.linalg.svd(flat, compute_uv=False)
    unit = before.max() or 1.0

    nuclear = prox(kd.Nuclear(strength), w, step)
    after = np.linalg.svd(nuclear.reshape(flat.shape), compute_uv=False)
    expected = np.maximum(before - weight, 0)
    np.testing.assert_allclose(after, expected, rtol=0, atol=1e-12 * unit)
    if not expected.any():
        np.testing.assert_array_equal(nuclear, 0)

    spectral = prox(kd.SpectralNorm(strength), w, step)
    after = np.linalg.svd(spectral.reshape(flat.shape), compute_uv=False)
    level = after.max()
    excess = np.maximum(before - level, 0).sum()
    np.testing.assert_allclose(excess, weight * level, rtol=1e-10, atol=1e-12 * unit)
    expected = np.minimum(before, level)
    np.testing.assert_allclose(after, expected, rtol=1e-10, atol=1e-15 * unit)

    orthogonal = prox(kd.Orthogonal(strength), w, step)
    after = np.linalg.svd(orthogonal.reshape(flat.shape), compute_uv=False)
    # Each is the positive root of the cubic, which is found to its last digits.
    terms = [4 * weight * after * after * after, after, -4 * weight * after, -before]
    size = sum(map(np.abs, terms))
    assert np.all(np.abs(sum(terms)) <= 1e-9 * size + 1e-15 * unit)
    if 4 * weight > 1:
        assert np.all(after >= np.sqrt(1 - 0.25 / weight) * (1 - 1e-9))
    for v in (nuclear, spectral, orthogonal):
        assert np.all(np.isfinite(v)) and v.shape == w.shape
        if weight == 0:
            np.testing.assert_array_equal(v, w)


def test_a_vector_is_one_row_and_kernels_are_flattened(float64):
    w = matrix(6)
    norm = np.linalg.norm(w)
    tensor = ops.convert_to_tensor(w)
    np.testing.assert_allclose(to_numpy(kd.Nuclear(1.0)(tensor)), norm)
    np.testing.assert_allclose(to_numpy(kd.SpectralNorm(1.0)(tensor)), norm**2 / 2)
    np.testing.assert_allclose(to_numpy(kd.Orthogonal(1.0)(tensor)), (norm**2 - 1) ** 2)
    np.testing.assert_allclose(
        prox(kd.Nuclear(1.0), w, 0.5), w * (1 - 0.5 / norm), rtol=1e-12
    )
    kernel = matrix(3, 2, 2, 4)
    for penalty in PENALTIES[:1]:
        np.testing.assert_array_equal(
            prox(penalty, kernel, 0.5).reshape(-1, 4),
            prox(penalty, kernel.reshape(-1, 4), 0.5),
        )


@every
def test_float32_of_any_size(penalty):
    for scale in (1e-30, 1.0, 1e12):
        w = (scale * matrix(5, 3)).astype("float32")
        assert np.all(np.isfinite(gradient(penalty, w)))
    for scale in (1e-30, 1.0, 1e30):
        w = (scale * matrix(5, 3)).astype("float32")
        v = prox(penalty, w, 0.5)
        assert v.dtype == np.float32 and np.all(np.isfinite(v))
        s = np.linalg.svd(w.astype("float64"), compute_uv=False)
        if penalty.convex:
            continue
        after = np.linalg.svd(v.astype("float64"), compute_uv=False)
        roots = [np.roots([1.4, 0, -0.4, -x]) for x in s]
        roots = [r[(abs(r.imag) < 1e-9) & (r.real > 0)].real.max() for r in roots]
        np.testing.assert_allclose(after, roots, rtol=1e-5, atol=1e-6 * s.max())


def test_l2_beside_one_is_closed(float64):
    w = matrix(5, 3)
    for penalty in PENALTIES[::2]:
        both = (penalty + kd.L2(0.3)).prox(ops.convert_to_tensor(w), 0.5)
        expected = prox(penalty, w / 1.3, 0.5 / 1.3)
        np.testing.assert_allclose(to_numpy(both), expected, rtol=1e-10, atol=1e-13)


# LAPACK, by which JAX and PyTorch decompose, promises a modest multiple of ε (Users'
# Guide, section 4.9); seven rows were found to differ by up to 12 ε on some processors.
@pytest.mark.parametrize(
    "dtype, accuracy", [("float32", 2e-6), slow(("float64", 1e-13))]
)
def test_decomposition_in_a_compiled_program(dtype, accuracy, float64):
    svd = compiled(lambda a: backend.current().svd(a))
    zero, half = np.zeros((7, 5)), matrix(7, 5)
    half[:, 1:4] = 0
    ones, low = np.ones((7, 5)), matrix(7, 2) @ matrix(2, 5)
    graded = matrix(7, 5) * [1, 1e-4, 1e-8, 1e-12, 1e-16]
    for a in (matrix(7, 5), zero, half, ones, low, graded, np.eye(7)[:, :5]):
        a = (a / max(np.abs(a).max(), 1)).astype(dtype)
        u, s, vh = map(to_numpy, svd(ops.convert_to_tensor(a)))
        expected = np.linalg.svd(a.astype("float64"), compute_uv=False)
        np.testing.assert_allclose(s, expected, atol=accuracy)
        np.testing.assert_allclose((u * s) @ vh, a, atol=accuracy)
        u, vh = u.astype("float64"), vh.astype("float64")
        for vectors in (u.T @ u, vh @ vh.T):
            np.testing.assert_allclose(vectors, np.eye(5), atol=accuracy)


@pytest.mark.slow
def test_training_makes_a_kernel_of_low_rank():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(64, 8)).astype("float32")
    y = x @ np.outer(rng.normal(size=8), rng.normal(size=5)).astype("float32")
    model = keras.Sequential([keras.Input((8,)), keras.layers.Dense(5, use_bias=False)])
    optimizer = kd.DecoupledWeightDecay(
        keras.optimizers.SGD(0.5), penalty=kd.Nuclear(0.05)
    )
    model.compile(optimizer, "mse")
    model.fit(x, y, batch_size=64, epochs=60, verbose=0)
    s = np.linalg.svd(to_numpy(model.layers[0].kernel), compute_uv=False)
    assert s[0] > 1 and np.all(s[1:] < 1e-5 * s[0])
