"""What `sweep` returns."""

import numpy as np

from keras_decay.ground import schema, validation
from keras_decay.ground.frames import data_frame
from keras_decay.search import _plots, _text
from keras_decay.search._building import build_model
from keras_decay.search._histories import (
    SCORE,
    curve_of,
    engine_of,
    final,
    history_array,
)
from keras_decay.search._strengths import best_index


class SweepResult:
    """Every training of a `sweep`.

    Attributes:
        params: The candidates, a list of dicts.
        seeds: The seeds, a list.
        history: Dict from "loss", "data_loss", "penalty", "val_data_loss", the names of
            metrics and so on to arrays of shape (candidates, seeds, epochs), NaN in
            epochs that were not trained.
        final: Dict from the same names to arrays of shape (candidates, seeds): the
            values in the last epoch, or in that whose weights early stopping restored.
        curves: For each candidate a list with the learning curve of each seed, rows as
            `LearningCurve` has them: `curves[i]` goes into `kd.plot_curves`,
            `curves[i][j]` into `kd.diagnose`. No rows where Ctrl-C came first.
        weights: For each candidate a list with the weights of each seed, as
            `model.get_weights()` gives them; None without `keep_weights`.
        engine: What trained: "vectorized", "sequential" or both.
        report: How the work was done: `report.groups`.
        seconds: How long it took.
    """

    def __init__(self, job, seeds, outcomes, report, seconds, row):
        self.params = [dict(candidate) for candidate in job.candidates]
        self.seeds = list(seeds)
        self.history = history_array(outcomes, job.settings.epochs)
        self.final = {
            name: np.array([[final(o, name) for o in of_one] for of_one in outcomes])
            for name in self.history
        }
        self.curves = [[curve_of(outcome) for outcome in row] for row in outcomes]
        self.weights = None
        if job.settings.keep_weights:
            self.weights = [[o and o.weights for o in of_one] for of_one in outcomes]
        self.engine = engine_of([o for of_one in outcomes for o in of_one])
        self.report = report
        self.seconds = seconds
        self._build, self._row = job.build, row

    @property
    def best_index_(self):
        """The number of the candidate with the lowest final `val_data_loss`.

        It is the loss on the rows to validate on without the penalty, in the last epoch
        or in that which early stopping restored, the mean over seeds. Candidates of
        which a seed ended in NaN are passed over.
        """
        if SCORE not in self.final:
            raise AttributeError(
                "There is no best candidate: nothing was held out. Give `kd.sweep` "
                "validation_data or validation_split."
            )
        means = self.final[SCORE].mean(axis=1)
        if np.isnan(means).all():
            raise AttributeError(
                "There is no best candidate: no training has a val_data_loss that is a "
                "number. Look for NaN in x and y, for too high learning rates, and for "
                "a train_step of the model's own."
            )
        return best_index(-means)

    @property
    def best_params_(self):
        """The candidate at `best_index_`, a dict."""
        return dict(self.params[self.best_index_])

    def build_best(self):
        """A model of the best candidate with the weights trained under the first seed.

        Raises:
            ValueError: If the weights were not kept.
        """
        if self.weights is None:
            raise ValueError(
                "`keep_weights` must be True in `kd.sweep` for a trained model. "
                "Received: keep_weights=False"
            )
        index = self.best_index_
        model = build_model(self._build, self.params[index], self.seeds[0], self._row)
        model.set_weights(self.weights[index][0])
        return model

    def plot(self, ax=None, *, metric="data_loss", param=None):
        """Draw the final values against the parameter, or a heat map over two.

        The curve is the mean over seeds, with a band from the lowest to the highest;
        the best candidate is marked.

        Args:
            ax: matplotlib Axes to draw on, or None for a new figure (`ax.figure`), made
                without pyplot.
            metric: A name without "val_", of what was validated.
            param: Name of the parameter to draw along, all others staying at the best
                candidate; None for the one that varies.

        Returns:
            The matplotlib Axes.

        Raises:
            ValueError: If several parameters vary and `param` is None, or there is no
                such metric.
        """
        known = [
            n.removeprefix(schema.VALIDATION)
            for n in self.final
            if n.startswith(schema.VALIDATION)
        ]
        remedy = "" if known else "Nothing was held out."
        validation.choice("metric", metric, known, remedy)
        return _plots.of_sweep(self, ax, param, metric)

    def to_dataframe(self, epochs=False):
        """The result as a pandas data frame.

        Args:
            epochs: Whether to give a row for every epoch; else one for each candidate
                and seed, with the values of `final`.
        """
        rows = []
        for i, candidate in enumerate(self.params):
            for j, seed in enumerate(self.seeds):
                head = {"candidate": i, **candidate, "seed": seed}
                if epochs:
                    rows += [head | row for row in self.curves[i][j]]
                else:
                    values = {k: float(v[i, j]) for k, v in self.final.items()}
                    rows.append(head | {"epochs": len(self.curves[i][j])} | values)
        return data_frame(rows)

    def __repr__(self):
        names = list(dict.fromkeys(name for one in self.params for name in one))
        known = [
            n for n in (schema.DATA_LOSS, SCORE, schema.PENALTY) if n in self.final
        ]
        best = order = None
        try:
            best = self.best_index_
            means = self.final[SCORE].mean(axis=1)
            order = np.argsort(means, kind="stable")[: _text.SHOWN]
        except AttributeError:
            order = np.arange(len(self.params))[: _text.SHOWN]
        shown = sorted(int(i) for i in order)
        rows = []
        for i in shown:
            lengths = [len(curve) for curve in self.curves[i]]
            epochs = "-".join(str(n) for n in sorted({min(lengths), max(lengths)}))
            rows.append(
                [
                    *(self.params[i].get(name) for name in names),
                    epochs,
                    *(_text.mean_and_sd(self.final[name][i]) for name in known),
                ]
            )
        titles = [*names, "epochs", *known]
        marked = [shown.index(best)] if best is not None else []
        table = _text.text_table(titles, rows, marked)
        count = f"{len(self.params)} candidates × {len(self.seeds)} seeds"
        lines = [f"SweepResult: {count}, {self.engine}, {self.seconds:.1f} s", table]
        if len(self.params) > len(shown):
            kind = "the best" if best is not None else "the first"
            lines.append(f"{kind} {len(shown)} of {len(self.params)} are shown")
        if best is not None:
            lines.append(
                f"* lowest {SCORE}" + " ± sd over seeds" * (len(self.seeds) > 1)
            )
        return "\n".join(lines)
