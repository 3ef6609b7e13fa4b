"""Candidates from grids and distributions, and early stopping in plain words."""

import keras
import numpy as np
import pytest
from scipy import stats
from searched_models import X, Y, ridge
from sklearn.model_selection import ParameterGrid

from keras_decay.search._candidates import candidates_of_grid, candidates_of_sweep
from keras_decay.search._stopping import stopping_of


def build(l2, units=3, *, rate=0.1):
    """Never called."""


def test_grids_are_scikit_learns():
    grid = [{"l2": [0, 1], "units": np.array([2, 3])}, {"l2": range(2), "rate": (0.5,)}]
    found = candidates_of_grid(build, grid)
    assert found == list(ParameterGrid(grid))
    assert all(type(v) in (int, float) for one in found for v in one.values())


def test_distributions_are_drawn_from():
    grid = {"l2": stats.loguniform(1e-4, 1), "units": [2, 3]}
    found = candidates_of_grid(build, grid, n_iter=5, random_state=0)
    assert len(found) == 5 and len({one["l2"] for one in found}) == 5
    assert all(1e-4 <= one["l2"] <= 1 and type(one["l2"]) is float for one in found)
    assert found == candidates_of_grid(build, grid, n_iter=5, random_state=0)
    with pytest.raises(ValueError, match="`n_iter` must be given where"):
        candidates_of_grid(build, grid)
    with pytest.raises(ValueError, match="`n_iter` must be a whole number"):
        candidates_of_grid(build, grid, n_iter=0)
    with pytest.raises(TypeError, match=r"`params\['l2'\]` must be"):
        candidates_of_sweep(build, grid)


def test_a_list_for_a_sweep_holds_the_candidates_themselves():
    assert candidates_of_sweep(build, [{"l2": [1, 2]}]) == [{"l2": [1, 2]}]
    assert candidates_of_sweep(lambda **anything: None, {"a": [1]}) == [{"a": 1}]


@pytest.mark.parametrize(
    "grid, words",
    [
        ({"units": [2]}, "'l2' is missing"),
        ({"l2": [1], "width": [2]}, "it takes l2, units, rate"),
        ({"l2": np.ones((2, 2))}, r"param_grid\['l2'\]"),
        ({"l2": 0.5}, "Put a single value into a list"),
        ({1: [2]}, "keys are names"),
        ([], "a list of such dicts"),
    ],
)
def test_bad_grids(grid, words):
    with pytest.raises((TypeError, ValueError), match=words):
        candidates_of_grid(build, grid)


def test_early_stopping_is_read_as_keras_means_it():
    callback = keras.callbacks.EarlyStopping(
        "val_accuracy",
        min_delta=0.25,
        patience=3,
        baseline=0.5,
        restore_best_weights=True,
        start_from_epoch=2,
    )
    found = stopping_of(callback, True)
    assert (found.monitor, found.mode, found.patience) == ("val_accuracy", "max", 3)
    assert (found.min_delta, found.baseline, found.start) == (0.25, 0.5, 2)
    assert found.restore_best_weights
    # In use Keras keeps min_delta with the sign of the direction.
    used = keras.callbacks.EarlyStopping("loss", min_delta=0.25)
    ridge().fit(X, Y, verbose=0, callbacks=[used])
    assert used.min_delta == -0.25 and stopping_of(used, False).min_delta == 0.25
    for monitor, mode in (
        ("val_data_loss", "min"),
        ("val_mae", "min"),
        ("auc_1", "max"),
        ("val_root_mean_squared_error", "min"),
    ):
        assert stopping_of(keras.callbacks.EarlyStopping(monitor), True).mode == mode
    own = keras.callbacks.EarlyStopping("val_loudness", mode="max")
    assert stopping_of(own, True).mode == "max"
    assert stopping_of(None, True) is None
    with pytest.raises(ValueError, match="no rows to validate on"):
        stopping_of(callback, False)
