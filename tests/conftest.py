"""What every test shares: a quiet backend, a fixed seed, fresh-process helpers."""

import atexit
import gc
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
if os.environ.get("KERAS_BACKEND") == "jax":
    # Most tests have JAX compile what an earlier one had: what is compiled is kept for
    # this run of the tests, and for the processes that it starts.
    programs = tempfile.mkdtemp(prefix="compiled-by-jax-")
    atexit.register(shutil.rmtree, programs, ignore_errors=True)
    os.environ["JAX_COMPILATION_CACHE_DIR"] = programs
    os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
    os.environ["JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES"] = "-1"

import keras
import pytest
from commanded import Commanded
from found import Found

from keras_decay.experiments import _double

ROOT = Path(__file__).resolve().parent.parent


def pytest_collection_finish():
    """A collection of garbage need not look at what has been imported."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def fixed_seed():
    """Every test starts from the same random state and Keras' default float."""
    keras.utils.set_random_seed(0)
    yield
    keras.config.set_floatx("float32")
    # Without its garbage collection, which takes longer than most tests.
    keras.utils.clear_session(free_memory=False)


@pytest.fixture(autouse=True, scope="module")
def collected_garbage():
    """Models and what was compiled for them do not outlast their file of tests."""
    yield
    gc.collect()
    gc.freeze()  # what backends have imported and made meanwhile, to keep


@pytest.fixture
def float64():
    """Keras' default float is float64 during the test."""
    with _double.precision():
        yield


@pytest.fixture(scope="module")
def float64_for_hypothesis():
    """float64 for a test that Hypothesis runs, which refuses fixtures of a function."""
    with _double.precision():
        yield


@pytest.fixture
def run_python():
    """Run Python source in a new process; returns the completed process."""

    def run(source, *arguments, environment=None, check=True):
        completed = subprocess.run(
            [sys.executable, "-c", source, *map(str, arguments)],
            capture_output=True,
            text=True,
            timeout=300,
            env={**os.environ, **(environment or {})},
        )
        if check:
            assert completed.returncode == 0, completed.stderr[-4000:]
        return completed

    return run


@pytest.fixture(scope="session")
def found():
    """Each experiment on its small scale, run once for all tests that look at it."""
    return Found()


@pytest.fixture(scope="session")
def commanded(found, tmp_path_factory):
    """Each command of an experiment, run once for all tests that look at it."""
    return Commanded(found, lambda: tmp_path_factory.mktemp("commanded"))
