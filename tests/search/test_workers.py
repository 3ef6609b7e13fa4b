"""Chunks trained by joblib's workers: its own processes, Dask's and Ray's.

Processes are slow to start, so they are few, and of one backend.
"""

import contextlib
import os
import secrets
import shutil
import tempfile
import warnings

import joblib
import keras
import pytest
import searches
from support import slow

import keras_decay as kd
from keras_decay.search._run import run
from keras_decay.search._work import Split

processes = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="processes are slow to start"
)


def sequential():
    """No other process: what is sent to workers is packed and unpacked all the same."""
    return joblib.parallel_config("sequential")


def loky():
    return joblib.parallel_config("loky")


@contextlib.contextmanager
def dask():
    """One process, with two threads that take chunks."""
    import distributed

    how = {"dashboard_address": None, "host": "127.0.0.1"}
    with (
        distributed.LocalCluster(1, threads_per_worker=2, **how) as cluster,
        distributed.Client(cluster),
        joblib.parallel_config("dask"),
    ):
        yield


@contextlib.contextmanager
def ray():
    import ray
    from ray.util.joblib import register_ray

    register_ray()
    folder = tempfile.mkdtemp(prefix="ray-")  # short: it is in the names of sockets
    # It would tell of its use, and keep a token of its own at home.
    settings = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    os.environ |= settings
    try:
        ray.init(
            num_cpus=2,
            include_dashboard=False,
            log_to_driver=False,
            _node_ip_address="127.0.0.1",
            _temp_dir=folder,
        )
        with joblib.parallel_config("ray"):
            yield
    finally:
        ray.shutdown()
        for name in settings:
            del os.environ[name]
        shutil.rmtree(folder, ignore_errors=True)


def job_of(folder, **settings):
    """One whose `build`, a closure, tells of its process in a folder."""

    def build(l2, eager=False):
        epsilon = keras.config.epsilon()
        (folder / str(os.getpid())).write_text(str(epsilon))
        # As `searches.build`, a file that Ray's processes do not find.
        layer = keras.layers.Dense(1, kernel_regularizer=kd.L2(l2))
        model = keras.Sequential([keras.Input((3,)), layer])
        model.compile(keras.optimizers.SGD(0.05), "mse", run_eagerly=eager)
        return model

    grid = [*searches.strengths(2), *searches.strengths(1, eager=True)]
    rows = searches.ROWS  # as many to train on in both folds: one program
    splits = [Split(rows[:27], rows[27:]), Split(rows[13:], rows[:13])]
    return searches.job(grid, build, splits, keep_weights=True, **settings)


@pytest.fixture(scope="module")
def in_this_process(tmp_path_factory):
    job, tasks = job_of(tmp_path_factory.mktemp("here"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return run(job, tasks, max_parallel=2)


# How many processes beside this one train.
PROCESSES = {sequential: 0, loky: 2, dask: 1, ray: 2}


@processes
@pytest.mark.parametrize(
    "backend",
    [
        sequential,
        slow(loky),
        pytest.param(dask, marks=[pytest.mark.slow, pytest.mark.needs("distributed")]),
        pytest.param(ray, marks=[pytest.mark.slow, pytest.mark.needs("ray")]),
    ],
    ids=["sequential", "loky", "dask", "ray"],
)
def test_workers_give_what_this_process_gives(backend, tmp_path, in_this_process):
    folder, memory = tmp_path / "processes", tmp_path / "memory"
    folder.mkdir()
    job, tasks = job_of(folder)
    told = []
    keras.config.set_epsilon(1e-6)  # sent to the workers
    try:
        with backend(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            outcomes, report = run(
                *(job, tasks),
                max_parallel=2,
                n_jobs=None if backend is dask else 2,
                memory=memory,
                progress=lambda *now: told.append(now),
            )
    finally:
        keras.config.set_epsilon(1e-7)
    expected, theirs = in_this_process
    searches.assert_equal(outcomes, expected, rtol=1e-6)
    (folder / str(os.getpid())).unlink()  # where the groups were found
    epsilons = [path.read_text() for path in folder.iterdir()]
    assert epsilons == ["1e-06"] * PROCESSES[backend]
    for ours, by_one in zip(report.groups, theirs.groups, strict=True):
        assert ours | {"seconds": 0} == by_one | {"seconds": 0}
        assert ours["seconds"] > 0
    assert sorted(told) == told and told[-1] == (6, 6) and len(told) >= 4
    assert len(list(memory.glob("*.npz"))) == 6
