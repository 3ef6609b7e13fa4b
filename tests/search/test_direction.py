"""In which direction a parameter regularises, and the choice that follows from it."""

import warnings

import keras
import numpy as np
import numpy_engine
import pytest
from searched_models import X, Y, model_of
from support import recent_keras

import keras_decay as kd
from keras_decay.search import _cv, _refit
from keras_decay.search._direction import direction

L = keras.layers
ROW = X[:1]


def penalised(penalty):
    """A `build` whose models have this penalty of the parameter."""
    return lambda v: model_of(L.Dense(2, kernel_regularizer=penalty(v)))


def optimised(optimizer):
    return lambda v: model_of(L.Dense(2), optimizer=optimizer(v))


def decoupled(**arguments):
    return kd.DecoupledWeightDecay(keras.optimizers.SGD(0.1), **arguments)


LARGER = {
    "L2": penalised(kd.L2),
    "Keras' L2": penalised(keras.regularizers.L2),
    "Keras' L1": penalised(keras.regularizers.L1),
    "a sum": penalised(lambda v: kd.L1(0.1) + kd.GroupLasso(v)),
    "a multiple": penalised(lambda v: v * kd.MCP(0.1)),
    "MCP": penalised(kd.MCP),
    "Nuclear": penalised(kd.Nuclear),
    "a scale that is squared": penalised(lambda v: kd.L2(v**2)),
    "of the user's": penalised(lambda v: lambda w: v * keras.ops.sum(w**2)),
    "a reference": penalised(lambda v: kd.L2SP(v, np.ones((3, 2), "float32"))),
    "precision": penalised(lambda v: kd.GaussianPrior(v**-0.5, 100)),
    "activity": lambda v: model_of(L.Dense(2, activity_regularizer=kd.L2(v))),
    "decay": optimised(lambda v: keras.optimizers.AdamW(0.01, weight_decay=v)),
    "decoupled": optimised(lambda v: decoupled(weight_decay=v)),
    "a rule": optimised(lambda v: decoupled(rules=[("kernel", v)])),
    "a proximal step": optimised(lambda v: decoupled(penalty=kd.L1(v))),
    "a schedule of decay": optimised(
        lambda v: decoupled(
            weight_decay=keras.optimizers.schedules.ExponentialDecay(v, 10, 0.5)
        )
    ),
    "scaled": optimised(
        lambda v: keras.optimizers.LossScaleOptimizer(
            keras.optimizers.AdamW(0.01, weight_decay=v)
        )
    ),
    "dropout": lambda v: model_of(L.Dropout(v / 8)),
    "noise": lambda v: model_of(L.GaussianNoise(v / 8)),
    "two ways": lambda v: model_of(
        L.Dense(2, kernel_regularizer=kd.L2(v)), L.Dropout(v / 8)
    ),
}
SMALLER = {
    "C": penalised(lambda v: kd.L2(1 / v)),
    "10^-k": penalised(lambda v: kd.L2(10**-v)),
    "Gaussian scale": penalised(lambda v: kd.GaussianPrior(v, 100)),
    "Laplace scale": penalised(lambda v: kd.LaplacePrior(v, 100)),
    "Student-t scale": penalised(lambda v: kd.StudentTPrior(3.0, v, 100)),
    "horseshoe scale": penalised(lambda v: kd.HorseshoePrior(v, 100)),
    "n_samples": penalised(lambda v: kd.GaussianPrior(1.0, round(100 * v))),
    "radius": lambda v: model_of(L.Dense(2, kernel_constraint=kd.NormBall(v))),
    "Keras' norm": lambda v: model_of(
        L.Dense(2, kernel_constraint=keras.constraints.MaxNorm(v))
    ),
    "share kept": lambda v: model_of(L.Dropout(1 - v / 8)),
    "timescale": optimised(lambda v: decoupled(weight_decay=1 / v)),
}
UNKNOWN = {
    "rate": optimised(keras.optimizers.SGD),
    "units": lambda v: model_of(L.Dense(round(2 * v))),
    "share of L1": penalised(lambda v: kd.ElasticNet(v / 8, 1 - v / 8)),
    "p": penalised(lambda v: kd.Lp(0.1, v / 4)),
    "two ways apart": lambda v: model_of(
        L.Dense(2, kernel_regularizer=kd.L2(v)), L.Dropout(1 - v / 8)
    ),
    "up and down": penalised(lambda v: kd.L2((v - 2) ** 2)),
    "a loss": lambda v: model_of(loss=lambda y, p: v * (y - p) ** 2),
}
NOTHING = {"ignored": lambda v: model_of(L.Dense(2, kernel_regularizer=kd.L2(0.1)))}
GROUPS = ((1, LARGER), (-1, SMALLER), (None, UNKNOWN), (0, NOTHING))
CASES = [
    pytest.param(
        *(build, sign),
        id=name,
        marks=[pytest.mark.slow] * bool(number % 4)
        + [recent_keras] * (name == "of the user's"),
    )
    for sign, builds in GROUPS
    for number, (name, build) in enumerate(builds.items())
]


@pytest.mark.parametrize("build, sign", CASES)
def test_the_direction_is_measured(build, sign):
    candidates = [{"v": v} for v in (4.0, 1.0, 2.0)]
    assert direction(build, candidates, "v", 0, ROW) == sign


def test_other_parameters_do_not_matter():
    def build(C, rate, units):
        layer = L.Dense(units, kernel_regularizer=kd.L2(1 / C))
        return model_of(
            layer, optimizer=keras.optimizers.AdamW(rate, weight_decay=rate)
        )

    grid = [
        {"C": c, "rate": rate, "units": units}
        for c in (1.0, 3.0)
        for rate in (0.1, 0.2)
        for units in (2, 3)
    ]
    assert direction(build, grid, "C", 0, ROW) == -1
    # Drawn at random no two differ in it alone.
    assert direction(build, [grid[0], grid[-1]], "C", 0, ROW) == -1
    other = [{"rate": 0.1}, *grid]
    assert direction(build, other[1:], "rate", 0, ROW) == 1


def quick(monkeypatch, build, grid, stronger=None, refit="1se"):
    """A search with these losses of two folds; the best is 4 and 2 within one error."""
    losses = {1.0: [3.0, 3.2], 2.0: [1.0, 1.4], 4.0: [0.9, 1.3], 8.0: [1.0, 1.35]}

    def engine(job, tasks, **how):
        done, report = numpy_engine.run(job, tasks)
        for task, outcome in zip(tasks, done, strict=True):
            if len(job.splits) > 1:
                value = job.candidates[task.candidate]["v"]
                outcome.history["val_data_loss"][:] = losses[value][task.split]
        return done, report

    for module in (_cv, _refit):
        monkeypatch.setattr(module, "run", engine)
    search = kd.DecaySearchCV(build, grid, cv=2, epochs=1, stronger=stronger)
    return search.set_params(refit=refit)


def linear(penalty):
    """The models that `numpy_engine` makes weights for."""

    def build(v, rate=0.1):
        model = keras.Sequential([L.Dense(1, kernel_regularizer=penalty(v))])
        model.compile(keras.optimizers.SGD(rate), "mse")
        return model

    return build


@pytest.mark.slow
def test_the_rule_goes_by_the_direction(monkeypatch):
    grid = {"v": [1.0, 2.0, 4.0, 8.0]}
    inverse, usual = linear(lambda v: kd.L2(1 / v)), linear(kd.L2)
    chosen = {}
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        for build, stronger in (
            *((inverse, None), (usual, None), (inverse, "v"), (usual, "v")),
            *((inverse, "-v"), (usual, "+v")),
        ):
            search = quick(monkeypatch, build, grid, stronger).fit(X, Y)
            assert search.lambda_min_ == 4.0
            chosen[build, stronger] = search.lambda_1se_
    assert all(v == (2.0 if b is inverse else 8.0) for (b, _), v in chosen.items())
    # What is said against what is measured is done, and told.
    with pytest.warns(UserWarning, match="a smaller 'v' regularises more, but"):
        search = quick(monkeypatch, usual, grid, "-v").fit(X, Y)
    assert search.lambda_1se_ == 2.0
    several = quick(monkeypatch, inverse, {**grid, "rate": [0.1, 0.2]}, "v").fit(X, Y)
    assert several.lambda_1se_ == 2.0


def test_a_direction_that_is_not_to_be_measured_is_asked_for(monkeypatch):
    monkeypatch.setattr(_cv, "run", None)
    grid = {"v": [1.0, 2.0]}

    def build(v):
        return model_of(loss=lambda y, predicted: v * (y - predicted) ** 2)

    words = r"`stronger` must say in which direction 'v'.*stronger=\"\+v\".*\"-v\""
    with pytest.raises(ValueError, match=words):
        kd.DecaySearchCV(build, grid, cv=2, epochs=1).fit(X, Y)
    for refit in (True, False):
        search = quick(monkeypatch, build, grid, refit=refit).fit(X, Y)
        assert search.lambda_1se_ is None
    for stronger, strongest in (("+v", 2.0), ("-v", 2.0), ("v", 2.0)):
        search = quick(monkeypatch, build, grid, stronger).fit(X, Y)
        assert search.lambda_1se_ == strongest  # the best, and 1 is not within an error


@pytest.mark.slow
def test_the_strength_of_an_inverse_parameter_is_that_of_its_strength():
    """Oracle: the same search by the strength itself."""
    noisy = Y + np.random.default_rng(1).normal(0, 2, 30).astype("float32")
    found = {}
    for name, penalty in (("C", lambda v: kd.L2(1 / v)), ("l2", kd.L2)):
        values = [0.01, 0.1, 0.3, 1.0]

        def build(v, penalty=penalty):
            model = keras.Sequential(
                [keras.Input((3,)), L.Dense(1, kernel_regularizer=penalty(v))]
            )
            model.compile(keras.optimizers.SGD(0.1), "mse")
            return model

        grid = [1 / v for v in values] if name == "C" else values
        search = kd.DecaySearchCV(build, {"v": grid}, cv=3, epochs=20, batch_size=20)
        search.set_params(refit=False).fit(X, noisy)
        found[name] = search
    ours, theirs = found["C"], found["l2"]
    assert 1 / ours.lambda_1se_ == pytest.approx(theirs.lambda_1se_)
    assert 1 / ours.lambda_min_ == pytest.approx(theirs.lambda_min_)
    assert ours.lambda_1se_ <= ours.lambda_min_
