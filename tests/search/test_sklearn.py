"""`DecaySearchCV` in scikit-learn's own checks, with an engine that costs nothing."""

import keras
import pytest
from numpy_engine import run
from searched_models import classifier, ridge
from sklearn.utils.estimator_checks import check_estimator

import keras_decay as kd
from keras_decay.search import _cv, _refit

# Checks that do not apply to a search over Keras models, and why.
NOT_FOR_A_SEARCH = {
    "check_sample_weight_equivalence_on_dense_data": (
        "folds and batches count rows, so that a row given twice is not one of twice "
        "the weight; scikit-learn's own searches are excused for it as well"
    ),
}
NOT_FOR_NUMBERS = {
    "check_supervised_y_2d": (
        "a column of numbers is what `fit` of Keras takes, so it needs no warning"
    ),
}


def binary(l2=0.0):
    """A classifier of two classes."""
    return classifier("binary_crossentropy", 1, "sigmoid", l2)


# They are of what surrounds the engines, the same on every backend; PyTorch, which
# compiles nothing, takes the least time.
@pytest.mark.skipif(
    keras.backend.backend() != "torch", reason="one backend is enough for this"
)
# float64, for predictions that do not depend on a row's place in its batch by more than
# the 1e-7 that the checks allow.
@pytest.mark.usefixtures("float64")
@pytest.mark.filterwarnings("ignore")  # the checks give bad data on purpose
@pytest.mark.parametrize(
    "build, scoring, excused",
    [(ridge, "r2", NOT_FOR_NUMBERS), (binary, "accuracy", {})],
    ids=["regressor", "classifier"],
)
def test_it_passes_the_checks_of_estimators(build, scoring, excused, monkeypatch):
    for module in (_cv, _refit):
        monkeypatch.setattr(module, "run", run)
    excused = NOT_FOR_A_SEARCH | excused
    search = kd.DecaySearchCV(build, {"l2": [1e-3]}, cv=2, epochs=20, scoring=scoring)
    found = check_estimator(
        search, expected_failed_checks=excused, on_skip=None, on_fail=None
    )
    failed = {c["check_name"]: c["exception"] for c in found if c["status"] == "failed"}
    assert not failed
    assert {c["check_name"] for c in found if c["status"] == "xfail"} == set(excused)
    passed = [c["check_name"] for c in found if c["status"] == "passed"]
    assert len(passed) > 50 and "check_estimators_pickle" in passed
