"""What the folder of a search keeps, finds again, mends and refuses."""

import functools
import importlib
import json
import os
import shutil
import time
import warnings

import keras
import ml_dtypes
import numpy as np
import pytest
import searches

import keras_decay as kd
from keras_decay.ground import files
from keras_decay.search import _run
from keras_decay.search._code import code_of
from keras_decay.search._fingerprint import Keys
from keras_decay.search._memory import MARK, STALE, Memory
from keras_decay.search._work import Outcome


def search(folder, *changed, **settings):
    """A search of four tasks by `fit`, in the folder; its outcomes and its report."""
    job, tasks = searches.job(*(changed or [searches.strengths(2)]), **settings)
    return _run.run(job, tasks, engine="sequential", memory=folder)


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """A folder that a search has used, and its outcomes."""
    folder = tmp_path_factory.mktemp("memory")
    outcomes, _ = search(folder, searches.strengths(2, eager=True), keep_weights=True)
    return folder, outcomes


def again(folder):
    return search(folder, searches.strengths(2, eager=True), keep_weights=True)


@pytest.mark.slow
def test_what_is_there_is_not_trained_again(kept, monkeypatch, tmp_path):
    folder, before = kept
    with monkeypatch.context() as patched:
        patched.setattr("keras_decay.search._sequential.train", None)
        outcomes, report = again(str(folder))
    searches.assert_equal(outcomes, before)
    assert [o.seconds for o in outcomes] == [o.seconds for o in before]
    assert report.remembered == 4
    assert [g["seconds"] for g in report.groups] == [0, 0]
    # Another candidate: the others need not be trained, and nothing is said.
    copy = shutil.copytree(folder, tmp_path / "copy")
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        grid = searches.strengths(3, eager=True)
        outcomes, report = search(copy, grid, keep_weights=True)
    assert report.remembered == 4
    searches.assert_equal(outcomes[:4], before)


@pytest.mark.slow
def test_a_torn_file_is_trained_anew(kept):
    folder, before = kept
    files = sorted(p for p in folder.iterdir() if p.suffix == ".npz")
    whole = files[0].read_bytes()
    for content in (b"", whole[: len(whole) // 2], b"\0" * len(whole), b"PK" * 99):
        files[0].write_bytes(content)
        outcomes, report = again(folder)
        searches.assert_equal(outcomes, before)
        assert report.remembered == 3
    # Its checksum tells that a byte has changed.
    changed = bytearray(whole)
    changed[whole.index(b"NUMPY") + 200] ^= 1
    files[0].write_bytes(changed)
    # Nor do a torn mark, as after a power cut, and a torn list of a search matter.
    (folder / MARK).write_bytes(b"\0\0")
    for path in folder.glob("search-*"):
        path.write_bytes(b'{"eng')
    outcomes, report = again(folder)
    searches.assert_equal(outcomes, before)
    assert report.remembered == 3
    assert again(folder)[1].remembered == 4
    assert json.loads((folder / MARK).read_text()) == {"keras_decay_search": 1}


def test_what_processes_have_left_is_removed_when_it_is_old(tmp_path):
    Memory(tmp_path)
    names = [".0af3-abcdef_1.npz", ".search-12-12345678.json", ".foreign.npz"]
    old, new = tmp_path / names[0], tmp_path / names[1]
    for path in (old, new, tmp_path / names[2]):
        path.write_bytes(b"")
        then = time.time() - (0 if path is new else 2 * STALE)
        os.utime(path, (then, then))
    Memory(tmp_path)
    assert {p.name for p in tmp_path.iterdir()} == {MARK, *names[1:]}


def other_build(l2=0.0, eager=False):
    model = searches.build(l2, eager)
    model.optimizer.learning_rate = 0.04
    return model


@pytest.mark.parametrize(
    "changed, settings, what",
    [
        ({"x": searches.X + 1}, {}, "differs in x."),
        ({"build": other_build}, {}, "differs in build."),
        ({"splits": searches.SPLITS[:1]}, {}, "differs in the rows of the folds."),
        ({}, {"epochs": 3}, "differs in epochs (3, before 2)."),
        (
            {},
            {"shuffle": False, "batch_size": 9},
            "batch_size (9, before 10), shuffle (False, before True).",
        ),
    ],
)
def test_a_search_that_differs_says_in_what(tmp_path, changed, settings, what):
    about = [
        Keys(searches.job(searches.strengths(2), **how)[0], "auto").about
        for how in ({}, {**changed, **settings})
    ]
    memory = Memory(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        memory.enter(about[0])
        memory.enter(about[0])
    with pytest.warns(UserWarning, match="new to `memory`") as warned:
        memory.enter(about[1])
    assert str(warned[0].message).endswith(what)


def test_other_conditions_are_other_keys():
    def key(change=None, **others):
        if change is not None:
            change()
        job, (task, *_) = searches.job(searches.strengths(1), **others)
        keys = Keys(job, "auto")
        keys.see(0, job.build(**job.candidates[0]))
        return keys.of(task)

    def of_candidate(l2):
        job, (task, *_) = searches.job([{"l2": l2}])
        keys = Keys(job, "auto")
        keras.utils.set_random_seed(0)
        keys.see(0, job.build(l2=l2))
        return keys.of(task)

    assert of_candidate(0.1) == of_candidate(0.1) != of_candidate(0.2)

    def of_loss(factor):
        # Of one code and config: the loss that it computes tells them apart.
        held = [factor]

        def build(l2):
            model = searches.build(l2)
            model.compile("sgd", loss)
            return model

        def loss(y, predicted):
            return held[0] * keras.losses.mean_squared_error(y, predicted)

        keras.utils.set_random_seed(0)
        return key(build=build)

    assert of_loss(1.0) == of_loss(1.0) != of_loss(2.0)
    keras.utils.set_random_seed(0)
    usual = key()
    keras.utils.set_random_seed(0)
    assert key(lambda: keras.config.set_epsilon(1e-6)) != usual
    keras.config.set_epsilon(1e-7)


FACTOR = 2


def helper(x):
    return x * FACTOR


def test_the_code_of_a_function():
    """Equal where the same is done, on other lines too; and else not."""

    def of(source, **names):
        scope = {"kd": kd, "np": np, "__name__": "of_the_user", **names}
        exec(source, scope)
        return code_of(scope["build"])

    one = "def build(x, *, y=1):\n return helper(x) + {'a': y}['a']"
    assert of(one, helper=helper) == of("\n\n# Why.\n" + one, helper=helper)
    others = [
        of(one.replace("y=1", "y=2"), helper=helper),
        of(one.replace("+", "-"), helper=helper),
        of(one, helper=lambda x: x * FACTOR + 1),
        of(one, helper=functools.partial(helper, 1)),
        of(one, helper=functools.partial(helper, 2)),
        of("k = np.zeros(2000)\ndef build(x): return x + k"),
        of("k = np.zeros(2000)\nk[999] = 1\ndef build(x): return x + k"),
        of("def build(x): return x in {'some', 'names'}"),
        of("class build:\n def call(self, x): return helper(x)", helper=helper),
        of("class build:\n def call(self, x): return helper(x)", helper=lambda x: x),
    ]
    assert len({*others, of(one, helper=helper)}) == len(others) + 1
    # Of a notebook; pytest's own `__main__` is a library's file.
    ours, theirs = (of(f"def build(): return {n}", __name__="__main__") for n in "12")
    assert ours != theirs

    def closure(held):
        return lambda x: x + held

    assert code_of(closure(1)) == code_of(closure(1)) != code_of(closure(2))

    def recursive(x):
        return recursive(x - 1) if x else 0

    # What a library does is told by its version.
    assert code_of(recursive) and code_of(keras.Sequential) == "'Sequential'"


def test_libraries_are_known_by_name_wherever_they_lie(tmp_path, monkeypatch):
    """Also in a folder that a .pth file has put on the path, not our environment's."""
    sources = "class Odd:\n    __module__ = property(lambda self: 'odd')\n"
    for folder in ("site-packages", "dist-packages", "mine"):
        name = f"told_{folder[:4]}"
        path = tmp_path / folder
        path.mkdir()
        (path / f"{name}.py").write_text("def f():\n    return 1\n" + sources)
        monkeypatch.syspath_prepend(path)
        module = importlib.import_module(name)
        told = code_of(module.f)
        assert (told == "'f'") == (folder != "mine")
        assert code_of(module.Odd())  # its `__module__` is no text


def test_outcomes_are_kept_as_they_are(tmp_path):
    memory = Memory(tmp_path)
    predictions = {"a": [np.eye(2), np.ones(3, "int8")], "b": (np.float32(3),)}
    weights = [np.ones(2, ml_dtypes.bfloat16), np.zeros((0, 2))]
    history = {"loss": np.array([1.0, np.nan, np.inf]), "ä": np.zeros(1)}
    memory.put("key", Outcome(history, 1, predictions, weights, "vectorized", 3, 0.25))
    found = Memory(tmp_path).get("key")
    assert (found.best_epoch, found.engine, found.seconds) == (1, "vectorized", 0.25)
    assert list(found.history) == list(history)
    np.testing.assert_array_equal(found.history["loss"], history["loss"])
    assert type(found.predictions["b"]) is tuple
    assert [w.dtype for w in found.weights] == [w.dtype for w in weights]
    flat, theirs = (keras.tree.flatten(p) for p in (found.predictions, predictions))
    for one, other in zip(flat, theirs, strict=True):
        np.testing.assert_array_equal(one, other)
    assert memory.get("another") is None


def test_folders_that_are_refused(tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(ValueError, match=r"`memory` must be .*It holds 'thesis.txt'"):
        search(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.txt"]
    with pytest.raises(OSError, match=r"`memory` cannot be written to .*thesis.txt"):
        search(tmp_path / "thesis.txt" / "within")
    later = tmp_path / "later"
    later.mkdir()
    (later / MARK).write_text('{"keras_decay_search": 2}')
    with pytest.raises(ValueError, match="not of this version"):
        search(later)
    with pytest.raises(TypeError, match=r"`memory` must be .*Received: memory=3"):
        search(3)


@pytest.mark.slow
def test_a_full_disk_ends_the_keeping_and_not_the_search(tmp_path, monkeypatch):
    def full(path, write):
        if path.suffix == ".npz":
            raise OSError(28, "No space left on device")
        return replace(path, write)

    replace = files.replace
    monkeypatch.setattr("keras_decay.ground.files.replace", full)
    with pytest.warns(UserWarning, match="No space left.*goes on") as warned:
        outcomes, _ = search(tmp_path, searches.strengths(1, eager=True))
    ours = [w for w in warned if w.category is UserWarning]
    assert len(ours) == 1 and None not in outcomes
