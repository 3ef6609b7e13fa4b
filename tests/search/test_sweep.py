"""`kd.sweep` against plain calls of `fit`, and what it returns and refuses."""

import keras
import numpy as np
import pytest
from searched_models import INPUTS, X, Y, network, ridge, trained_by_hand, two_inputs

import keras_decay as kd
from keras_decay.search import _sweep

HOW = {"epochs": 2, "batch_size": 8, "engine": "sequential"}


@pytest.fixture(scope="module")
def swept():
    """Two candidates, two seeds, rows to validate on and weights for both."""
    return kd.sweep(
        network,
        {"l2": [0.0, np.float64(0.1)]},
        X[:22],
        Y[:22],
        validation_data=(X[22:], Y[22:], np.arange(1.0, 9)),
        sample_weight=np.linspace(0, 2, 22),
        seeds=[3, 1],
        keep_weights=True,
        **HOW,
    )


def test_every_member_is_what_fit_gives(swept):
    assert swept.params == [{"l2": 0.0}, {"l2": 0.1}]
    assert type(swept.params[1]["l2"]) is float
    assert swept.engine == "sequential" and swept.seconds > 0
    model, history = trained_by_hand(
        network,
        {"l2": 0.1},
        1,
        X[:22],
        Y[:22],
        2,
        8,
        np.linspace(0, 2, 22),
        validation_data=(X[22:], Y[22:], np.arange(1.0, 9)),
        validation_batch_size=8,
    )
    assert set(history) < set(swept.history)
    for name, values in history.items():
        np.testing.assert_allclose(swept.history[name][1, 1], values, rtol=1e-5)
        assert swept.history[name].shape == (2, 2, 2)
    for ours, theirs in zip(swept.weights[1][1], model.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-6)


def test_what_it_chooses_and_shows(swept):
    means = swept.history["val_data_loss"][:, :, -1].mean(axis=1)
    assert swept.best_index_ == means.argmin()
    assert swept.best_params_ == swept.params[means.argmin()]
    best = swept.build_best()
    for ours, kept in zip(
        best.get_weights(), swept.weights[swept.best_index_][0], strict=True
    ):
        np.testing.assert_array_equal(ours, kept)
    lines = repr(swept).splitlines()
    assert len(lines) == 6 and lines[3 + means.argmin()].endswith("*")


@pytest.mark.needs("pandas")
def test_it_as_a_data_frame(swept):
    table = swept.to_dataframe()
    assert list(table["seed"]) == [3, 1, 3, 1] and list(table["epochs"]) == [2] * 4
    np.testing.assert_array_equal(
        table["val_loss"], swept.history["val_loss"][:, :, -1].ravel()
    )
    assert len(swept.to_dataframe(epochs=True)) == 8


def test_its_curves_are_drawn_and_judged(swept):
    ax = kd.plot_curves(
        {str(p): c for p, c in zip(swept.params, swept.curves, strict=True)}
    )
    assert len(ax.lines) == 4
    assert kd.diagnose(swept.curves[0][1]).verdict == "inconclusive"
    values = [row["val_data_loss"] for row in swept.curves[0][1]]
    np.testing.assert_array_equal(values, swept.history["val_data_loss"][0, 1])


def test_a_split_weights_and_classes_are_those_of_fit():
    # Keras itself takes class weights or sample weights, and we their product.
    labels = (Y > 0).astype("int32")
    weight, by_class = np.linspace(0.5, 1.5, 30), {0: 3.0, 1: 0.5}
    rows = slice(0, 22)  # of 30, three quarters rounded down
    product = weight[rows] * np.where(labels[rows] == 0, 3.0, 0.5)
    keras.utils.set_random_seed(0)
    model = ridge()
    model(X[:1])
    valid = (X[22:], labels[22:], weight[22:])
    fitted = model.fit(
        *(X[rows], labels[rows], 8, 2),
        sample_weight=product,
        validation_data=valid,
        shuffle=False,
        verbose=0,
    )
    result = kd.sweep(
        ridge,
        [{}],
        X,
        labels,
        validation_split=0.25,
        sample_weight=weight,
        class_weight=by_class,
        shuffle=False,
        **HOW,
    )
    for name in ("loss", "val_loss"):
        np.testing.assert_allclose(
            result.history[name][0, 0], fitted.history[name], rtol=1e-5
        )


@pytest.mark.slow
def test_both_engines_record_the_same_names():
    """The sequential one recorded `decay`, which is neither a loss nor a metric."""

    def decayed(rate):
        model = keras.Sequential([keras.Input((X.shape[1],)), keras.layers.Dense(1)])
        optimizer = kd.SGDW(rate, 0.1)
        model.compile(optimizer, "mse", metrics=["mae"])
        return model

    sequential, vectorized = (
        kd.sweep(
            *(decayed, {"rate": [0.01, 0.02]}, X, Y),
            validation_split=0.2,
            **{**HOW, "epochs": 1, "engine": engine},
        )
        for engine in ("sequential", "vectorized")
    )
    names = {"loss", "data_loss", "penalty", "mae"}
    names |= {f"val_{name}" for name in names}
    for result in (sequential, vectorized):
        assert set(result.history) == set(result.final) == names
        assert set(result.curves[0][0][0]) == {"epoch", *names}


def test_early_stopping_of_each_member():
    stopping = keras.callbacks.EarlyStopping(
        "val_data_loss", patience=1, min_delta=0.05, restore_best_weights=True
    )
    rates = [0.05, 1e-6, 2.0]  # learns, stands still, diverges
    result = kd.sweep(
        *(ridge, {"rate": rates}, X, Y),
        validation_split=0.4,
        early_stopping=stopping,
        **{**HOW, "epochs": 4},
    )
    assert [len(curve) for (curve,) in result.curves] == [4, 2, 2]
    losses = result.history["val_data_loss"][:, 0]
    assert np.isnan(losses[1:, 2:]).all() and np.isfinite(losses[0]).all()
    # The diverging one goes back to its first epoch.
    np.testing.assert_array_equal(
        result.final["val_data_loss"][:, 0], [losses[0, 3], losses[1, 0], losses[2, 0]]
    )
    assert result.best_index_ == 0


@pytest.mark.slow
@pytest.mark.needs("pandas")
def test_data_may_come_in_any_form():
    import pandas

    as_dict = {"a": X[:, :2], "b": X[:, 2:]}
    losses = [
        kd.sweep(build, [{}], x, y, **{**HOW, "epochs": 1}).history["loss"]
        for build, x, y in (
            (ridge, X, Y),
            (ridge, pandas.DataFrame(X), pandas.Series(Y)),
            (ridge, X.tolist(), [[one] for one in Y.tolist()]),
            (ridge, keras.ops.convert_to_tensor(X), Y.astype("float64")),
        )
    ]
    for loss in losses[1:]:
        np.testing.assert_allclose(loss, losses[0], rtol=1e-6)
    several = [
        kd.sweep(two_inputs, [{}], x, Y, **{**HOW, "epochs": 1}).history["loss"]
        for x in (
            as_dict,
            {name: pandas.DataFrame(value) for name, value in as_dict.items()},
        )
    ]
    assert list(as_dict) == list(INPUTS)
    np.testing.assert_array_equal(*several)


def test_what_is_finished_before_an_interruption_is_kept(monkeypatch):
    def interrupted(job, tasks, **how):
        outcomes, report = run(job, tasks[:1], **how)
        return outcomes + [None] * (len(tasks) - 1), report

    run = _sweep.run
    monkeypatch.setattr(_sweep, "run", interrupted)
    arguments = (ridge, {"l2": [0.0, 1.0]}, X, Y)
    result = kd.sweep(*arguments, validation_split=0.5, keep_weights=True, **HOW)
    assert result.best_index_ == 0 and result.curves[1] == [[]]
    assert np.isnan(result.history["loss"][1]).all() and "NaN" in repr(result)
    monkeypatch.setattr(_sweep, "run", lambda job, tasks, **how: ([None], None))
    with pytest.raises(KeyboardInterrupt):
        kd.sweep(*arguments, **HOW)


def test_without_a_best_candidate_it_says_why():
    nothing = kd.sweep(ridge, [{}], X, Y, **{**HOW, "epochs": 1})
    with pytest.raises(AttributeError, match="validation_split"):
        nothing.best_index_  # noqa: B018
    with pytest.raises(ValueError, match="`keep_weights` must be True"):
        nothing.build_best()
    with pytest.raises(ValueError, match="`metric` must be"):
        nothing.plot()
    diverged = kd.sweep(*(ridge, {"rate": [1e30]}, X, Y), validation_split=0.5, **HOW)
    with pytest.raises(AttributeError, match="no training has a val_data_loss"):
        diverged.best_params_  # noqa: B018
    assert "NaN" in repr(diverged)


def test_progress_is_told_in_lines_where_there_is_no_terminal(capfd):
    grid = {"l2": [0.0, 0.5, 1.0]}
    kd.sweep(ridge, grid, X, Y, verbose=True, **{**HOW, "epochs": 1})
    lines = capfd.readouterr().err.splitlines()[-3:]
    assert lines[0] == "1 of 3 trainings"  # which a compilation may have been part of
    assert lines[1].startswith("2 of 3 trainings, ") and lines[1].endswith("s left")
    assert lines[2] == "3 of 3 trainings"


def never(l2=0.0):
    raise AssertionError("something was built")


ACCURACY = keras.callbacks.EarlyStopping("val_loudness")
OWN_STOPPING = type("Mine", (keras.callbacks.EarlyStopping,), {})
BAD = {
    "build": ["model", None],
    "params": [{}.keys(), 3, [], {"l2": []}, {"l2": 1.0}, {"l2": "abc"}, {"l3": [1]}],
    "x": [None, X[:0], 3.0, X.astype(complex), {"a": X, "b": X[:3]}, [X, X[1:]]],
    "y": [None, Y[1:], Y[:0], ["a"] + [[2]] * 29],
    "epochs": [0, 1.5, float("nan"), True, "3"],
    "batch_size": [0, 2.0],
    "validation_split": [-0.1, 1.0, float("nan"), 0.999],
    "validation_data": [X, (X,), (X[:, :2], Y), (X, Y[1:]), (X, Y, Y[1:])],
    "seeds": [0, -1, [], [1, 1], [0.5], "0", [-1]],
    "sample_weight": [Y[1:], -np.ones(30), np.zeros(30), np.full(30, np.nan), "heavy"],
    "class_weight": [{}, {"a": 1.0}, {0: -1.0}, [1.0, 2.0]],
    "shuffle": ["yes", 1],
    "early_stopping": [True, ACCURACY, OWN_STOPPING(), keras.callbacks.EarlyStopping()],
    "max_parallel": [0, 2.5, "all"],
    "n_jobs": [0, 1.5, True],
    "engine": ["fast", None],
    "keep_weights": [1, None],
    "verbose": [2, "bar"],
}


@pytest.mark.parametrize("argument", BAD)
def test_bad_arguments_are_refused_before_anything_is_built(argument):
    for value in BAD[argument]:
        good = {"build": never, "params": {"l2": [1.0]}, "x": X, "y": Y, **HOW}
        if argument == "early_stopping" and value is ACCURACY:
            good["validation_split"] = 0.5
        with pytest.raises((TypeError, ValueError), match=f"`{argument}"):
            kd.sweep(**{**good, argument: value})


def test_a_build_that_makes_no_compiled_model_is_refused():
    with pytest.raises(TypeError, match=r"`build` must return a keras\.Model"):
        kd.sweep(lambda: None, [{}], X, Y, **HOW)
    with pytest.raises(ValueError, match="that is compiled"):
        kd.sweep(lambda: keras.Sequential([keras.layers.Dense(1)]), [{}], X, Y, **HOW)
