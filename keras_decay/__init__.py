"""Weight penalties, decoupled weight decay and honest learning curves for Keras.

Usually imported as ``import keras_decay as kd``. Every name of `__all__` is public.

Importing the package registers its serialisable classes with Keras, so that a saved
model finds them again, and loads nothing else: matplotlib, scikit-learn and the
command line are loaded when they are first used.
"""

import sys as _sys
from importlib import import_module as _import_module
from pathlib import Path as _Path
from typing import TYPE_CHECKING

from keras_decay.ground import backend as _backend

if TYPE_CHECKING:
    from keras_decay.callbacks import BackupAndRestore, LearningCurve, StopOnOverfit
    from keras_decay.constraints import NormBall
    from keras_decay.conventions import convert
    from keras_decay.curves import Diagnosis, diagnose, plot_curves, read_curves
    from keras_decay.optimizers import (
        SGDW,
        AdamW,
        ConstrainedDecay,
        DecayToward,
        DecoupledWeightDecay,
        Rule,
        StableDecay,
        TargetNormDecay,
        TouchedRowsDecay,
        layerwise_rules,
        preset_rules,
        rebuild,
        set_weight_decay,
    )
    from keras_decay.regularizers import (
        L1,
        L2,
        L2SP,
        MCP,
        SCAD,
        ElasticNet,
        GaussianPrior,
        GroupLasso,
        HorseshoePrior,
        HoyerSquare,
        HuberL1,
        LaplacePrior,
        LogSum,
        Lp,
        Nuclear,
        Orthogonal,
        Penalty,
        SparseGroupLasso,
        SpectralNorm,
        StudentTPrior,
        TotalVariation,
    )
    from keras_decay.search import DecaySearchCV, SweepResult, strength_grid, sweep
    from keras_decay.tools import (
        Audit,
        Regularized,
        Sparsity,
        audit,
        decouple,
        prune,
        regularize,
        sparsity,
        track_strength,
    )

__version__ = "0.1.0"

__all__ = [
    "L1",
    "L2",
    "L2SP",
    "MCP",
    "SCAD",
    "SGDW",
    "AdamW",
    "Audit",
    "BackupAndRestore",
    "ConstrainedDecay",
    "DecaySearchCV",
    "DecayToward",
    "DecoupledWeightDecay",
    "Diagnosis",
    "ElasticNet",
    "GaussianPrior",
    "GroupLasso",
    "HorseshoePrior",
    "HoyerSquare",
    "HuberL1",
    "LaplacePrior",
    "LearningCurve",
    "LogSum",
    "Lp",
    "NormBall",
    "Nuclear",
    "Orthogonal",
    "Penalty",
    "Regularized",
    "Rule",
    "SparseGroupLasso",
    "Sparsity",
    "SpectralNorm",
    "StableDecay",
    "StopOnOverfit",
    "StudentTPrior",
    "SweepResult",
    "TargetNormDecay",
    "TotalVariation",
    "TouchedRowsDecay",
    "audit",
    "convert",
    "decouple",
    "diagnose",
    "layerwise_rules",
    "plot_curves",
    "preset_rules",
    "prune",
    "read_curves",
    "rebuild",
    "regularize",
    "set_weight_decay",
    "sparsity",
    "strength_grid",
    "sweep",
    "track_strength",
]

_HOMES = {
    "callbacks": (
        "BackupAndRestore",
        "LearningCurve",
        "StopOnOverfit",
    ),
    "constraints": ("NormBall",),
    "conventions": ("convert",),
    "curves": (
        "Diagnosis",
        "diagnose",
        "plot_curves",
        "read_curves",
    ),
    "optimizers": (
        "SGDW",
        "AdamW",
        "ConstrainedDecay",
        "DecayToward",
        "DecoupledWeightDecay",
        "Rule",
        "StableDecay",
        "TargetNormDecay",
        "TouchedRowsDecay",
        "layerwise_rules",
        "preset_rules",
        "rebuild",
        "set_weight_decay",
    ),
    "regularizers": (
        "L1",
        "L2",
        "L2SP",
        "MCP",
        "SCAD",
        "ElasticNet",
        "GaussianPrior",
        "GroupLasso",
        "HorseshoePrior",
        "HoyerSquare",
        "HuberL1",
        "LaplacePrior",
        "LogSum",
        "Lp",
        "Nuclear",
        "Orthogonal",
        "Penalty",
        "SparseGroupLasso",
        "SpectralNorm",
        "StudentTPrior",
        "TotalVariation",
    ),
    "search": (
        "DecaySearchCV",
        "SweepResult",
        "strength_grid",
        "sweep",
    ),
    "tools": (
        "Audit",
        "Regularized",
        "Sparsity",
        "audit",
        "decouple",
        "prune",
        "regularize",
        "sparsity",
        "track_strength",
    ),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}
_missing: str | None = None


def _is_command_line():
    """Whether this process is our own command, which loads Keras when it needs it."""
    program = _sys.argv[0] if _sys.argv else ""
    if program == "-m":  # so it is while `python -m` looks for the module to run
        arguments = _sys.orig_argv
        return arguments[arguments.index("-m") + 1 :][:1] == ["keras_decay"]
    return _Path(program).name in ("keras-decay", "keras-decay.exe")


def _register():
    """Import what registers classes with Keras; note if Keras has no backend."""
    global _missing
    try:
        for home in ("regularizers", "constraints", "optimizers"):
            _import_module(f"keras_decay.{home}")
    except ModuleNotFoundError as error:
        _missing = _backend.missing_backend(error)
        if _missing is None:
            raise


def __getattr__(name):
    if name not in _HOME and name not in _HOMES:
        raise AttributeError(f"module 'keras_decay' has no attribute {name!r}")
    if _missing is None and "keras_decay.optimizers" not in _sys.modules:
        _register()
    if _missing is not None:
        raise ImportError(_missing)
    if name in _HOMES:
        return _import_module(f"keras_decay.{name}")
    value = getattr(_import_module(f"keras_decay.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__():
    return sorted([*__all__, *_HOMES, "__version__"])


if not _is_command_line():
    _register()
