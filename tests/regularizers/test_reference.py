"""L2SP: value, proximal step, and a reference that survives configs and files."""

import json

import keras
import numpy as np
import pytest
from keras import ops
from support import gradient, to_numpy

import keras_decay as kd

W = np.random.default_rng(0).normal(size=(3, 4))
W0 = np.random.default_rng(1).normal(size=(3, 4))


def prox(penalty, w, step):
    return to_numpy(penalty.prox(ops.convert_to_tensor(w), step))


def test_value_gradient_and_prox(float64):
    penalty = kd.L2SP(0.3, W0)
    value = to_numpy(penalty(ops.convert_to_tensor(W)))
    np.testing.assert_allclose(value, 0.3 * np.sum((W - W0) ** 2), rtol=1e-12)
    np.testing.assert_allclose(gradient(penalty, W), 0.6 * (W - W0), rtol=1e-12)
    np.testing.assert_array_equal(gradient(penalty, W0), 0)
    v = prox(penalty, W, 0.5)
    # Optimality: v − w + step · 2λ (v − w₀) = 0.
    np.testing.assert_allclose(v - W + 0.3 * (v - W0), 0, atol=1e-14)
    np.testing.assert_array_equal(prox(penalty, W, 0.0), W)
    np.testing.assert_array_equal(prox(penalty, W0, 0.5), W0)
    np.testing.assert_allclose(prox(penalty, W, 1e300), W0, rtol=1e-14)


def test_reference_zero_is_l2():
    for w in (W.astype("float32"), np.zeros((3, 4), "float32")):
        tensor = ops.convert_to_tensor(w)
        for reference in (0, 0.0, np.zeros((3, 4))):
            ours, theirs = kd.L2SP(0.3, reference), kd.L2(0.3)
            assert to_numpy(ours(tensor)) == to_numpy(theirs(tensor))
            np.testing.assert_array_equal(prox(ours, w, 0.7), prox(theirs, w, 0.7))


def test_a_number_stands_for_every_entry():
    w = W.astype("float32")
    number, array = kd.L2SP(0.3, 0.5), kd.L2SP(0.3, np.full((3, 4), 0.5, "float32"))
    np.testing.assert_array_equal(prox(number, w, 0.7), prox(array, w, 0.7))
    assert number.get_config() == {"strength": 0.3, "reference": 0.5}
    scalar = kd.L2SP(0.3, keras.Variable(0.5))
    assert scalar.get_config() == number.get_config()


REFERENCES = {
    "float64": W0,
    "float32": W0.astype("float32"),
    "float16": W0.astype("float16"),
    "big-endian": W0.astype(">f8"),
    "not contiguous": np.asfortranarray(W0)[::-1],
    "integers": np.arange(12).reshape(3, 4),
    "a list": W0.tolist(),
    "signed zeros": np.array([[0.0, -0.0, 5e-324, 1e308]] * 3),
}


@pytest.mark.parametrize("name", REFERENCES)
def test_config_keeps_every_bit(name):
    given = REFERENCES[name]
    penalty = kd.L2SP(0.1, given)
    text = json.dumps(penalty.get_config())
    again = kd.L2SP.from_config(json.loads(text))
    expected = np.asarray(given)
    assert again.reference.shape == (3, 4)
    assert np.all(again.reference == expected)
    assert np.all(np.signbit(again.reference) == np.signbit(expected))
    assert again.reference.dtype == penalty.reference.dtype
    assert json.dumps(again.get_config()) == text


def test_reference_is_a_copy_and_its_config_is_compact():
    reference = np.zeros((100, 100), "float32")
    penalty = kd.L2SP(0.1, reference)
    reference += 1
    assert not penalty.reference.any()
    assert len(json.dumps(penalty.get_config())) < 500
    assert repr(penalty) == "L2SP(strength=0.1, reference=<array of shape (100, 100)>)"


def test_saved_model_keeps_the_reference(tmp_path):
    pretrained = W0.astype("float32")
    layer = keras.layers.Dense(4, kernel_regularizer=2 * kd.L2SP(0.1, pretrained))
    model = keras.Sequential([keras.Input((3,)), layer])
    layer.kernel.assign(pretrained)
    optimizer = kd.DecoupledWeightDecay(
        keras.optimizers.SGD(0.1), rules=[("kernel", kd.L2SP(1.0, pretrained))]
    )
    model.compile(optimizer, "mse")
    assert to_numpy(model.losses[0]) == 0
    x, y = np.ones((4, 3), "float32"), np.zeros((4, 4), "float32")
    model.fit(x, y, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    kept = loaded.layers[0].kernel_regularizer.penalty.reference
    np.testing.assert_array_equal(kept, pretrained)
    for m in (model, loaded):
        m.fit(x, y, epochs=2, verbose=0)
    np.testing.assert_array_equal(model.get_weights()[0], loaded.get_weights()[0])


def test_tensors_and_variables_are_references():
    for given in (keras.Variable(W0), ops.convert_to_tensor(W0, dtype="float32")):
        np.testing.assert_allclose(kd.L2SP(0.1, given).reference, W0, rtol=1e-6)
    half = ops.cast(W0, "bfloat16")
    kept = kd.L2SP(0.1, half).reference
    np.testing.assert_array_equal(kept, to_numpy(half))


@pytest.mark.parametrize("wrong", ["zero", None, [[1.0], [2.0, 3.0]], {}, 1j])
def test_wrong_references_are_refused(wrong):
    with pytest.raises(TypeError, match=r"`reference` must be .*Received: reference="):
        kd.L2SP(0.1, wrong)


def test_infinite_references_and_other_shapes_are_refused():
    for wrong in (np.inf, float("nan"), [1.0, np.nan]):
        with pytest.raises(ValueError, match=r"`reference` must be"):
            kd.L2SP(0.1, wrong)
    penalty = kd.L2SP(0.1, W0)
    for shape in [(4,), (4, 3), (1, 4), (1, 3, 4)]:
        message = rf"`reference` must have.*\({shape[0]}.*shape \(3, 4\)"
        with pytest.raises(ValueError, match=message):
            penalty(ops.ones(shape))
        with pytest.raises(ValueError, match=message):
            penalty.prox(ops.ones(shape), 0.1)
