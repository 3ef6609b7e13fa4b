"""`DecaySearchCV`: cross-validation of all candidates as a scikit-learn estimator."""

import time

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from keras_decay.ground import validation
from keras_decay.search import (
    _data,
    _inputs,
    _plots,
    _refit,
    _scoring,
    _tasks,
    _weighting,
)
from keras_decay.search._arguments import (
    check_verbose,
    engine_arguments,
    seeds_of,
    settings_of,
)
from keras_decay.search._building import build_model, first_rows, length
from keras_decay.search._candidates import candidates_of_grid
from keras_decay.search._cv_results import cv_results
from keras_decay.search._histories import curve_of, engine_of
from keras_decay.search._progress import progress
from keras_decay.search._run import run
from keras_decay.search._stopping import stopping_of
from keras_decay.search._strengths import best_index, one_se_index
from keras_decay.search._targets import (
    BINARY,
    coding_of,
    kind_of,
    labels_of,
    targets_of,
)
from keras_decay.search._work import Data, Job


def _kind(search):
    """The kind of classes of the search's models, "" for numbers, None if unknown."""
    if hasattr(search, "cv_results_"):
        return search._targets.coding.kind if hasattr(search, "classes_") else ""
    try:
        candidates = candidates_of_grid(
            search.build, search.param_grid, search.n_iter, search.random_state
        )
    except (TypeError, ValueError):  # `fit` will say what is wrong
        return None
    return kind_of(search.build, candidates[0])


class DecaySearchCV(BaseEstimator):
    """Cross-validation of every candidate at once, and the one-standard-error rule.

    A scikit-learn estimator: every candidate, fold and seed is trained as by

        model = build(**candidate)
        model.fit(x[train], y[train], epochs=epochs, validation_data=held-out rows)

    after `keras.utils.set_random_seed(seed)`, with the rows of an epoch in the order of
    `kd.search.epoch_order`; candidates that differ in numbers only are trained together
    in one program where that is possible (`engine_` says).

    The score is minus the data loss on the held-out rows in the last epoch (or in that
    which early stopping restored): never the penalised loss, which would count the
    penalty itself against a strong one. With `sample_weight` it is −Σwl/Σw, so that
    weights of another scale score the same. Seeds are averaged within a fold, and

        SE = sd(ddof=1) / √folds

    `refit="1se"` takes the strongest regularisation whose mean is within one SE of the
    best, all other parameters staying at the best candidate's.

    Where the loss is a binary, categorical or sparse categorical crossentropy and `y`
    holds one label for each row, it is a classifier: labels of any kind are coded as
    the loss wants them, folds are stratified, `predict` returns labels, and there are
    `classes_` and `predict_proba`. Otherwise it is a regressor, or, with several
    columns of targets, whatever the model makes of them; `predict` returns one
    dimension if `y` has one.

    Ctrl-C ends the search. If some candidates are finished in all folds by then, the
    choice is made among them, with a warning, and trained; all others score NaN. If
    none is, KeyboardInterrupt is raised. With `memory` the same call goes on later.

    Args:
        build: Function of the hyperparameters, by name, that returns a compiled
            `keras.Model`, a new one of new layers at each call. Numbers arrive as
            Python's own.
        param_grid: Dict from names of parameters to lists of values or to scipy
            distributions; or a list of such dicts.
        cv: Number of folds (in the order of the rows, stratified for a classifier), a
            splitter of scikit-learn, or an iterable of pairs of indices.
        seeds: A number n, for the seeds 0 to n − 1, or a list of whole numbers of at
            least 0. A seed decides the initial weights, dropout and the order of rows.
        epochs: As in `kd.sweep`.
        batch_size: As in `kd.sweep`.
        shuffle: As in `kd.sweep`.
        scoring: None for minus the data loss, the name of a score of scikit-learn, a
            function of (estimator, X, y), or a list or dict of these. Higher is better.
        refit: How to choose the model to be trained on all rows: "1se"; True for the
            best mean; a function of `cv_results_` that returns an index; False for
            none. With several scores the name of the one that decides by its mean.
        stronger: Name of the parameter that is the strength; None for the only one that
            varies. Whether larger or smaller values regularise more is measured on
            models of some values: by their penalties, decay, constraints and dropout.
            A leading sign says it where it cannot be measured: "+strength" if larger
            values regularise more, "-scale" if smaller values do. (A name without a
            sign then counts as "+".)
        n_iter: How many candidates to draw; needed if there are distributions.
        random_state: For drawing them.
        early_stopping: A `keras.callbacks.EarlyStopping` that is applied to each
            training by itself, or None. The model on all rows then trains for the
            median of their numbers of epochs.
        class_weight: Dict from labels to numbers, or "balanced" (over all of `y`), or
            None. It weights the training alone.
        max_parallel: As in `kd.sweep`.
        n_jobs: As in `kd.sweep`.
        memory: As in `kd.sweep`.
        engine: As in `kd.sweep`.
        verbose: As in `kd.sweep`.
        error_score: The score of a training that ends in NaN: a number, NaN (ranked
            last), or "raise". There is one warning; if all candidates fail, an error.

    Attributes:
        cv_results_: Dict of arrays in scikit-learn's form, and `se_test_score`.
        best_index_: The number of the choice among the candidates.
        best_params_: The candidate that was chosen.
        best_score_: Its mean score.
        best_estimator_: The `keras.Model` of the choice, trained on all rows under the
            first seed.
        lambda_min_: The strength of the best candidate; None if no parameter is the
            strength.
        lambda_1se_: That of the one-standard-error rule, or None.
        curves_: For each candidate a list with the learning curves of its trainings,
            fold by fold, as `kd.plot_curves` takes them.
        engine_: What trained: "vectorized", "sequential" or both.
        report_: How the work was done: `report_.groups`.
        refit_epochs_: For how many epochs the model on all rows was trained.
        refit_time_: How long that took, in seconds.
        search_time_: How long the search took, in seconds.
        n_splits_: As in scikit-learn.
        scorer_: As in scikit-learn.
        multimetric_: As in scikit-learn.
        classes_: As in scikit-learn.
        n_features_in_: As in scikit-learn.
        feature_names_in_: As in scikit-learn.

    Example:

    ```python
    def build(l2=0.0):
        layers = [
            keras.layers.Dense(64, "relu", kernel_regularizer=kd.L2(l2)),
            keras.layers.Dense(1),
        ]
        model = keras.Sequential(layers)
        model.compile("adam", "mse")
        return model


    search = kd.DecaySearchCV(build, {"l2": np.logspace(-5, 0, 25)}, seeds=4)
    search.fit(x, y)
    print(search.lambda_min_, search.lambda_1se_)
    search.plot().figure.savefig("validation.png")
    search.predict(new_x)
    ```

    Reference: Breiman, Friedman, Olshen and Stone, Classification and Regression Trees,
    1984, section 3.4.3, for the one-standard-error rule; Hastie, Tibshirani and
    Friedman, The Elements of Statistical Learning, 2009, section 7.10.1.
    """

    def __init__(
        self,
        build,
        param_grid,
        *,
        cv=5,
        seeds=1,
        epochs=100,
        batch_size=32,
        scoring=None,
        refit="1se",
        stronger=None,
        n_iter=None,
        random_state=None,
        shuffle=True,
        early_stopping=None,
        class_weight=None,
        max_parallel="auto",
        n_jobs=None,
        memory=None,
        engine="auto",
        verbose="auto",
        error_score=np.nan,
    ):
        self.build = build
        self.param_grid = param_grid
        self.cv = cv
        self.seeds = seeds
        self.epochs = epochs
        self.batch_size = batch_size
        self.scoring = scoring
        self.refit = refit
        self.stronger = stronger
        self.n_iter = n_iter
        self.random_state = random_state
        self.shuffle = shuffle
        self.early_stopping = early_stopping
        self.class_weight = class_weight
        self.max_parallel = max_parallel
        self.n_jobs = n_jobs
        self.memory = memory
        self.engine = engine
        self.verbose = verbose
        self.error_score = error_score

    def fit(self, X, y=None, sample_weight=None, groups=None):
        """Search, choose, and train the choice on all rows.

        Args:
            X: Inputs as `keras.Model.fit` takes them: arrays, data frames, or lists or
                dicts of arrays.
            y: Targets, likewise. Where the loss is a crossentropy they may be any
                labels, one for each row.
            sample_weight: One non-negative number for each row, or None. It weights
                training, and the score of held-out rows is minus the weighted mean of
                their data loss, Σwl/Σw over all rows of the fold; scorers by name or
                callable see the rows unweighted, as in scikit-learn. `curves_` have
                Keras' own losses, Σwl/n.
            groups: One label for each row, for splitters that keep groups together.

        Returns:
            The estimator itself.

        Raises:
            TypeError, ValueError: If an argument, of the constructor too, is not as
                described, if all rows that a fold trains on or holds out have the
                weight zero, if two calls of `build` share what training changes, if the
                only parameter that varies changes nothing in the models, or if the rule
                needs to be told the direction of a strength; before anything is
                trained. ValueError also if every candidate ended in NaN.
            KeyboardInterrupt: After Ctrl-C, if no candidate was finished in all folds.
        """
        start = time.perf_counter()
        for name in ("classes_", "best_index_", "best_score_", "best_estimator_"):
            self.__dict__.pop(name, None)  # of an earlier fit
        candidates = candidates_of_grid(
            self.build, self.param_grid, self.n_iter, self.random_state
        )
        seeds = seeds_of(self.seeds)
        scorers, several = _scoring.scorers_of(self.scoring)
        main = _refit.main_score(self.refit, scorers, several)
        error_score = _refit.check_error_score(self.error_score)
        strength = _refit.strength_for(self.refit, candidates, self.stronger)
        settings = settings_of(
            self.epochs,
            self.batch_size,
            self.shuffle,
            stopping_of(self.early_stopping, True),
            predict=any(scorer is not None for scorer in scorers.values()),
        )
        how = engine_arguments(self.engine, self.max_parallel, self.n_jobs, self.memory)
        check_verbose(self.verbose)
        X = _inputs.inputs(self, X, reset=True)
        y = _inputs.targets(y, X)
        weight = _data.weights("sample_weight", sample_weight, length(X))
        x = _data.arrays("X", X)
        row = first_rows(x, 1)
        model = build_model(self.build, candidates[0], seeds[0], row)
        coding = coding_of(model)
        y = labels_of(coding, y)
        targets = targets_of(coding, y)
        targets.check_outputs(_inputs.output_shape(model, row))
        rows = np.zeros((length(x), 1)) if isinstance(x, (dict, list)) else x
        labels = y if isinstance(y, np.ndarray) else np.zeros(len(rows))
        splits = _tasks.splits_of(
            self.cv, rows, labels, groups, targets.classes is not None
        )
        _refit.check_folds(self.refit, splits)
        data = Data(
            x,
            _data.arrays("y", targets.encode(y)),
            _data.product(weight, _inputs.class_weights(self.class_weight, y)),
            weight,
        )
        by_loss = any(scorer is None for scorer in scorers.values())
        _weighting.check_folds(
            *(splits, data),
            {"sample_weight": sample_weight, "class_weight": self.class_weight},
            scored=by_loss or settings.stopping is not None,
        )
        if weight is not None:
            _weighting.divides_by_weight(model)
        del model
        strength = _refit.directed(strength, self, candidates, seeds[0], row)
        job = Job(self.build, candidates, splits, data, settings)
        tasks = _tasks.tasks_of(len(candidates), len(splits), seeds)
        with progress(self.verbose, "trainings") as show:
            outcomes, self.report_ = run(job, tasks, progress=show, **how)
        trainings = _tasks.Trainings(len(candidates), len(splits), len(seeds), outcomes)
        if not trainings.finished.any():
            raise KeyboardInterrupt
        _tasks.warn_of_failures(candidates, trainings, error_score)
        held_out = _tasks.held_out_rows(splits, X, y) if settings.predict else []
        weighted = _weighting.WeightedScores(splits, data)
        scores, times = trainings.scores(
            scorers, held_out, targets, error_score, weighted
        )
        _refit.check_scores(scores, scorers)
        self.cv_results_ = cv_results(candidates, scores, trainings.seconds(), times)
        self.scorer_ = scorers if several else scorers[main]
        self.multimetric_ = several
        self.n_splits_ = len(splits)
        self.curves_ = [
            [curve_of(o) for o in trainings.of_candidate(i)]
            for i in range(len(candidates))
        ]
        self.engine_ = engine_of(outcomes)
        self._targets, self._strength, self._main = targets, strength, main
        self._train_loss = trainings.training_loss(weighted).mean(axis=1)
        if targets.classes is not None:
            self.classes_ = targets.classes
        self._choose()
        self.search_time_ = time.perf_counter() - start
        if self.refit is not False:
            self._train_the_choice(job, seeds[0], trainings, how)
        return self

    def _choose(self):
        """Set what follows from `cv_results_`."""
        results = self.cv_results_
        params, main, strength = results["params"], self._main, self._strength
        self.lambda_min_ = self.lambda_1se_ = None
        if main is not None:
            means = results[f"mean_test_{main}"]
            errors = results[f"se_test_{main}"]
            best = best_index(means)
            by_rule = one_se_index(params, means, errors, strength)
            if strength is not None and strength.name in params[best]:
                self.lambda_min_ = params[best][strength.name]
                self.lambda_1se_ = params[by_rule][strength.name]
            self.best_index_ = by_rule if self.refit == _refit.ONE_SE else best
        if callable(self.refit):
            self.best_index_ = _refit.index_by(self.refit, results)
        if hasattr(self, "best_index_"):
            self.best_params_ = dict(params[self.best_index_])
        if main is not None:
            self.best_score_ = float(means[self.best_index_])

    def _train_the_choice(self, job, seed, trainings, how):
        start = time.perf_counter()
        settings = _refit.settings_on_all_rows(
            job.settings, trainings.of_candidate(self.best_index_)
        )
        self.best_estimator_, outcome = _refit.train_on_all_rows(
            job, self.best_index_, seed, settings, how
        )
        self.refit_epochs_ = len(curve_of(outcome))
        self.refit_time_ = time.perf_counter() - start

    def predict(self, X):
        """Labels, or numbers, by the model trained on all rows.

        Args:
            X: Inputs like those of `fit`.

        Returns:
            An array with one entry for each row.
        """
        return self._targets_of_fit().labels(self._outputs(X))

    @available_if(_kind)
    def predict_proba(self, X):
        """The probability of each class, in the order of `classes_`.

        Args:
            X: Inputs like those of `fit`.

        Returns:
            An array of shape (rows, classes).
        """
        return self._targets_of_fit().probabilities(self._outputs(X))

    def score(self, X, y, sample_weight=None):
        """The score of the model trained on all rows, by `scoring`.

        Args:
            X: Inputs like those of `fit`.
            y: Targets like those of `fit`.
            sample_weight: One non-negative number for each row, for the data loss
                (scoring=None) alone; or None. The score is then −Σwl/Σw over all rows.

        Returns:
            A float; higher is better.
        """
        targets = self._targets_of_fit()
        scorer = self.scorer_
        if self.multimetric_:
            if self._main is None:
                must = "the name of a score, for there to be a single one"
                raise ValueError(validation.received("refit", self.refit, must))
            scorer = scorer[self._main]
        if scorer is not None:
            if sample_weight is not None:
                must = "None unless scoring=None"
                message = validation.received("sample_weight", sample_weight, must)
                raise ValueError(message)
            return _scoring.score(scorer, self, X, y)
        X = _inputs.inputs(self, X, reset=False)
        y = targets.encode(labels_of(targets.coding, _inputs.targets(y, X)))
        weight = _data.weights("sample_weight", sample_weight, length(X))
        x, y = _data.arrays("X", X), _data.arrays("y", y)
        return -_weighting.data_loss(
            self.best_estimator_, x, y, weight, self.batch_size
        )

    def plot(self, ax=None, *, param=None):
        """Draw the validation curve, or a heat map where two parameters vary.

        The curve is the mean score with a band of one standard error to both sides
        against the parameter, on a logarithmic axis where its values span it; the best
        candidate and that of the one-standard-error rule are marked. With
        `scoring=None` the loss without penalty is drawn, of the training too.

        Args:
            ax: matplotlib Axes to draw on, or None for a new figure (`ax.figure`), made
                without pyplot.
            param: Name of the parameter to draw along, all others staying at the best
                candidate; None for the one that varies.

        Returns:
            The matplotlib Axes.

        Raises:
            ValueError: If several parameters vary and `param` is None.
        """
        check_is_fitted(self, "cv_results_")
        main = self._main or next(iter(self.scorer_))
        return _plots.of_search(self, main, ax, param)

    def _targets_of_fit(self):
        check_is_fitted(self, "cv_results_")
        if not hasattr(self, "best_estimator_"):
            raise NotFittedError(
                "This DecaySearchCV has refit=False, so that no model was trained on "
                "all rows: give another `refit` to predict and score."
            )
        return self._targets

    def _outputs(self, X):
        x = _data.arrays("X", _inputs.inputs(self, X, reset=False))
        return self.best_estimator_.predict(x, batch_size=self.batch_size, verbose=0)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        kind = _kind(self)
        if kind is None:
            return tags
        tags = _scoring.with_type(tags, bool(kind))
        if kind == BINARY:
            tags.classifier_tags.multi_class = False
        return tags
