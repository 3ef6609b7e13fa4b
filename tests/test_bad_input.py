"""Bad input: one clear sentence that names what is wrong, before training starts.

The strengths of every class are in test_contracts.py, the command line in test_cli.py;
here is one line for each further kind.
"""

import re

import keras
import numpy as np
import pytest

import keras_decay as kd


def sgd():
    return keras.optimizers.SGD(0.1)


def adamw(**arguments):
    return kd.DecoupledWeightDecay(sgd(), 0.1, **arguments)


def fit(optimizer=None, callbacks=(), x=None, metrics=None, **arguments):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1, name="only")])
    model.compile(optimizer or sgd(), "mse", metrics=metrics)
    x = np.ones((8, 3)) if x is None else x
    model.fit(
        x, np.ones((len(x), 1)), callbacks=list(callbacks), verbose=0, **arguments
    )


def fit_on_nothing(callbacks):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    # Keras on JAX cannot even build a model from no data, and says so in no words.
    model.fit(np.ones((8, 3)), np.ones((8, 1)), verbose=0)
    model.fit(np.ones((0, 3)), np.ones((0, 1)), callbacks=callbacks, verbose=0)


def schedule():
    return keras.optimizers.SGD(keras.optimizers.schedules.CosineDecay(0.1, 10))


def below_a_file(folder):
    (folder / "file").write_text("not a folder")
    return folder / "file" / "curve.jsonl"


def not_a_curve(folder):
    (folder / "notes.txt").write_text("dear diary\nit rained\n")
    return folder / "notes.txt"


def old_curve(folder):
    fit(callbacks=[kd.LearningCurve(folder / "old.jsonl")])
    return folder / "old.jsonl"


def epoch_rows():
    return [{"epoch": e, "loss": 1.0 / (e + 1), "val_loss": 1.0} for e in range(8)]


# What is done with an empty folder, and what the sentence must say.
CASES = {
    "a penalty that is no penalty in a sum": (
        lambda folder: kd.L1(0.1) + "l2",
        "unsupported operand",
    ),
    "Keras' own regularizer as penalty": (
        lambda folder: adamw(penalty=keras.regularizers.L2(0.1)),
        "`penalty` must be a keras_decay Penalty.*it has a prox",
    ),
    "a penalty by name": (lambda folder: adamw(penalty="l1"), "`penalty` must.*'l1'"),
    "a negative step": (
        lambda folder: kd.L1(0.1).prox(np.ones(2, "float32"), -1.0),
        "`step` must be.*-1.0",
    ),
    "nothing to decay by": (
        lambda folder: kd.DecoupledWeightDecay(sgd()),
        "One of `weight_decay`, `penalty` and `rules` must be given",
    ),
    "an optimizer by name": (
        lambda folder: kd.DecoupledWeightDecay("adam", 0.1),
        "`optimizer` must be a Keras optimizer.*'adam'",
    ),
    "an optimizer class": (
        lambda folder: kd.DecoupledWeightDecay(keras.optimizers.Adam, 0.1),
        "`optimizer` must be a Keras optimizer",
    ),
    "an optimizer that decays itself": (
        lambda folder: kd.DecoupledWeightDecay(keras.optimizers.AdamW(), 0.1),
        "decays weights itself, with weight_decay=0.004",
    ),
    "an optimizer that averages itself": (
        lambda folder: kd.DecoupledWeightDecay(keras.optimizers.SGD(use_ema=True), 0.1),
        "Give `use_ema` and its settings to DecoupledWeightDecay",
    ),
    "an optimizer that rebuilds the weight": (
        lambda folder: kd.DecoupledWeightDecay(keras.optimizers.Ftrl(), 0.1),
        "Ftrl rebuilds the weight",
    ),
    "a wrapper in a wrapper": (
        lambda folder: kd.DecoupledWeightDecay(adamw(), 0.1),
        "DecoupledWeightDecay already",
    ),
    "loss scaling inside": (
        lambda folder: kd.DecoupledWeightDecay(
            keras.optimizers.LossScaleOptimizer(sgd()), 0.1
        ),
        "loss scaling goes outside",
    ),
    "an unknown coupling": (
        lambda folder: adamw(coupling="lr"),
        "`coupling` must be one of 'learning_rate'.*'lr'",
    ),
    "a coupling that is no text": (lambda folder: adamw(coupling=1), "`coupling` must"),
    "a schedule without its base rate": (
        lambda folder: kd.DecoupledWeightDecay(schedule(), 0.1, coupling="schedule"),
        "`base_learning_rate` must be given",
    ),
    "a base rate of zero": (
        lambda folder: adamw(base_learning_rate=0),
        "`base_learning_rate` must be a finite number greater than 0.*=0",
    ),
    "a flag that is no flag": (
        lambda folder: adamw(cautious="yes"),
        "`cautious` must be True or False.*'yes'",
    ),
    "jit_compile misspelt": (
        lambda folder: adamw(jit_compile="Auto"),
        "`jit_compile` must.*'Auto'",
    ),
    "a momentum above 1": (
        lambda folder: adamw(use_ema=True, ema_momentum=1.5),
        "`ema_momentum` must be.*at most 1.*1.5",
    ),
    "half an epoch between overwrites": (
        lambda folder: adamw(use_ema=True, ema_overwrite_frequency=0.5),
        "`ema_overwrite_frequency` must be a whole number.*0.5",
    ),
    "a penalty in the place of a strength": (
        lambda folder: kd.DecoupledWeightDecay(sgd(), kd.L2(0.1)),
        "`weight_decay` must be.*goes into `penalty`",
    ),
    "Keras' own regularizer in a rule": (
        lambda folder: adamw(rules=[("kernel", keras.regularizers.L2(0.1))]),
        r"`rules\[0\]\[1\]` must be.*A penalty of keras_decay",
    ),
    "a layer in the place of a strength": (
        lambda folder: kd.DecoupledWeightDecay(sgd(), keras.layers.Dense(1)),
        "`weight_decay` must be a non-negative number",
    ),
    "a metric with the name of a column": (
        lambda folder: fit(
            callbacks=[kd.LearningCurve()],
            metrics=[keras.metrics.MeanSquaredError(name="step")],
        ),
        "'step'.*Rename the metric",
    ),
    "rules that are one text": (
        lambda folder: adamw(rules="kernel"),
        "`rules` must be a list of kd.Rule or tuples.*'kernel'",
    ),
    "a rule of one part": (
        lambda folder: adamw(rules=[("kernel",)]),
        r"`rules\[0\]` must",
    ),
    "a rule whose pattern does not compile": (
        lambda folder: adamw(rules=[("kernel(", 0.1)]),
        r"`rules\[0\]\[0\]` must be a regular expression.*'kernel\('",
    ),
    "a rule whose pattern is a number": (
        lambda folder: adamw(rules=[(3, 0.1)]),
        r"`rules\[0\]\[0\]` must be a regular expression.*3",
    ),
    "a rule with a negative strength": (
        lambda folder: adamw(rules=[("kernel", -0.1)]),
        r"`rules\[0\]\[1\]` must be.*-0.1",
    ),
    "a rule with an unknown coupling": (
        lambda folder: adamw(rules=[("kernel", 0.1, "eta")]),
        r"`rules\[0\]\[2\]` must be one of.*'eta'",
    ),
    "a rule that matches nothing": (
        lambda folder: fit(adamw(rules=[("embedding", 0.1)])),
        "'embedding' matches no variable.*only/kernel",
    ),
    "a decay set to NaN while training": (
        lambda folder: setattr(adamw(), "weight_decay", float("nan")),
        "`weight_decay` must be a finite number.*nan",
    ),
    "a path that is a number": (
        lambda folder: kd.LearningCurve(3),
        "`path` must be a path.*3",
    ),
    "a figure of unknown format": (
        lambda folder: kd.LearningCurve(figure="curve.bmp"),
        "`figure` must be a path that ends in one of.*curve.bmp",
    ),
    "a figure every 0 epochs": (
        lambda folder: kd.LearningCurve(figure="curve.png", every=0),
        "`every` must be a whole number of at least 1.*0",
    ),
    "a curve in a folder that cannot be": (
        lambda folder: fit(callbacks=[kd.LearningCurve(below_a_file(folder))]),
        "`path` cannot be written to",
    ),
    "a figure in a folder that cannot be": (
        lambda folder: fit(callbacks=[kd.LearningCurve(figure="/proc/none/c.png")]),
        "`figure` cannot be written to '/proc/none/c.png'",
    ),
    "another training on an old curve": (
        lambda folder: fit(callbacks=[kd.LearningCurve(old_curve(folder))]),
        "`path`.*overwrite=True",
    ),
    "a file that is no curve": (
        lambda folder: kd.LearningCurve.load(not_a_curve(folder)),
        "notes.txt.*'dear', 'diary'",
    ),
    "a file that is not there": (
        lambda folder: kd.LearningCurve.load(folder / "none.jsonl"),
        "none.jsonl",
    ),
    "no data": (
        lambda folder: fit_on_nothing([kd.LearningCurve()]),
        "at least one row|num_samples=0",  # PyTorch's own loader is first there
    ),
    "a drawing of nothing": (lambda folder: kd.LearningCurve().plot(), "empty|no rows"),
    "a metric that was not recorded": (
        lambda folder: kd.plot_curves({"run": epoch_rows()}, metric="accuracy"),
        "`metric` must be one of 'loss'.*accuracy",
    ),
    "a comparison of nothing": (lambda folder: kd.plot_curves({}), "`curves` must"),
    "a verdict on a number": (lambda folder: kd.diagnose(3), "source.*3"),
}


def test_there_are_thirty_kinds():
    assert len(CASES) >= 30


@pytest.mark.parametrize("kind", CASES)
def test_bad_input_gets_one_clear_sentence(kind, tmp_path):
    cause, pattern = CASES[kind]
    with pytest.raises((TypeError, ValueError, OSError)) as error:
        cause(tmp_path)
    message = str(error.value)
    assert re.search(pattern, message, re.S), message
    # One sentence on the matter, what was received, and what to do; paths may follow.
    assert len(message.split("\n")[0]) < 400, message
