"""Searches that earlier versions have kept are read, and choose what they chose."""

import json
import pickle
import warnings
import zipfile
from pathlib import Path

import fixture_models as fixed
import keras
import numpy as np
import pytest

from keras_decay.search._memory import Memory

HERE = Path(__file__).parent.parent / "fixtures" / "version_0_1_1"
HERE = HERE / keras.backend.backend()


@pytest.fixture(scope="module")
def then():
    return json.loads((HERE / "search.json").read_text())


@pytest.fixture
def folder(tmp_path):
    with zipfile.ZipFile(HERE / "memory.zip") as file:
        file.extractall(tmp_path)
    return tmp_path


def assert_same_choice(search, then):
    assert search.lambda_min_ == then["lambda_min_"]
    assert search.lambda_1se_ == then["lambda_1se_"]
    for name in ("mean_test_score", "se_test_score"):
        np.testing.assert_allclose(search.cv_results_[name], then[name], rtol=1e-4)
    np.testing.assert_allclose(
        search.predict(fixed.X), then["predictions"], rtol=1e-4, atol=1e-5
    )


def test_every_outcome_in_a_folder_is_read(folder, then):
    memory = Memory(folder)
    histories = [memory.get(path.stem).history for path in folder.glob("*.npz")]
    # One is that of the model trained on all rows.
    found = sorted(h["val_data_loss"][-1] for h in histories if "val_data_loss" in h)
    curves = [curve for of_one in then["curves_"] for curve in of_one]
    expected = sorted(curve[-1]["val_data_loss"] for curve in curves)
    np.testing.assert_allclose(found, expected, rtol=1e-6)


@pytest.mark.slow
def test_a_search_goes_on_in_a_folder(folder, then):
    # Its keys hold the versions of Keras and of its backend: with others it is trained
    # anew, and says so.
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "This search is new to `memory`")
        search = fixed.search(folder).fit(fixed.X, fixed.Y)
    assert_same_choice(search, then)


@pytest.mark.skipif(
    tuple(map(int, keras.__version__.split(".")[:2])) < (3, 15),
    reason="an older Keras does not read files of Keras 3.15",
)
def test_a_pickled_search_predicts(then):
    search = pickle.loads((HERE / "search.pickle").read_bytes())
    assert_same_choice(search, then)
