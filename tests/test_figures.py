"""Every figure that the library draws, read as its reader does; see `drawn`.

What is seen today and is to be mended stands in `SEEN`.
"""

from importlib import import_module

import pytest
import stand_ins
from drawings import DRAWINGS, drawn_by_the_callback
from drawn import faults
from support import once

from keras_decay.experiments import COMMANDS
from keras_decay.experiments._arms import ARMS

RESOLUTION = 150  # what figures of experiments are saved at
FIGURES = {
    name: import_module(f"keras_decay.experiments.{name.replace('-', '_')}").FIGURES
    for name in COMMANDS
}

POWERS = "labels of powers of ten overlap"
CORNER = "the lowest label of y and the first of x overlap in the corner"
CONTOURS = "nothing says what the contours are, nor what the black one is"
NUMBERS = "the y axes have ticks and no numbers"
ONE = "the x axes have a single label, 10⁰"
OFFSET = "the power of ten above the y axis lies over the sentence"
RAW = "nothing says what the faint lines are: the values before smoothing"
LIMIT = "nothing says what the thin line between the marks is: the best plus one SE"
SEEN = {
    "constraint": CONTOURS,
    "constraint-multiplier": CORNER,
    "equivalence": CORNER,
    "prior": NUMBERS,
    "logistic, quick": POWERS,
    "sparsity, quick": ONE,
    "curve, smooth": RAW,
    "curve, log and smooth": RAW,
    "curve of tiny losses": OFFSET,
    "curve of huge losses": OFFSET,
    "curve that explodes": OFFSET,
    "curves, a very long name": "a long name in the legend leaves the canvas",
    "validation curve": LIMIT,
    "validation curve with zero": LIMIT,
    "validation curve, r2": LIMIT,
    "validation curve, two values": LIMIT,
    "validation curve of two": LIMIT,
    "search in panels": LIMIT,
    "tuning": LIMIT,
    "heat map, 20 by 3": "the labels of the x axis overlap",
}
# The fast suite has one of each kind.
FAST = {
    "curve",
    "curve, log and smooth",
    "curve, restarted",
    "curve, learning_rate",
    "curve of 1 epoch",
    "curve of tiny losses",
    "curves, eight",
    "curves, eight long names",
    "curves, three seeds",
    "curves in panels",
    "validation curve",
    "sweep",
    "heat map of a sweep",
    "live",
    "equivalence, full",
    "logistic, quick",
    "prior, quick",
    "decoupling-slopes, full",
    "which-decay, full",
    "diabetes, all arms",
}


def cases(names, as_trained=False):
    """A parameter for each, marked by what is seen of it and what it takes."""
    found = []
    for name in names:
        figure, _, _ = name.partition(", ")
        seen = SEEN.get(name, SEEN.get(figure) if name not in DRAWINGS else None)
        marks = (
            [pytest.mark.xfail(strict=True, raises=AssertionError, reason=seen)]
            if seen
            else []
        )
        marks += [pytest.mark.slow] if as_trained or name not in FAST else []
        marks += [pytest.mark.full] if as_trained and "quick" not in name else []
        found.append(pytest.param(name, marks=marks, id=name))
    return found


@once
@pytest.mark.parametrize("name", cases(DRAWINGS))
def test_curves_and_searches(name):
    assert faults(DRAWINGS[name]()) == []


@once
@pytest.mark.slow
def test_the_figure_of_a_callback(tmp_path):
    assert faults(drawn_by_the_callback(tmp_path)) == []


class StoodIn:
    """`stood_in(name, scale)`: what an experiment finds with stand-ins, run once."""

    def __init__(self):
        self._found = {}

    def __call__(self, name, scale):
        if (name, scale) not in self._found:
            with pytest.MonkeyPatch.context() as patch:
                module = stand_ins.install(patch, name)
                self._found[name, scale] = self._run(module, scale)
        return self._found[name, scale]

    @staticmethod
    def _run(module, scale):
        if module.NAME != "diabetes":
            return module.run(quick=scale == "quick")


@pytest.fixture(scope="module")
def stood_in():
    return StoodIn()


SCALES = [
    f"{figure}, {scale}"
    for figures in FIGURES.values()
    for figure in figures
    for scale in ("quick", "full")
]


def owner(figure):
    """The experiment that a figure is of."""
    return next(name for name, figures in FIGURES.items() if figure in figures)


@once
@pytest.mark.parametrize("name", cases(SCALES))
def test_experiments(name, stood_in):
    """With stand-ins for the trainings: what is drawn, and of how much, is the same."""
    figure, scale = name.split(", ")
    found = stood_in(owner(figure), scale)
    assert faults(found.draw(figure), RESOLUTION) == []


DIABETES = {
    "diabetes": (["none", "l2-article", "l2", "adamw"], 100, 1),
    "diabetes, quick": (["none", "l2"], 20, 1),
    "diabetes, all arms": (list(ARMS), 100, 1),
    "diabetes, all arms and 3 seeds": (list(ARMS), 100, 3),
    "diabetes, one arm": (["none"], 100, 1),
    "diabetes, one epoch": (["none", "l2"], 1, 1),
}


@once
@pytest.mark.parametrize("name", cases(DIABETES))
def test_diabetes(name, monkeypatch):
    """The same; the arm `tuned` without its search."""
    arms, epochs, seeds = DIABETES[name]
    module = stand_ins.install(monkeypatch, "diabetes")
    monkeypatch.setattr(module, "tune", lambda **how: None)
    result = module.run(arms, epochs=epochs, seeds=seeds)
    assert faults(result.draw(), RESOLUTION) == []


@once
@pytest.mark.parametrize("name", cases(["tuning"]))
def test_tuning(name, monkeypatch):
    module = stand_ins.install(monkeypatch, "diabetes")
    assert faults(module.tune(epochs=3).draw()) == []


@once
@pytest.mark.parametrize("name", cases(SCALES, as_trained=True))
def test_experiments_as_trained(name, commanded):
    figure, scale = name.split(", ")
    done = commanded(owner(figure), *(["--quick"] if scale == "quick" else []))
    assert faults(done.result.draw(figure), RESOLUTION) == []


AS_TRAINED = {
    "diabetes, as trained quick": ["--quick"],
    "diabetes, as trained with all arms, quick": ["--quick", "--arms", "all"],
    "diabetes, as trained with all arms": ["--arms", "all"],
}


@once
@pytest.mark.parametrize("name", cases(AS_TRAINED, as_trained=True))
def test_diabetes_as_trained(name, commanded):
    result = commanded("diabetes", *AS_TRAINED[name]).result
    assert faults(result.draw(), RESOLUTION) == []
