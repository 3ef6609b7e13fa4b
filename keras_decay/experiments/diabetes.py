"""A network overfits the diabetes data, and weight decay cures it.

The experiment of the command `keras-decay diabetes`: scikit-learn's diabetes data (442
patients, 10 inputs), a network far too large for it (6 × Dense(128, relu) + Dense(1),
Adam, mean squared error), and one arm for each way to regularise it.
"""

import time
from dataclasses import dataclass
from typing import NamedTuple

from keras_decay.experiments import LARGEST_SEED, _data, _device, _report, _tuning
from keras_decay.experiments._arms import ARMS, DEFAULT_ARMS, EPOCHS
from keras_decay.experiments._training import Fit, train
from keras_decay.ground import validation

BATCH_SIZE = 64


class Progress(NamedTuple):
    """How far a run is: the fit that is at work, and all fits together."""

    arm: str
    seed: int
    epoch: int
    epochs: int
    fit: int
    fits: int


@dataclass(frozen=True)
class DiabetesResult:
    """What the arms reached, and the baselines beside them.

    `fits` holds one `Fit` per arm and seed, `baselines` one `Baseline` per method and
    seed, both in the order of `arms` and `seeds`; `splits` one `Split` per seed.
    `tuning` is what chose the strength of the arm `tuned` or else `l2`, None if neither
    was tuned.
    """

    arms: tuple
    seeds: tuple
    epochs: int
    batch_size: int
    backend: str
    device: dict
    versions: dict
    seconds: float
    splits: tuple
    fits: tuple
    baselines: tuple
    tuning: _tuning.Tuning | None = None

    def table(self):
        """One `Summary` per arm and baseline: means and deviations over the seeds."""
        return _report.table(self)

    def sentences(self):
        """One sentence per arm on what its learning curve says."""
        return _report.sentences(self)

    def draw(self):
        """The result as a new `matplotlib.figure.Figure`."""
        from keras_decay.experiments._figure import draw

        return draw(self)

    def save(self, folder):
        """Writes figure, numbers and curves into `folder`, which must exist.

        Returns:
            The paths of the files, whose names are those of `file_names`.
        """
        return _report.save(self, folder)


def run(
    arms=DEFAULT_ARMS,
    *,
    seeds=1,
    seed=0,
    epochs=EPOCHS,
    device="auto",
    tuning=None,
    progress=None,
):
    """Trains every arm with every seed.

    A seed governs split, initial weights, dropout and shuffling: arms of one seed share
    their split, their initial weights and their batches, and none depends on which
    others are run. Keras' and NumPy's global random state is set on the way.

    Args:
        arms: Names out of `ARMS`, none twice.
        seeds: How many seeds, a whole number of at least 1.
        seed: The first of them, a whole number of at least 0.
        epochs: Epochs per fit, a whole number of at least 1.
        device: "auto", "cpu" or "gpu".
        tuning: What `tune` has found, for the arm `tuned` if there is one, else for
            `l2`; or None, and `tune` is called where there is an arm `tuned`.
        progress: Called with a `Progress` when a fit starts (epoch 0) and after every
            epoch.

    Returns:
        A `DiabetesResult`.

    Raises:
        TypeError, ValueError: If an argument is none of the above, or there is no GPU
            though one is asked for.

    Example:

    ```python
    from keras_decay.experiments import diabetes

    result = diabetes.run(["none", "l2"], epochs=50)
    result.draw()
    ```
    """
    arms = check_arms(arms)
    seeds = check_seeds(seed, seeds)
    epochs = validation.integer("epochs", epochs, minimum=1)
    found = check_device(device)
    tuned = tuned_arm(arms)
    if tuning is None and tuned == "tuned":
        tuning = tune(seed=seed, epochs=epochs, device=device)
    if tuning is not None:
        arms = tuple(tuning.arm(tuned) if a.name == tuned else a for a in arms)

    start = time.perf_counter()
    splits = {seed: _data.load(seed) for seed in seeds}
    fits: list[Fit] = []
    for arm in arms:
        for seed in seeds:

            def report(epoch, arm=arm, seed=seed):
                if progress is not None:
                    fit, total = len(fits) + 1, len(arms) * len(seeds)
                    progress(Progress(arm.name, seed, epoch, epochs, fit, total))

            report(0)
            with _device.scope(device):
                fits.append(
                    train(
                        arm,
                        splits[seed],
                        seed=seed,
                        epochs=epochs,
                        batch_size=BATCH_SIZE,
                        on_epoch=report,
                    )
                )
    found_baselines = zip(
        *(_data.baselines(splits[seed], seed) for seed in seeds), strict=True
    )
    return DiabetesResult(
        arms=arms,
        seeds=seeds,
        epochs=epochs,
        batch_size=BATCH_SIZE,
        backend=_device.backend_name(),
        device={"asked": device, **found},
        versions=_device.versions(),
        seconds=time.perf_counter() - start + (tuning.seconds if tuning else 0),
        splits=tuple(splits.values()),
        fits=tuple(fits),
        baselines=tuple(b for method in found_baselines for b in method),
        tuning=tuning,
    )


def tuned_arm(arms):
    """The name of the arm whose strength a tuning is for, or None."""
    names = [arm.name for arm in arms]
    return next((name for name in ("tuned", "l2") if name in names), None)


def tune(*, seed=0, epochs=EPOCHS, device="auto", verbose=False):
    """Chooses λ of L2 by cross-validation on the training rows of a seed.

    Validation and test rows have no say. Ten strengths are trained on five folds, all
    at once where the backend can.

    Args:
        seed: Of the split, the folds and the initial weights.
        epochs, device: As of `run`.
        verbose: As of `DecaySearchCV`.

    Returns:
        A `Tuning` for `run(tuning=…)`, with `strength`, `search` and `draw()`.

    Raises:
        TypeError, ValueError: As of `run`.

    Example:

    ```python
    tuning = diabetes.tune()
    result = diabetes.run(["none", "l2"], tuning=tuning)
    ```
    """
    (seed,) = check_seeds(seed, 1)
    epochs = validation.integer("epochs", epochs, minimum=1)
    check_device(device)
    with _device.scope(device):
        return _tuning.tune(
            _data.load(seed),
            seed=seed,
            epochs=epochs,
            batch_size=BATCH_SIZE,
            verbose=verbose,
        )


def file_names(arms, seeds, tuned=False):
    """The names of the files that the result of these arms and seeds is saved to."""
    return _report.file_names(arms, seeds, tuned)


def check_arms(names):
    """The `Arm`s of these names, or an error that names the one that is wrong."""
    must = f"names out of {', '.join(ARMS)}"
    if isinstance(names, str) or not isinstance(names, (list, tuple)):
        raise TypeError(validation.received("arms", names, f"a list of {must}"))
    if not names:
        raise ValueError(validation.received("arms", names, f"one or more {must}"))
    for name in names:
        if name not in ARMS:
            raise ValueError(validation.received("arms", name, must))
        if names.count(name) > 1:
            raise ValueError(validation.received("arms", name, "given once each"))
    return tuple(ARMS[name] for name in names)


def check_device(device):
    """The kind and name of the device that will be used, or an error."""
    return _device.resolve(device)


def check_seeds(first, count):
    """The seeds from `first` on, `count` of them."""
    count = validation.integer("seeds", count, minimum=1)
    first = validation.integer("seed", first, minimum=0)
    if first + count - 1 > LARGEST_SEED:
        raise ValueError(
            validation.received("seed", first, f"at most {LARGEST_SEED - count + 1}")
        )
    return tuple(range(first, first + count))
