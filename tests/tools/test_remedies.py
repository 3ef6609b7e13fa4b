"""What the audit tells a user to do is done, by what it names, and then helps."""

import keras
import numpy as np
import pytest
from audited_models import L1, assigned_late, assigned_to_variable, dense

import keras_decay as kd
from keras_decay.tools._config_findings import findings_on_config
from keras_decay.tools._penalties import same
from keras_decay.tools._survival import loads_alike

K = keras.optimizers


def moved(model):
    model.compile(kd.decouple(model, "adam"), "mse")


def removed(model):
    kd.regularize(model, [("first/kernel", None)])


def attached(model):
    kd.regularize(model, [("first/kernel", L1)])


# The finding, a model that has it, the function that its remedy names, and its use.
REMEDIES = {
    "l2-under-adaptive": (lambda: dense("adam", "l2"), "kd.decouple(", moved),
    "l2-and-decay": (lambda: dense(kd.SGDW(0.1, 0.1), "l2"), "kd.regularize(", removed),
    "regularizer-assigned-too-late": (assigned_late, "kd.regularize(", attached),
    "penalty-not-saved": (assigned_to_variable, "kd.regularize(", attached),
}


@pytest.mark.parametrize("code", REMEDIES)
def test_the_remedy_names_what_helps(code):
    build, function, apply = REMEDIES[code]
    model = build()
    (finding,) = kd.audit(model).warnings
    assert finding.code == code and function in finding.remedy
    apply(model)
    assert kd.audit(model).ok


def test_a_file_is_told_the_remedies_of_the_model_in_memory():
    model = dense(K.AdamW(1e-3, weight_decay=0.1), "l2")
    live = {w.code: w.remedy for w in kd.audit(model).warnings}
    config = {
        **keras.saving.serialize_keras_object(model),
        "compile_config": model.get_compile_config(),
    }
    found = {f.code: f.remedy for f in findings_on_config(config)}
    assert set(found) == {"l2-and-decay", "l2-under-adaptive"}
    assert found.items() <= live.items()


class Nameless(keras.regularizers.Regularizer):
    """A regularizer of a user's who saves no models, and so needs no `get_config`."""

    def __call__(self, w):
        return 0.1 * keras.ops.sum(keras.ops.square(w))


@keras.saving.register_keras_serializable(package="test_remedies")
class Held(Nameless):
    """The same, with a config that holds an array."""

    def __init__(self, center=None):
        self.center = np.ones((2, 2)) if center is None else np.asarray(center)

    def get_config(self):
        return {"center": self.center}

    @classmethod
    def from_config(cls, config):
        return cls(keras.saving.deserialize_keras_object(config["center"]))


@pytest.mark.parametrize(
    ("make", "shown"),
    (
        (Nameless, "Nameless"),
        (Held, "Held"),
        pytest.param(
            lambda: lambda w: 0.1 * keras.ops.sum(w * w),
            "function",
            marks=pytest.mark.skipif(
                keras.__version__.startswith("3.12"), reason="Keras refuses functions"
            ),
        ),
    ),
)
def test_regularizers_without_a_config_are_audited_too(make, shown):
    penalty = make()
    model = dense("adam", penalty)
    report = kd.audit(model)
    assert report.ok, report
    (row,) = [row for row in report.rows if row["penalty"]]
    assert row["penalty"].startswith(shown)
    # Another object without a config may be another penalty, and it came too late.
    model.layers[0].kernel_regularizer = make()
    codes = [warning.code for warning in kd.audit(model).warnings]
    assert codes == ([] if make is Held else ["regularizer-assigned-too-late"])


def test_a_config_may_hold_arrays():
    assert loads_alike(Held()) and same(Held(), Held())
    assert not same(Held(), Held(np.zeros((2, 2))))
    assert not loads_alike(Nameless())
