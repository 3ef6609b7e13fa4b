"""How a search runs: what is told of it, falling back, memory that runs out, Ctrl-C."""

import random
import warnings

import numpy as np
import pytest
import searches

from keras_decay.ground.backend import programs
from keras_decay.search import _building, _engine, _width
from keras_decay.search._groups import groups_of, reason_of
from keras_decay.search._run import run

COMPILES = programs.current().COMPILES


@pytest.fixture(scope="module")
def job_and_tasks():
    """Ten tasks that one program trains, on splits of two sizes."""
    return searches.job(searches.strengths(5), keep_weights=True)


@pytest.fixture(scope="module")
def undisturbed(job_and_tasks):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return run(*job_and_tasks, max_parallel=4)[0]


@pytest.mark.slow
def test_every_task_is_told_of_and_the_sequential_engine_is_asked_for():
    job, tasks = searches.job(searches.strengths(2, eager=True))
    told = []
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        outcomes, report = run(
            *(job, tasks[::-1]),
            engine="sequential",
            progress=lambda *now: told.append(now),
        )
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert [len(o.predictions) for o in outcomes] == [14, 13, 14, 13]
    assert [g["candidates"] for g in report.groups] == [[1], [0]]
    for number, group in enumerate(report.groups):
        assert group["engine"] == "sequential" and group["compilations"] == 0
        assert group["reason"] == "the sequential engine was asked for"
        ours = [o for o in outcomes if o.group == number]
        assert group["seconds"] == pytest.approx(sum(o.seconds for o in ours), rel=0.1)


@pytest.mark.slow
def test_what_no_program_can_train_is_trained_by_fit_and_said_once():
    grid = searches.strengths(4, eager=True)
    job, tasks = searches.job(grid, splits=searches.SPLITS[:1])
    with pytest.warns(UserWarning, match="one after another by `fit`") as warned:
        outcomes, report = run(job, tasks)
    (text,) = {str(w.message) for w in warned if w.category is UserWarning}
    assert "'eager': True} and 1 more: " in text
    why = "run_eagerly=True"
    assert why in text and all(why in group["reason"] for group in report.groups)
    assert {o.engine for o in outcomes} == {"sequential"}
    with pytest.raises(ValueError, match=rf"`engine` must be .* For .*{why}"):
        run(job, tasks, engine="vectorized")


@pytest.fixture
def trainings(monkeypatch):
    """The numbers of tasks that a program was to train; an error for too many."""
    asked, errors = [], {}

    def train(self, tasks):
        asked.append(len(tasks))
        error = errors.get(len(asked), errors.get("all"))
        if error is not None and len(tasks) > errors.get("up to", 0):
            raise error
        return before(self, tasks)

    before = _engine._vectorized.Runner.train
    monkeypatch.setattr(_engine._vectorized.Runner, "train", train)
    return asked, errors


class ResourceExhaustedError(Exception):
    """As TensorFlow's."""


@pytest.mark.parametrize(
    "error, is_one",
    [
        (ResourceExhaustedError("OOM when allocating"), True),
        (RuntimeError("RESOURCE_EXHAUSTED: Out of memory"), True),  # as JAX's
        (MemoryError(), True),
        (np.exceptions.AxisError("no"), False),
    ],
)
def test_errors_that_tell_of_too_little_memory(error, is_one):
    assert _engine._is_out_of_memory(error) is is_one


@pytest.mark.parametrize(
    "text, said",
    [
        ("no kernel\nand a long text", ": no kernel"),
        ("", ""),
        (
            "Exception encountered when calling Conv2D.call().\n\n\x1b[1mno batching "
            "rule\x1b[0m\n\nArguments received by Conv2D.call():\n  • inputs=…",
            ": no batching rule",
        ),
    ],
)
def test_what_is_told_of_an_error(text, said):
    expected = f"the program failed with RuntimeError{said}"
    assert reason_of(RuntimeError(text)) == expected


def test_a_chunk_is_as_wide_as_cores_or_memory_allow(job_and_tasks, monkeypatch):
    job, tasks = job_and_tasks
    (group,) = groups_of(job, range(5), 0)
    device, tasks = programs.current(), tasks * 9  # 90
    assert _width.width_of(3, job, group, tasks) == 3
    monkeypatch.setattr(device, "concurrency", lambda: 2)
    monkeypatch.setattr(device, "free_memory", lambda: None)
    monkeypatch.setattr(device, "width", {4: 6}.get)
    assert _width.width_of("auto", job, group, tasks) == 12
    # A weight of three numbers, a bias and few more of SGD's: hundreds of bytes.
    each = _width.bytes_of_task(job, group)
    assert 100 < each < 2000
    for free, width in ((0, 1), (13 * each, 6), (10**9, 90)):
        monkeypatch.setattr(device, "free_memory", lambda free=free: free)
        assert _width.width_of("auto", job, group, tasks) == width


@pytest.mark.slow
def test_out_of_memory_halves_the_width(trainings, job_and_tasks, undisturbed):
    asked, errors = trainings
    errors |= {"all": ResourceExhaustedError("OOM when allocating"), "up to": 2}
    told = []
    outcomes, report = run(
        *job_and_tasks, max_parallel=5, progress=lambda *now: told.append(now[0])
    )
    # Of each split five, halved once: as they are cut for programs of two.
    assert asked == [5, 2, 2, 1, 2, 2, 1]
    assert told == [2, 4, 5, 7, 9, 10]
    (group,) = report.groups
    assert (group["width"], group["reason"]) == (2, None)
    # The wider one failed before it was compiled.
    assert group["compilations"] == COMPILES
    searches.assert_equal(outcomes, undisturbed, rtol=1e-6)


@pytest.mark.slow
def test_a_program_that_fails_is_replaced_by_fit(trainings, job_and_tasks, undisturbed):
    asked, errors = trainings
    errors[2] = errors[3] = RuntimeError("no kernel for this\nand a long text")
    job, tasks = job_and_tasks
    with pytest.warns(UserWarning, match=r"no kernel for this[^\n]*$"):
        outcomes, report = run(job, tasks[:2], max_parallel=1)
    assert asked == [1, 1]
    assert {o.engine for o in outcomes} == {"vectorized", "sequential"}
    (group,) = report.groups
    found = [group[name] for name in ("engine", "width", "compilations", "reason")]
    failed = "the program failed with RuntimeError: no kernel for this"
    assert found == ["sequential", 1, COMPILES, failed]
    # Both ways lead to the same numbers.
    for ours, theirs in zip(outcomes, undisturbed, strict=False):
        for name, values in theirs.history.items():
            np.testing.assert_allclose(ours.history[name], values, rtol=1e-5)
    with pytest.raises(ValueError, match=r"`engine` must be .*no kernel for this"):
        run(job, tasks[:1], engine="vectorized")


@pytest.mark.slow
@pytest.mark.parametrize("moment", ["while training", "while models are built"])
def test_ctrl_c_keeps_what_is_done(moment, job_and_tasks, undisturbed, tmp_path):
    job, tasks = job_and_tasks
    pressed = []

    def progress(done, total):
        if moment == "while training" and done >= 4 and not pressed:
            pressed.append(done)
            raise KeyboardInterrupt

    def build(**params):
        if moment == "while models are built" and params["l2"] > 0.02:
            raise KeyboardInterrupt
        return searches.build(**params)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        job, tasks = searches.job(searches.strengths(5), build, keep_weights=True)
        how = {"max_parallel": 4, "memory": tmp_path / "memory"}
        outcomes, report = run(job, tasks, progress=progress, **how)
        assert report.interrupted
        done = [i for i, o in enumerate(outcomes) if o is not None]
        if moment == "while models are built":
            assert done == []
            return
        assert len(done) == 4
        searches.assert_equal(
            [outcomes[i] for i in done], [undisturbed[i] for i in done]
        )
        # And with the same folder the rest is done.
        outcomes, report = run(job, tasks, **how)
    assert report.remembered == 4 and not report.interrupted
    searches.assert_equal(outcomes, undisturbed)


def test_errors_of_build_and_of_the_data_are_the_users():
    def build(l2):
        raise ZeroDivisionError("in build")

    job, tasks = searches.job(searches.strengths(1), build)
    for engine in ("auto", "sequential"):
        with pytest.raises(ZeroDivisionError, match="in build"):
            run(job, tasks, engine=engine)
    job, tasks = searches.job(searches.strengths(1), x=searches.X[:, :2])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # Keras 3.12 puts its ValueError into a RuntimeError.
        with pytest.raises((ValueError, RuntimeError), match="shape"):
            run(job, tasks)


def test_a_model_in_whose_building_another_thread_draws_is_built_again(monkeypatch):
    """As Dask's threads do it, in its workers."""
    built = []

    def build():
        built.append(random.random() if len(built) == 1 else None)
        return searches.build()

    def kernel():
        (kernel, _) = _building.build_model(build, {}, 3, searches.X).get_weights()
        return kernel

    monkeypatch.setattr(_building, "_DRAWING", ("is not imported",))
    usual = kernel()
    assert len(built) == 1
    monkeypatch.setattr(_building, "_DRAWING", ("keras",))
    np.testing.assert_array_equal(kernel(), usual)
    assert len(built) == 4  # disturbed, and twice the same


def test_no_tasks():
    job, _ = searches.job(searches.strengths(1))
    outcomes, report = run(job, [])
    assert outcomes == [] and report.groups == []
