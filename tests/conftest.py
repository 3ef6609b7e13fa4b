"""What every test shares: a quiet backend, a fixed seed, fresh-process helpers."""

import atexit
import gc
import importlib.metadata
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from turns import Record, runs_here

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


if os.environ.get("KERAS_BACKEND") == "jax":
    # Compiled programs are kept for the whole run, workers and subprocesses included:
    # most tests compile what an earlier one has compiled. XLA's expensive passes and
    # its newer emitters take longer than they save in tests. Less optimisation than
    # that would round a step differently from program to program.
    flags = os.environ.get("XLA_FLAGS", "")
    if "xla_llvm_disable_expensive_passes" not in flags:
        flags += " --xla_llvm_disable_expensive_passes=true"
        jaxlib = importlib.metadata.version("jaxlib").split(".")
        if (int(jaxlib[0]), int(jaxlib[1])) >= (0, 10):  # an unknown flag is fatal
            flags += " --xla_cpu_use_fusion_emitters=false"
        os.environ["XLA_FLAGS"] = flags.strip()
    if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
        programs = tempfile.mkdtemp(prefix="compiled-by-jax-")
        atexit.register(shutil.rmtree, programs, ignore_errors=True)
        os.environ["JAX_COMPILATION_CACHE_DIR"] = programs
        os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
        os.environ["JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES"] = "-1"

MISSING = "needs a package that is not installed:"
ROOT = Path(__file__).resolve().parent.parent


def pytest_addoption(parser):
    parser.addoption(
        "--complete",
        action="store_true",
        help="fail if a test is skipped because a package is missing",
    )
    parser.addoption(
        "--by-turns",
        metavar="FOLDER",
        help="share the slow tests among the backends, and note in FOLDER which ran",
    )


def pytest_configure(config):
    """Give each worker one core: workers that share cores slow each other down."""
    if (getattr(config.option, "numprocesses", None) or 0) > 1:
        flags = os.environ.get("XLA_FLAGS", "")
        os.environ["XLA_FLAGS"] = f"{flags} --xla_cpu_multi_thread_eigen=false".strip()
        os.environ.setdefault("OMP_NUM_THREADS", "1")
        os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")


def pytest_collection_modifyitems(config, items):
    folder = config.option.by_turns
    if folder:
        record = Record(folder)
        config.pluginmanager.register(record)
        record.collected(items)
    mine, others = [], []
    for item in items:
        (mine if runs_here(item, bool(folder)) else others).append(item)
    if others:
        config.hook.pytest_deselected(items=others)
        items[:] = mine


def pytest_runtest_setup(item):
    for mark in item.iter_markers("needs"):
        for package in mark.args:
            if importlib.util.find_spec(package) is None:
                pytest.skip(f"{MISSING} {package}")


def pytest_terminal_summary(terminalreporter, config):
    if config.option.complete and _missing_packages(terminalreporter):
        terminalreporter.section("skipped for want of a package", red=True)
        for reason in sorted(_missing_packages(terminalreporter)):
            terminalreporter.line(reason)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session, exitstatus):
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if session.config.option.complete and reporter and _missing_packages(reporter):
        session.exitstatus = exitstatus or pytest.ExitCode.TESTS_FAILED


def _missing_packages(reporter):
    reasons = {str(report.longrepr[2]) for report in reporter.stats.get("skipped", [])}
    return {reason for reason in reasons if MISSING in reason}


def pytest_collection_finish():
    """Garbage is collected seldom, and not looked for in what has been imported."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


@pytest.fixture(autouse=True)
def fixed_seed():
    """Every test starts from the same random state and Keras' default float."""
    import keras  # not at the top: the process that hands out tests needs none

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
    from keras_decay.experiments import _double

    with _double.precision():
        yield


@pytest.fixture(scope="module")
def float64_for_hypothesis():
    """float64 for a test that Hypothesis runs, which refuses fixtures of a function."""
    from keras_decay.experiments import _double

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
    from found import Found

    return Found()


@pytest.fixture(scope="session")
def commanded(found, tmp_path_factory):
    """Each command of an experiment, run once for all tests that look at it."""
    from commanded import Commanded

    return Commanded(found, lambda: tmp_path_factory.mktemp("commanded"))
