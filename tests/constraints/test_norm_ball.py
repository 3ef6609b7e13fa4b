"""NormBall: exact projections onto norm balls, in every role of a constraint.

Oracle: in NumPy, float64, the multiplier by bisection; and the certificate that p is
the nearest point of the ball to w: ⟨w − p, z − p⟩ ≤ 0 for every z in the ball, of which
the worst is found by the dual norm, max ⟨w − p, z⟩ = radius · ‖w − p‖*.
"""

import functools
import math

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import ops
from support import one_program, to_numpy

import keras_decay as kd
from keras_decay.constraints.projections import project

BACKEND = keras.backend.backend()
BALLS = [
    ("l2", None),
    ("l2", -1),
    ("l1", None),
    ("l1", (0, -1)),
    ("group", None),
    ("group", (0,)),
    ("nuclear", None),
]
SHAPE = (2, 3, 4)
CASES = [(*ball, SHAPE) for ball in BALLS]
CASES += [(*ball, (6,)) for ball in [("l2", -1), ("group", None), ("nuclear", None)]]


@functools.cache
def compiled(norm, axis):
    """`project`, on JAX as one program with the radius as an argument."""

    def function(w, radius):
        return project(w, radius, norm, axis)

    return one_program(function)


def projected(w, radius, norm, axis=None):
    with np.errstate(over="ignore"):
        radius = ops.convert_to_tensor(np.asarray(radius, w.dtype))
    return to_numpy(compiled(norm, axis)(ops.convert_to_tensor(w), radius))


def matrix(w):
    return w.reshape(-1, w.shape[-1])


def rows_of(w, axis):
    """The slices along `axis`, each as a row."""
    kept = {i % w.ndim for i in (axis if isinstance(axis, tuple) else (axis,))}
    ends = range(len(kept))
    return np.moveaxis(w, sorted(kept), ends).reshape(
        math.prod(w.shape[i] for i in kept), -1
    )


def l1(w):
    return np.abs(w).sum()


def l2(w):
    largest = np.abs(w).max()
    return largest and largest * np.sqrt(np.square(w / largest).sum())


def group_l2(w, axis):
    return np.array([l2(row) for row in rows_of(w, -1 if axis is None else axis)])


def norm_and_dual(norm, axis):
    """Functions of a tensor: the norm of the one ball there is, and its dual."""
    if norm == "l1":
        return l1, lambda w: np.abs(w).max()
    if norm == "l2":
        return l2, l2
    if norm == "nuclear":
        return (
            lambda w: np.linalg.svd(matrix(w), compute_uv=False).sum(),
            lambda w: np.linalg.svd(matrix(w), compute_uv=False).max(),
        )

    def root(w):
        return math.sqrt(w.size / group_l2(w, axis).size)

    return (
        lambda w: root(w) * group_l2(w, axis).sum(),
        lambda w: group_l2(w, axis).max() / root(w),
    )


def balls_of(w, norm, axis):
    """The parts of `w` that have a ball each."""
    return [w] if axis is None or norm == "group" else list(rows_of(w, axis))


def threshold(sizes, radius):
    """τ with Σ(sizes − τ)₊ = radius, by bisection."""
    low, high = 0.0, sizes.max()
    for _ in range(200):
        middle = (low + high) / 2
        if np.maximum(sizes - middle, 0).sum() > radius:
            low = middle
        else:
            high = middle
    return high


def oracle(w, radius, norm, axis):
    """The projection of a `w` outside a single ball."""
    if norm == "l2":
        return w * (radius / l2(w))
    if norm == "l1":
        return np.sign(w) * np.maximum(np.abs(w) - threshold(np.abs(w), radius), 0)
    if norm == "nuclear":
        u, s, v = np.linalg.svd(matrix(w), full_matrices=False)
        s = np.maximum(s - threshold(s, radius), 0)
        return ((u * s) @ v).reshape(w.shape)
    axis = -1 if axis is None else axis
    kept = {i % w.ndim for i in (axis if isinstance(axis, tuple) else (axis,))}
    within = tuple(i for i in range(w.ndim) if i not in kept)
    norms = np.sqrt(np.square(w).sum(within, keepdims=True))
    root = math.sqrt(w.size / norms.size)
    left = np.maximum(norms - threshold(norms, radius / root), 0)
    return w * left / np.where(norms > 0, norms, 1)


def weights(kind, shape, seed):
    rng = np.random.default_rng(seed)
    if kind == "ties":
        return rng.integers(-2, 3, size=shape).astype("float64")
    if kind == "uneven":
        return rng.standard_cauchy(size=shape) * 10.0 ** rng.integers(-6, 7)
    w = rng.normal(size=shape)
    if kind == "zero slices":
        w[..., : shape[-1] // 2] = 0
    return w * (kind != "zeros")


@settings(deadline=None, max_examples=200)
@given(
    st.sampled_from(CASES),
    st.sampled_from(["normal", "ties", "uneven", "zero slices", "zeros"]),
    st.sampled_from([0, 1e-12, 0.01, 0.5, 0.999, 1, 1.001, 1e12, 1e300]),
    st.integers(0, 10**6),
)
@pytest.mark.usefixtures("float64")
def test_it_is_the_nearest_point_of_the_ball(case, kind, share, seed):
    norm, axis, shape = case
    w = weights(kind, shape, seed)
    size, dual = norm_and_dual(norm, axis)
    radius = share * max(size(part) for part in balls_of(w, norm, axis))
    p = projected(w, radius, norm, axis)
    parts = balls_of(w, norm, axis), balls_of(p, norm, axis)
    for before, after in zip(*parts, strict=True):
        scale = np.abs(before).max() or 1.0
        if size(before) < radius * (1 - 1e-12):
            np.testing.assert_array_equal(after, before)
            continue
        assert size(after) <= radius * (1 + 1e-12)
        away = before - after
        gap = radius * dual(away) - np.vdot(away, after)
        assert abs(gap) <= 1e-10 * scale * (radius + size(after))
        if size(before) > radius:
            expected = oracle(before, radius, norm, axis)
            np.testing.assert_allclose(after, expected, rtol=0, atol=1e-10 * scale)
        if norm != "nuclear":
            assert np.all(after * before >= 0) and np.all(after[before == 0] == 0)
        if radius == 0:
            np.testing.assert_array_equal(after, 0)


@pytest.mark.parametrize("norm, axis", BALLS)
def test_in_float32_it_holds_to_rounding_and_once_is_enough(norm, axis):
    w = np.random.default_rng(0).normal(size=SHAPE).astype("float32")
    size, _ = norm_and_dual(norm, axis)
    radius = 0.3 * min(size(part) for part in balls_of(w, norm, axis))
    once = projected(w, radius, norm, axis)
    for before, after in zip(
        *(balls_of(v.astype("float64"), norm, axis) for v in (w, once)), strict=True
    ):
        np.testing.assert_allclose(size(after), radius, rtol=1e-5)
        expected = oracle(before, radius, norm, axis)
        np.testing.assert_allclose(after, expected, rtol=0, atol=1e-5)
    twice = projected(once, radius, norm, axis)
    np.testing.assert_allclose(twice, once, rtol=0, atol=1e-6)
    np.testing.assert_array_equal(projected(twice, 1.01 * radius, norm, axis), twice)


@pytest.mark.slow
def test_many_entries_are_no_less_exact(float64):
    # The search for the threshold takes more rounds then, and differences are small.
    rng = np.random.default_rng(0)
    for w in (rng.normal(size=10**5), rng.standard_cauchy(10**5), np.ones(10**5)):
        for radius in (1e-3, 1.0, 0.5 * l1(w)):
            p = projected(w, radius, "l1")
            expected = oracle(w, radius, "l1", None)
            np.testing.assert_allclose(p, expected, atol=1e-12 * np.abs(w).max())
            np.testing.assert_allclose(l1(p), radius, rtol=1e-10)


@pytest.mark.parametrize("norm, axis", BALLS)
def test_the_inside_is_returned_bit_for_bit(norm, axis):
    w = np.random.default_rng(1).normal(size=SHAPE).astype("float32")
    w[0, 0] = [0.0, -0.0, 1e-7, -3.0]
    for radius in (200.0, 1e300):
        p = projected(w, radius, norm, axis)
        np.testing.assert_array_equal(p, w)
        np.testing.assert_array_equal(np.signbit(p), np.signbit(w))


def test_the_border_is_inside():
    w = np.zeros(SHAPE, "float32")
    w[0, 0, :2] = 3.0, -4.0
    for norm, radius in [("l2", 5.0), ("l1", 7.0)]:
        np.testing.assert_array_equal(projected(w, radius, norm), w)
        assert not np.array_equal(projected(w, 0.999 * radius, norm), w)


@pytest.mark.parametrize("norm, axis", BALLS)
def test_extreme_weights_in_float32(norm, axis):
    zeros = np.zeros(SHAPE, "float32")
    signs = np.where(np.arange(24).reshape(SHAPE) % 2, -1, 1).astype("float32")
    size, _ = norm_and_dual(norm, axis)
    for radius in (0.0, 1.0, 1e300):
        np.testing.assert_array_equal(projected(zeros, radius, norm, axis), zeros)
    for scale in (3e38, 1e-35):
        w = signs * np.float32(scale)
        # Of entries that are all alike in size the nearest point is a multiple.
        for radius in (0.0, 0.5 * scale):
            p = projected(w, radius, norm, axis).astype("float64")
            for before, after in zip(
                *(balls_of(v, norm, axis) for v in (w.astype("float64"), p)),
                strict=True,
            ):
                expected = before * (radius / size(before))
                np.testing.assert_allclose(after, expected, atol=1e-5 * scale)
            np.testing.assert_array_equal(p == 0, np.full(SHAPE, radius == 0))


def test_what_is_not_finite_stays_so():
    w = np.ones(SHAPE, "float32")
    w[0, 0, 1] = np.nan
    for norm, axis in BALLS:
        assert np.isnan(projected(w, 1.0, norm, axis)).any()


def test_special_cases(float64):
    rng = np.random.default_rng(0)
    w, vector = rng.normal(size=(4, 5)), rng.normal(size=(7,))

    def same(one, other):
        np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-14)

    # Groups of one entry are the entries; one group of all is the tensor.
    same(projected(w, 2.0, "group", (0, 1)), projected(w, 2.0, "l1"))
    same(projected(w, 2.0, "group", ()), projected(w, 2.0 / math.sqrt(20), "l2"))
    # A vector has one singular value; those of a diagonal are its entries.
    same(projected(vector, 0.5, "nuclear"), projected(vector, 0.5, "l2"))
    diagonal = projected(np.diag(vector), 0.5, "nuclear")
    same(diagonal, np.diag(projected(vector, 0.5, "l1")))
    # Slices of one entry are clipped.
    for norm in ("l1", "l2"):
        same(projected(w, 0.5, norm, (0, 1)), np.clip(w, -0.5, 0.5))
        same(projected(w, 0.5, norm, ()), projected(w, 0.5, norm))
        same(projected(np.array(-3.0), 0.5, norm), -0.5)
    # A stack of slices is the slices one by one.
    one_by_one = [projected(row, 0.7, "l1") for row in w]
    same(projected(w, 0.7, "l1", 0), np.stack(one_by_one))


@pytest.mark.parametrize("dtype, ulp", [("float16", 2**-10), ("bfloat16", 2**-7)])
def test_half_precision_is_computed_in_float32(dtype, ulp):
    # The sums are beyond the largest float16, 65504.
    w = ops.cast(np.random.default_rng(0).normal(size=(300, 300)) * 100, dtype)
    p = kd.NormBall(50.0, "l1")(w)
    assert keras.backend.standardize_dtype(p.dtype) == dtype
    expected = oracle(to_numpy(w).astype("float64"), 50.0, "l1", None)
    np.testing.assert_allclose(to_numpy(p), expected, rtol=ulp / 2, atol=1e-4)
    assert l1(to_numpy(p).astype("float64")) <= 50 * (1 + ulp / 2)


NORMS = ("l2", "l1", "group", "nuclear")
RADIUS = 0.5


def constrained_model(norms):
    balls = {norm: kd.NormBall(RADIUS, norm) for norm in norms}
    balls["unit"] = kd.NormBall(RADIUS, "l2", axis=-1)
    inputs = keras.Input((4,))
    heads = [
        keras.layers.Dense(3, kernel_constraint=ball, name=name)(inputs)
        for name, ball in balls.items()
    ]
    return keras.Model(inputs, keras.layers.Concatenate()(heads))


def trained(optimizer):
    rng = np.random.default_rng(0)
    # XLA would take seconds to compile singular values on TensorFlow.
    by_xla = BACKEND == "tensorflow" and hasattr(optimizer, "jit_compile")
    model = constrained_model(NORMS[:3] if by_xla else NORMS)
    model.compile(optimizer, "mse")
    outputs = model.output_shape[-1]
    x, y = rng.normal(size=(32, 4)), rng.normal(size=(32, outputs)) * 3
    model.fit(x, y, batch_size=8, epochs=3, verbose=0)
    return model


OPTIMIZERS = {
    "plain": lambda: keras.optimizers.SGD(0.5),
    "decay and penalty after the inner step": lambda: kd.DecoupledWeightDecay(
        keras.optimizers.Adam(0.1),
        # To weights outside the balls: it is the decay that leaves them.
        weight_decay=kd.DecayToward(5.0),
        penalty=kd.L2(1e-3),
        jit_compile=True,
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_it_holds_after_training(name):
    model = trained(OPTIMIZERS[name]())
    for layer in model.layers[1:-1]:
        kernel = to_numpy(layer.kernel).astype("float64")
        norm = "l2" if layer.name == "unit" else layer.name
        parts = kernel.T if layer.name == "unit" else [kernel]
        sizes = [norm_and_dual(norm, None)[0](part) for part in parts]
        np.testing.assert_allclose(max(sizes), RADIUS, rtol=1e-5)  # it binds
        assert np.count_nonzero(kernel)


def test_a_variable_radius_acts_at_once_or_is_refused():
    radius = keras.Variable(2.0, name="radius")
    ball = kd.NormBall(radius)
    w = ops.convert_to_tensor(np.array([3.0, 4.0], "float32"))
    for value in (2.0, 1.0, 0.0):
        radius.assign(value)
        np.testing.assert_allclose(to_numpy(ball(w)), [0.6 * value, 0.8 * value])
        assert ball.get_config()["radius"] == value
    layer = keras.layers.Dense(1, use_bias=False, kernel_constraint=ball)
    model = keras.Sequential([keras.Input((4,)), layer])
    model.compile(kd.SGDW(0.1, 0.0, jit_compile=True), "mse")
    x, y = np.ones((4, 4), "float32"), np.full((4, 1), 100.0, "float32")
    if BACKEND == "jax":
        with pytest.raises(RuntimeError, match=r"radius.*a plain number"):
            model.fit(x, y, verbose=0)
        return
    for value in (2.0, 3.0):
        radius.assign(value)
        model.fit(x, y, verbose=0)
        np.testing.assert_allclose(l2(to_numpy(layer.kernel)), value, rtol=1e-5)


def test_bad_arguments_are_refused_by_name():
    for norm in ("L1", "max", None, 2, ["l1"], np.array(["l1", "l2"])):
        with pytest.raises((TypeError, ValueError), match=r"`norm` must be one of"):
            kd.NormBall(1.0, norm)
    for axis in (1.5, True, "rows", (0, 0), [0, "output"], np.ones(2)):
        with pytest.raises((TypeError, ValueError), match=r"`axis` must be an int"):
            kd.NormBall(1.0, axis=axis)
    for name in ("input", "output", "head"):
        with pytest.raises(ValueError, match="given weights and not their layer"):
            kd.NormBall(1.0, axis=name)
    with pytest.raises(ValueError, match="None for the nuclear norm"):
        kd.NormBall(1.0, "nuclear", axis=-1)
    for norm in ("l1", "l2", "group"):
        with pytest.raises(ValueError, match="must be an axis of the weights"):
            kd.NormBall(1.0, norm, axis=2)(np.ones((2, 3), "float32"))


def test_repr_reads_like_the_source():
    text = "NormBall(radius=2.0, norm='l1', axis=(0, -1))"
    assert repr(eval(text, {"NormBall": kd.NormBall})) == text
