"""The experiments with stand-ins for their trainings: the same results in no time.

What is tested with them are figures and tables at the full scale, whose trainings take
minutes. Everything but the trainings is the experiment's own. The stand-ins solve the
same problem in closed form where there is one, else they draw curves of the shape and
of the size that the trainings have.
"""

import math
import zlib
from importlib import import_module
from types import SimpleNamespace

import numpy as np
import numpy_engine
import numpy_heads
from sklearn.linear_model import Lasso, Ridge

import keras_decay
from keras_decay.curves import diagnose
from keras_decay.experiments import _device, _linear, _training
from keras_decay.search import _cv

# A name of usual length, so that nothing depends on the machine.
CPU = "Intel(R) Xeon(R) Platinum 8481C CPU @ 2.70GHz"


def module_of(name):
    return import_module(f"keras_decay.experiments.{name.replace('-', '_')}")


def install(monkeypatch, name):
    """Have the experiment of this name take stand-ins; returns its module."""
    module = module_of(name)
    monkeypatch.setattr(_device, "cpu_name", lambda: CPU)
    for target, attribute, value in STAND_INS[name](module):
        monkeypatch.setattr(target, attribute, value)
    return module


def _rng(*words):
    return np.random.default_rng(zlib.crc32(" ".join(map(str, words)).encode()))


# diabetes -----------------------------------------------------------------------------

# (training, validation) loss after 100 epochs as in DESIGN's table, and the best epoch.
ENDS = {
    "none": (0.04, 0.83, 12),
    "l2-article": (0.05, 0.82, 12),
    "l2": (0.44, 0.54, 60),
    "adamw": (0.47, 0.57, 70),
    "dropout": (0.36, 0.58, 30),
    "article": (0.36, 0.58, 30),
    "l1": (0.43, 0.55, 45),
    "l2-dropout": (0.47, 0.56, 75),
    "early-stop": (0.40, 0.57, 11),
    "tuned": (0.45, 0.55, 65),
}


def fit_of(arm, split, *, seed, epochs, batch_size, on_epoch=None):
    """In place of `train`: a curve that ends where the arm's does."""
    rng = _rng(arm.name, seed)
    train, validation, best = ENDS[arm.name]
    stop = min(epochs, best + arm.patience) if arm.patience else epochs
    t = np.arange(epochs)
    fall = np.exp(-(t + 1) / 4)
    rise = np.clip((t - best) / (100 - best), 0, None)
    low = min(validation, 0.56)
    curves = {
        "data_loss": train + (1.0 - train) * np.exp(-(t + 1) / 14),
        "val_data_loss": low + 0.45 * fall + (validation - low) * rise,
    }
    noise = 0.004 + 0.03 * (arm.name == "none")
    curves = {k: v * np.exp(noise * rng.normal(size=epochs)) for k, v in curves.items()}
    rows = [
        {"epoch": e, "loss": float(v["data_loss"])}
        | {k: float(x) for k, x in v.items()}
        for e, v in (
            (e, {k: of[e] for k, of in curves.items()}) for e in range(int(stop))
        )
    ]
    for epoch in range(len(rows) * (on_epoch is not None)):
        on_epoch(epoch + 1)
    found = diagnose(rows)
    return _training.Fit(
        arm=arm.name,
        seed=seed,
        train_loss=float(curves["data_loss"][stop - 1]),
        validation_loss=float(curves["val_data_loss"][stop - 1]),
        test_loss=float(curves["val_data_loss"][stop - 1]) * 1.05,
        verdict=found.verdict,
        sentence=str(found),
        best_epoch=found.best_epoch,
        onset_epoch=found.onset_epoch,
        seconds=1.0,
        rows=rows,
    )


def _diabetes(module):
    yield module, "train", fit_of
    yield _cv, "run", numpy_engine.run


# equivalence --------------------------------------------------------------------------

APART = {
    "SGD, independent, η forgotten": (1e-3, 0.45),
    "SGD, independent, cosine schedule": (1e-11, 0.16),
    "momentum 0.9": (1e-16, 0.2),
    "RMSprop": (1e-2, 0.7),
    "Adam": (5e-3, 0.6),
}


def _equivalence(module):
    def distance(pair, batches, seed):
        steps = np.arange(1, len(batches) + 1)
        if pair.claim:
            return 1e-16 * steps**0.5 * np.exp(0.1 * _rng(pair.title).normal())
        first, last = APART[pair.title]
        share = np.log(steps) / np.log(1000)
        return np.exp(np.log(first) + share**0.3 * np.log(last / first))

    def spared(batches, seed):
        rng = _rng("spared", seed)
        root = np.exp(rng.normal(-4, 1.2, 352))
        return {
            "root_v": root,
            "l2": np.clip(root**0.6 * 8 * np.exp(0.5 * rng.normal(size=352)), 4e-3, 8),
            "decoupled": 0.2 * np.exp(0.4 * rng.normal(size=352)),
        }

    yield module, "_distance", distance
    yield module, "_spared", spared


# sparsity -----------------------------------------------------------------------------


def _sparsity(module):
    def trained(x, targets, strengths, loss, steps, seed):
        rng = _rng(loss, seed)
        y = targets
        if loss == "huber":  # it bears them: as if they had hardly been there
            y = targets[:, :1] + 0.05 * rng.normal(size=targets.shape)
        models = {
            "prox": lambda strength: Lasso(strength / 2),
            "l1": lambda strength: Lasso(strength / 2),
            "l2": lambda strength: Ridge(strength * len(x)),
        }
        weights, biases = {}, {}
        for arm, values in strengths.items():
            fits = [models[arm](strength).fit(x, y) for strength in values]
            weights[arm] = np.stack([fit.coef_.T for fit in fits])
            biases[arm] = np.stack([fit.intercept_ for fit in fits])
        if "l1" in weights:  # the subgradient steps to and fro across zero
            steps = rng.uniform(-1, 1, weights["l1"].shape)
            weights["l1"] = weights["l1"] + 1e-2 * steps
        return weights, biases

    yield module, "_trained", trained


# high-dimensional ---------------------------------------------------------------------


def _descent(x, y, start, strength, *, rate, epochs, rng):
    """SGD in NumPy on many data sets at once: weights with the bias last, by epoch."""
    x = np.concatenate([x, np.ones((*x.shape[:2], 1))], axis=2)
    w = np.concatenate([start, np.zeros((len(start), 1))], axis=1)
    decay = np.append(np.full(x.shape[2] - 1, strength), 0.0)
    path = []
    for _ in range(epochs):
        for rows in np.split(rng.permutation(x.shape[1]), 4):
            errors = np.einsum("dri,di->dr", x[:, rows], w) - y[:, rows]
            slope = np.einsum("dri,dr->di", x[:, rows], errors) / len(rows)
            w = w - rate * (slope + decay * w)
        path.append(w)
    return path


def _high_dimensional(module):
    def curves(data, seeds, *, rate, epochs):
        x, y, x_test, y_test = (
            np.stack(parts * len(seeds)) for parts in zip(*data, strict=True)
        )
        found = {}
        for title, scale in module.STARTS.items():
            found[title] = {}
            for strength in (0.0, module.DECAY):
                rng = _rng(title, seeds)
                start = scale * rng.normal(size=(len(x), x.shape[2]))
                how = {"rate": rate, "epochs": epochs, "rng": rng}
                path = np.stack(_descent(x, y, start, strength, **how), axis=1)
                found[title][f"{strength:g}"] = {
                    name: ((_predicted(rows, path) - of[:, None]) ** 2).mean(axis=2)
                    for name, rows, of in (("train", x, y), ("test", x_test, y_test))
                }
        return found

    def sweep(build, params, x, y, *, epochs, seeds, **how):
        rate = float(np.asarray(build(0.0, 1.0).optimizer.learning_rate))
        candidates, weights = [], []
        for scale in params["start"]:
            start = _start(build, scale, seeds[0])
            for strength in params["half_l2"]:
                rng = _rng(scale, seeds)
                last = _descent(
                    x[None],
                    y[None, :, 0],
                    start[None],
                    strength,
                    rate=rate,
                    epochs=epochs,
                    rng=rng,
                )[-1][0]
                candidates.append({"start": scale, "half_l2": strength})
                weights.append([[last[:-1, None], last[-1:]]])
        return SimpleNamespace(params=candidates, weights=weights)

    yield module, "_curves", curves
    yield keras_decay, "sweep", sweep


def _predicted(rows, path):
    return np.einsum("dri,dei->der", rows, path[..., :-1]) + path[..., -1:]


def _start(build, scale, seed):
    import keras

    keras.utils.set_random_seed(seed)
    return np.ravel(build(0.0, scale).get_weights()[0])


# logistic -----------------------------------------------------------------------------


def _logistic(module):
    def trained(rows, strengths, seed, *, steps, momentum):
        # Without a penalty the weights are those of a weak one, and still grow.
        weights = module._oracle(rows, np.maximum(strengths, 1e-3))
        epochs = steps // module.PER_EPOCH
        share = 1 - np.exp(-6 * np.arange(1, epochs + 1) / epochs)
        ends = {
            "test": module._scores(rows.x_test, rows.y_test, weights)["loss"],
            "train": module._scores(rows.x, rows.y, weights)["loss"],
        }
        curves = {
            f"{name}_curves": np.exp(np.log(0.2) + share * np.log(end / 0.2)[:, None])
            for name, end in ends.items()
        }
        return {"weights": weights, **curves}

    yield module, "_trained", trained


# constraint, prior --------------------------------------------------------------------


def _linear_heads(module):
    yield _linear, "Heads", numpy_heads.Heads


# decoupling, which-decay --------------------------------------------------------------


def _decoupling(module):
    def losses_of(problem, arm, rates, decays, seeds, epochs, momentum=0.9):
        least = {"digits": 0.2, "diabetes": 0.48}[problem.name]
        slope = 0.15 if not arm.decoupled else -0.35
        maps = []
        for seed in seeds:
            rng = _rng(problem.name, arm.name, seed)
            r, d = np.meshgrid(rates, decays, indexing="ij")
            middle = (rates[0] + rates[-1]) / 2, (decays[0] + decays[-1]) / 2
            tilt = slope + 0.1 * rng.normal()
            away = d - middle[1] - tilt * (r - middle[0])
            loss = least * (1 + 0.25 * away**2 + 0.08 * (r - middle[0]) ** 2)
            loss = loss * np.exp(0.01 * rng.normal(size=loss.shape))
            loss[-1, -1] = np.nan  # it diverged
            maps.append(loss)
        return np.stack(maps)

    yield module, "losses_of", losses_of


def _which_decay(module):
    def held_out_losses(problem, build, strengths, *, splits, seed, **how):
        rng = _rng(problem.name, strengths)
        base = {"digits": 0.33, "diabetes": 0.62}[problem.name]
        middle = math.log10(strengths[-1]) - 0.5 * module.DECADES
        logs = np.log10(np.maximum(strengths, 10 ** (middle - 1.5)))
        best = base * (0.8 + 0.1 * rng.uniform())
        valley = best + 0.1 * base * (logs - middle) ** 2
        steep = np.where(logs > middle + 1, 4 * base * (logs - middle - 1), 0.0)
        of_split = np.exp(0.1 * _rng(problem.name).normal(size=splits))
        shape = (len(strengths), splits)
        return {
            name: (valley + steep)[:, None]
            * of_split
            * np.exp(0.02 * rng.normal(size=shape))
            for name in ("validation", "test")
        }

    yield module, "held_out_losses", held_out_losses


STAND_INS = {
    "diabetes": _diabetes,
    "equivalence": _equivalence,
    "sparsity": _sparsity,
    "high-dimensional": _high_dimensional,
    "logistic": _logistic,
    "constraint": _linear_heads,
    "prior": _linear_heads,
    "decoupling": _decoupling,
    "which-decay": _which_decay,
}
