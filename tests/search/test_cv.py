"""`DecaySearchCV`: its results against plain calls of `fit`, its choices, its pictures.

Where only what surrounds the engines is tested a stand-in trains, see `numpy_engine`.
"""

import pickle

import keras
import numpy as np
import numpy_engine
import pytest
import scipy
from matplotlib.text import Text
from scipy.special import expit
from searched_models import (
    INPUTS,
    LABELS,
    X,
    Y,
    classifier,
    network,
    ridge,
    softmax,
    trained_by_hand,
    two_inputs,
)
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.exceptions import FitFailedWarning, NotFittedError
from sklearn.linear_model import Ridge
from sklearn.metrics import (
    get_scorer,
    log_loss,
    make_scorer,
    mean_absolute_error,
    r2_score,
)
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    KFold,
    ShuffleSplit,
    StratifiedKFold,
)
from sklearn.utils.class_weight import compute_sample_weight
from support import slow

import keras_decay as kd
from keras_decay.search import _cv, _refit

HOW = {"epochs": 2, "batch_size": 8, "engine": "sequential"}
FOLDS = list(KFold(3).split(X))
L2 = {"l2": [1e-3, 0.1, 10.0]}


@pytest.fixture
def quickly(monkeypatch):
    """Nothing is trained by the engines, but by `numpy_engine`."""
    use(monkeypatch, numpy_engine.run)


def use(monkeypatch, run):
    """Have searches train by this function in place of the engines."""
    for module in (_cv, _refit):
        monkeypatch.setattr(module, "run", run)


@pytest.fixture
def jobs(monkeypatch):
    """The jobs that `numpy_engine` was given."""
    found = []

    def engine(job, tasks, **how):
        found.append(job)
        return numpy_engine.run(job, tasks, **how)

    use(monkeypatch, engine)
    return found


def quick(param_grid=L2, build=ridge, *, epochs=20, cv=3, **arguments):
    """A search for use with `quickly`."""
    return kd.DecaySearchCV(build, param_grid, epochs=epochs, cv=cv, **arguments)


@pytest.fixture(scope="module")
def searched():
    """Two candidates, two folds, two seeds: eight trainings by `fit`, and one more."""
    search = kd.DecaySearchCV(network, {"l2": [0.0, 0.3]}, cv=2, seeds=[4, 2], **HOW)
    return search.fit(X, Y, sample_weight=np.linspace(0.5, 2, 30))


def test_every_score_is_that_of_fit(searched):
    weight = np.linspace(0.5, 2, 30)
    (train, held_out), scores, losses = list(KFold(2).split(X))[1], [], []
    for seed in (4, 2):
        model, history = trained_by_hand(
            *(network, {"l2": 0.3}, seed, X[train], Y[train], 2, 8, weight[train]),
            validation_data=(X[held_out], Y[held_out], weight[held_out]),
        )
        squares = (model.predict(X[held_out], verbose=0)[:, 0] - Y[held_out]) ** 2
        scores.append(-np.average(squares, weights=weight[held_out]))
        losses.append(history["val_loss"])
    results = searched.cv_results_
    # Seeds are averaged within the fold, and the penalty is no part of the score.
    assert results["split1_test_score"][1] == pytest.approx(np.mean(scores), rel=1e-5)
    curves = searched.curves_[1][2:]  # of the second fold
    for curve, values in zip(curves, losses, strict=True):
        np.testing.assert_allclose([row["val_loss"] for row in curve], values, 1e-5)
    assert searched.engine_ == "sequential" and searched.n_splits_ == 2
    assert kd.plot_curves({"0.3": searched.curves_[1]}).lines


def test_the_choice_is_trained_on_all_rows_as_by_fit(searched):
    weight = np.linspace(0.5, 2, 30)
    arguments = (network, searched.best_params_, 4, X, Y, 2, 8, weight)
    model, _ = trained_by_hand(*arguments)
    for ours, theirs in zip(
        searched.best_estimator_.get_weights(), model.get_weights(), strict=True
    ):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-6)
    outputs = model.predict(X, verbose=0)[:, 0]
    np.testing.assert_allclose(searched.predict(X), outputs, rtol=1e-4, atol=1e-6)
    loss = np.average((outputs - Y) ** 2, weights=weight)
    assert searched.score(X, Y, sample_weight=weight) == pytest.approx(-loss, rel=1e-4)
    assert searched.refit_epochs_ == 2 and searched.refit_time_ > 0


def test_it_is_pickled_with_its_model(searched):
    again = pickle.loads(pickle.dumps(searched))
    np.testing.assert_array_equal(again.predict(X), searched.predict(X))
    assert again.lambda_1se_ == searched.lambda_1se_


GRID = [{"l2": [1e-3, 0.1]}, {"l2": [1.0], "rate": [0.1, "fast"]}, {"rate": [True]}]


def test_the_results_have_scikit_learns_form(quickly):
    """Oracle: `GridSearchCV` on an estimator with the same parameters."""
    from sklearn.base import BaseEstimator

    class Same(BaseEstimator):
        def __init__(self, l2=0.0, rate=0.05):
            self.l2, self.rate = l2, rate

        def fit(self, X, y):
            return self

        def predict(self, X):
            return np.full(len(X), self.l2)

    def build(l2=0.0, rate=0.05):
        return ridge(l2)

    their = GridSearchCV(Same(), GRID, cv=3, scoring="r2").fit(X, Y).cv_results_
    search = quick(GRID, build, refit=True, scoring="r2", seeds=2).fit(X, Y)
    our = search.cv_results_
    assert [name for name in our if not name.startswith("se_")] == list(their)
    for name, column in their.items():
        assert type(our[name]) is type(column), name
        if name == "params":
            assert our[name] == column
            continue
        assert our[name].dtype == column.dtype and our[name].shape == column.shape, name
        if isinstance(column, np.ma.MaskedArray):
            np.testing.assert_array_equal(our[name].mask, column.mask)
            assert our[name].compressed().tolist() == column.compressed().tolist()
    folds = np.array([our[f"split{i}_test_score"] for i in range(3)])
    np.testing.assert_array_equal(our["mean_test_score"], folds.mean(axis=0))
    np.testing.assert_array_equal(our["std_test_score"], folds.std(axis=0))
    error = folds.std(axis=0, ddof=1) / np.sqrt(3)
    np.testing.assert_allclose(our["se_test_score"], error, rtol=1e-12)
    order = np.argsort(-our["mean_test_score"])
    assert our["rank_test_score"][order[0]] == 1
    np.testing.assert_array_equal(our["mean_fit_time"], 0.5)  # what the engine says


@pytest.mark.parametrize(
    "cv, groups",
    [
        (KFold(4, shuffle=True, random_state=1), None),
        (GroupKFold(3), np.arange(30) % 7),
        slow((ShuffleSplit(2, test_size=7, random_state=0), None)),
        ([(np.arange(20), np.arange(20, 30)), (np.arange(9, 30), np.arange(5))], None),
        ([(np.arange(30) < 20, np.arange(30) >= 20)] * 2, None),  # masks
    ],
    ids=["folds", "groups", "random", "indices", "masks"],
)
def test_any_splitter(quickly, cv, groups):
    search = quick(cv=cv, scoring="neg_mean_squared_error").fit(X, Y, groups=groups)
    pairs = cv if isinstance(cv, list) else list(cv.split(X, Y, groups))
    assert search.n_splits_ == len(pairs)
    for fold, (train, test) in enumerate(pairs):
        (alone,) = (
            kd.DecaySearchCV(
                ridge, {"l2": [0.1]}, cv=[(train, test)], epochs=20, refit=False
            )
            .fit(X, Y)
            .cv_results_["split0_test_score"]
        )
        # The data loss of a mean squared error is the mean squared error.
        score = search.cv_results_[f"split{fold}_test_score"][1]
        assert score == pytest.approx(alone, rel=1e-5)


def test_folds_of_a_classifier_are_stratified(quickly):
    search = quick(build=softmax, scoring="accuracy").fit(X, LABELS)
    pairs = StratifiedKFold(3).split(X, LABELS)
    same = quick(build=softmax, scoring="accuracy", cv=pairs).fit(X, LABELS)
    for name in ("split0_test_score", "split2_test_score"):
        np.testing.assert_array_equal(search.cv_results_[name], same.cv_results_[name])


def worst(estimator, x, y):
    return -np.max(np.abs(estimator.predict(x) - y))


def test_scores_by_name_by_callable_and_several(quickly):
    """Oracle: the same scorers on scikit-learn's `Ridge`, which is what is trained."""
    scoring = {"r2": "r2", "worst": worst, "mae": make_scorer(mean_absolute_error)}
    search = quick(scoring=scoring, refit="worst", stronger="l2").fit(X, Y)
    for i, l2 in enumerate((1e-3, 0.1, 10.0)):
        for fold, (train, test) in enumerate(FOLDS):
            oracle = Ridge(alpha=l2 * len(train)).fit(X[train], Y[train])
            for name, scorer in scoring.items():
                scorer = get_scorer(scorer) if isinstance(scorer, str) else scorer
                score = search.cv_results_[f"split{fold}_test_{name}"][i]
                expected = scorer(oracle, X[test], Y[test])
                # float32 rounds predictions of about 1 by 1e-7.
                assert score == pytest.approx(expected, rel=1e-4, abs=1e-6), name
    assert search.best_index_ == search.cv_results_["mean_test_worst"].argmax()
    assert search.best_score_ == search.cv_results_["mean_test_worst"].max()
    assert search.multimetric_ and set(search.scorer_) == set(scoring)
    assert search.score(X, Y) == worst(search, X, Y)
    alone = quick(scoring=worst).fit(X, Y)
    assert alone.scorer_ is worst and not alone.multimetric_
    for fold in range(3):
        np.testing.assert_array_equal(
            alone.cv_results_[f"split{fold}_test_score"],
            search.cv_results_[f"split{fold}_test_worst"],
        )
    listed = quick(scoring=["r2", "neg_max_error"], refit=False).fit(X, Y)
    assert "mean_test_neg_max_error" in listed.cv_results_
    assert not hasattr(listed, "best_index_") and listed.lambda_min_ is None


@pytest.mark.slow
def test_classes_of_any_labels(quickly):
    search = quick(build=softmax, scoring="accuracy").fit(X, LABELS)
    assert search.classes_.tolist() == ["ape", "lion", "zebu"]
    probabilities = search.predict_proba(X)
    assert probabilities.shape == (30, 3)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-12)
    labels = search.classes_[probabilities.argmax(axis=1)]
    np.testing.assert_array_equal(search.predict(X), labels)
    assert search.score(X, LABELS) == np.mean(labels == LABELS) > 0.8
    # Without `scoring` the score is the loss of which these are the probabilities.
    search = quick(build=softmax).fit(X, LABELS)
    loss = log_loss(LABELS, search.predict_proba(X))
    assert search.score(X, LABELS) == pytest.approx(-loss, rel=1e-5)
    assert is_classifier(search) and is_classifier(quick(build=softmax))
    assert is_regressor(quick()) and not hasattr(quick(), "predict_proba")


@pytest.mark.parametrize(
    "loss, units, from_logits",
    [
        ("binary_crossentropy", 1, False),
        (keras.losses.BinaryCrossentropy(from_logits=True), 1, True),
        ("categorical_crossentropy", 2, False),
        (keras.losses.SparseCategoricalCrossentropy(from_logits=True), 2, True),
    ],
)
def test_classes_are_coded_as_the_loss_wants_them(loss, units, from_logits, jobs):
    activation = None if from_logits else "sigmoid" if units == 1 else "softmax"

    def build(l2=0.0):
        return classifier(loss, units, activation, l2)

    labels = np.where(X[:, 0] > 0, "yes", "no")
    codes = (X[:, 0] > 0).astype(int)
    search = quick({"l2": [0.01]}, build, refit=True).fit(X, labels)
    expected = np.eye(2)[codes] if loss == "categorical_crossentropy" else codes
    np.testing.assert_array_equal(jobs[0].data.y, expected)
    yes = search.best_estimator_.predict(X, verbose=0)
    if from_logits:
        yes = expit(yes) if units == 1 else scipy.special.softmax(yes, axis=1)
    yes = yes[:, -1]
    np.testing.assert_allclose(search.predict_proba(X)[:, 1], yes, rtol=1e-6)
    np.testing.assert_array_equal(search.predict(X), np.where(yes > 0.5, "yes", "no"))
    assert np.mean(search.predict(X) == labels) > 0.9


def test_class_weights_weight_the_training_alone(jobs):
    by_label = {"lion": 3.0, "ape": 0.5}
    weight = np.linspace(1, 2, 30, dtype="float32")
    search = quick(build=softmax, class_weight=by_label)
    search.fit(X, LABELS, sample_weight=weight)
    of_label = np.array([by_label.get(label, 1.0) for label in LABELS])
    for job in jobs:  # the folds', and that of all rows
        np.testing.assert_allclose(job.data.weight, weight * of_label, rtol=1e-6)
    np.testing.assert_array_equal(jobs[0].data.valid_weight, weight)
    search.set_params(class_weight="balanced").fit(X, LABELS)
    of_label = compute_sample_weight("balanced", LABELS)
    np.testing.assert_allclose(jobs[-1].data.weight, of_label, rtol=1e-6)


def rule_by_hand(results):
    """The strongest candidate within a standard error of the best, by its equation."""
    mean, error = results["mean_test_score"], results["se_test_score"]
    best = mean.argmax()
    within = mean >= mean[best] - error[best]
    return best, max(results["param_l2"][within])


@pytest.mark.slow
def test_each_way_to_choose(quickly):
    grid = {"l2": np.logspace(-4, 1, 16)}
    noisy = Y + np.random.default_rng(1).normal(0, 3, 30).astype("float32")
    rule = quick(grid, cv=5).fit(X, noisy)
    best, strongest = rule_by_hand(rule.cv_results_)
    assert rule.refit == "1se" and strongest > grid["l2"][best]
    assert rule.best_params_ == {"l2": strongest} and rule.lambda_1se_ == strongest
    assert rule.lambda_min_ == grid["l2"][best]
    assert type(rule.lambda_min_) is type(rule.best_params_["l2"]) is float
    assert rule.best_score_ == rule.cv_results_["mean_test_score"][rule.best_index_]
    mean = quick(grid, cv=5, refit=True).fit(X, noisy)
    assert mean.best_index_ == best and mean.lambda_1se_ == strongest
    third = quick(grid, cv=5, refit=lambda results: 3).fit(X, noisy)
    assert third.best_index_ == 3 and third.best_params_ == {"l2": grid["l2"][3]}
    for search in (rule, mean, third):
        oracle = Ridge(alpha=30 * search.best_params_["l2"]).fit(X, noisy)
        np.testing.assert_allclose(
            search.predict(X), oracle.predict(X), rtol=1e-4, atol=1e-5
        )
    none = quick(grid, cv=5, refit=False).fit(X, noisy)
    assert none.best_index_ == best and none.lambda_1se_ == strongest
    assert not hasattr(none, "best_estimator_")
    with pytest.raises(NotFittedError, match="refit=False"):
        none.predict(X)


@pytest.mark.slow
def test_a_scale_is_stronger_when_it_is_smaller(monkeypatch):
    def build(scale):
        prior = kd.GaussianPrior(scale, 100)
        model = keras.Sequential([keras.layers.Dense(1, kernel_regularizer=prior)])
        model.compile("sgd", "mse")
        return model

    outcomes = {1.0: [3.0, 3.2], 2.0: [1.0, 1.4], 4.0: [0.9, 1.3], 8.0: [2.0, 2.1]}

    def engine(job, tasks, **how):
        done, report = numpy_engine.run(job, tasks)
        for task, outcome in zip(tasks, done, strict=True):
            if len(job.splits) > 1:
                loss = outcomes[job.candidates[task.candidate]["scale"]][task.split]
                outcome.history["val_data_loss"][:] = loss
        return done, report

    use(monkeypatch, engine)
    for stronger in (None, "-scale", "scale"):
        search = quick({"scale": list(outcomes)}, build, cv=2, stronger=stronger)
        search.fit(X, Y)
        # The best has 1.1 ± 0.2; 1.2 is within that, 3.1 is not.
        assert (search.lambda_min_, search.lambda_1se_) == (4.0, 2.0)
    with pytest.warns(UserWarning, match="a larger 'scale' regularises more, but"):
        search = quick({"scale": list(outcomes)}, build, cv=2, stronger="+scale")
        search.fit(X, Y)
    assert (search.lambda_min_, search.lambda_1se_) == (4.0, 4.0)


def test_other_parameters_stay_at_the_best(quickly):
    grid = {"l2": np.logspace(-4, 1, 6), "rate": [0.1, 0.2], "units": [2]}

    def build(l2, rate, units):
        return ridge(l2)

    with pytest.raises(ValueError, match="2 parameters vary: 'l2', 'rate'"):
        quick(grid, build).fit(X, Y)
    search = quick(grid, build, stronger="l2").fit(X, Y)
    # The rate makes no difference here: of equals, the first.
    assert search.best_params_["rate"] == 0.1 and search.best_params_["units"] == 2
    assert search.lambda_1se_ == search.best_params_["l2"] >= search.lambda_min_
    kinds = quick({"units": [2, 3]}, lambda units: ridge(), refit=True).fit(X, Y)
    assert kinds.lambda_min_ is kinds.lambda_1se_ is None


def test_early_stopping_sets_the_epochs_of_the_last_training(monkeypatch):
    lengths = iter([3, 9, 4])
    asked = {}

    def engine(job, tasks, **how):
        outcomes, report = numpy_engine.run(job, tasks)
        if len(job.splits) == 1:
            asked["settings"] = job.settings
        else:
            for outcome in outcomes:
                outcome.best_epoch = next(lengths) - 1
        return outcomes, report

    use(monkeypatch, engine)
    stopping = keras.callbacks.EarlyStopping(patience=2, restore_best_weights=True)
    search = quick({"l2": [0.1]}, early_stopping=stopping).fit(X, Y)
    assert search.refit_epochs_ == 4 == asked["settings"].epochs  # the median
    assert asked["settings"].stopping is None
    # What was restored is what is scored.
    losses = [row["val_data_loss"] for row in search.curves_[0][0]]
    assert search.cv_results_["split0_test_score"][0] == -losses[2]
    assert stopping.patience == 2 and clone(search).early_stopping is not None


@pytest.mark.slow
def test_inputs_may_be_a_dict():
    inputs = {"a": X[:, :2], "b": X[:, 2:]}
    assert list(inputs) == list(INPUTS)
    search = kd.DecaySearchCV(two_inputs, {"l2": [0.1]}, cv=[FOLDS[0]], refit=True)
    search.set_params(**HOW, scoring="r2").fit(inputs, Y)
    assert search.predict(inputs).shape == (30,)
    assert search.score(inputs, Y) == pytest.approx(r2_score(Y, search.predict(inputs)))


@pytest.mark.slow
def test_candidates_that_fail_are_passed_over(monkeypatch):
    def engine(job, tasks, **how):
        outcomes, report = numpy_engine.run(job, tasks)
        for task, outcome in zip(tasks, outcomes, strict=True):
            if (task.candidate, task.split) in failing:
                for values in outcome.history.values():
                    values[-1] = np.nan
        return outcomes, report

    use(monkeypatch, engine)
    failing = {(0, 1)}
    with pytest.warns(FitFailedWarning, match=r"\{'l2': 0.001\}") as caught:
        search = quick().fit(X, Y)
    assert len(caught) == 1
    assert np.isnan(search.cv_results_["mean_test_score"][0])
    assert search.cv_results_["rank_test_score"][0] == 3 and search.best_index_ != 0
    with pytest.warns(FitFailedWarning, match="It scores -99"):
        search = quick(error_score=-99.0).fit(X, Y)
    assert search.cv_results_["split1_test_score"][0] == -99
    with pytest.raises(ValueError, match="Training ended in NaN"):
        quick(error_score="raise").fit(X, Y)
    failing = {(0, 0), (1, 1), (2, 2)}
    with pytest.raises(ValueError, match="All candidates failed"):
        quick().fit(X, Y)
    with pytest.warns(FitFailedWarning):
        assert quick(error_score=-99.0).fit(X, Y).best_score_ > -99


def test_what_is_finished_before_an_interruption_is_chosen_from(monkeypatch):
    def engine(job, tasks, **how):
        outcomes, report = numpy_engine.run(job, tasks)
        if len(job.splits) > 1:
            outcomes[finished:] = [None] * len(outcomes[finished:])
        return outcomes, report

    use(monkeypatch, engine)
    finished = 7  # of nine trainings: two candidates in all folds, one in one
    with pytest.warns(UserWarning, match="2 of 3 candidates are finished"):
        search = quick(scoring="r2").fit(X, Y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).tolist() == [1, 1, 0]
    assert search.best_index_ < 2 and len(search.curves_[2]) == 1
    finished = 2
    with pytest.raises(KeyboardInterrupt):
        quick().fit(X, Y)


def texts(ax):
    return " ".join(text.get_text() for text in ax.figure.findobj(Text))


@pytest.mark.slow
def test_pictures(quickly):
    grid = {"l2": np.logspace(-4, 1, 6), "rate": [0.1, 0.2]}
    curve = quick({"l2": grid["l2"]}).fit(X, Y)
    ax = curve.plot()
    line = ax.lines[0]
    np.testing.assert_allclose(line.get_xdata(), grid["l2"])
    np.testing.assert_allclose(line.get_ydata(), -curve.cv_results_["mean_test_score"])
    assert ax.get_xscale() == "log"
    shown = texts(ax)
    assert "best" in shown and "one SE" in shown and "over 3 folds" in shown
    band = ax.collections[0].get_paths()[0].vertices
    error = curve.cv_results_["se_test_score"][0]
    low = -curve.cv_results_["mean_test_score"][0] - error
    assert np.isclose(band, [grid["l2"][0], low]).all(axis=1).any()
    search = quick(grid, stronger="l2", scoring="r2").fit(X, Y)
    mesh = search.plot().collections[0].get_array()
    assert mesh.shape == (2, 6)
    by_hand = search.cv_results_["mean_test_score"].reshape(6, 2).T
    np.testing.assert_allclose(np.asarray(mesh), by_hand)
    along = search.plot(param="rate")
    assert along.lines[0].get_xdata().tolist() == [0.1, 0.2]
    assert "With l2 = " in texts(along)
    with pytest.raises(ValueError, match="`param` must be one of 'l2', 'rate'"):
        search.plot(param="l1")
    with pytest.raises(NotFittedError):
        quick().plot()


BAD = {
    "param_grid": [None, {"l3": [1.0]}, {"l2": 1.0}],
    "cv": [1, "five", [([0, 1], [])]],
    "seeds": [0, [1, 1]],
    "epochs": [0, 2.5],
    "batch_size": [0],
    "scoring": ["no such score", 3, [], {}, ["r2", "r2", 1]],
    "refit": ["2se", 1.5, None],
    "stronger": ["l3", 1],
    "n_iter": [0, 1.5],
    "shuffle": ["yes"],
    "early_stopping": [3],
    "class_weight": [{"a": 1.0}, "heavy"],
    "max_parallel": [0],
    "n_jobs": [0],
    "engine": ["fast"],
    "verbose": [3],
    "error_score": ["lenient", None],
}


@pytest.mark.parametrize("argument", BAD)
def test_bad_arguments_are_refused_before_anything_is_trained(argument, monkeypatch):
    monkeypatch.setattr(_cv, "run", None)
    for value in BAD[argument]:
        with pytest.raises((TypeError, ValueError), match=argument) as caught:
            quick(**{argument: value}).fit(X, Y)
        assert "NoneType" not in str(caught.value), "it was about to be trained"
    with pytest.raises(ValueError, match="at least two folds"):
        quick(cv=ShuffleSplit(1)).fit(X, Y)


def test_bad_targets_and_models():
    with pytest.raises(ValueError, match="the data has one class"):
        quick(build=softmax).fit(X, np.zeros(30, int))
    with pytest.raises(ValueError, match="2 outputs for the 2 classes"):
        quick(build=softmax).fit(X, LABELS == "ape")


def test_a_function_that_chooses_nothing(quickly):
    for index, words in ((0.5, "returns a whole number"), (3, "returns 0 to 2")):
        with pytest.raises((TypeError, ValueError), match=words):
            quick(refit=lambda results, index=index: index).fit(X, Y)
