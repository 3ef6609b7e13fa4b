"""The package as a whole: what importing it loads, and its missing backends."""

import ast
import importlib.metadata
import inspect
import re
from pathlib import Path

import pytest

import keras_decay as kd

PACKAGE = Path(kd.__file__).parent


def test_the_backends_are_imported_in_their_own_files_only():
    pattern = re.compile(r"^\s*(import|from) (tensorflow|jax|torch)\b", re.M)
    for path in PACKAGE.rglob("*.py"):
        if "backend" not in path.parts or path.stem == "__init__":
            assert not pattern.search(path.read_text()), path
            private = re.findall(r"keras\.src\b", path.read_text())
            # Comparisons with its name, and no imports.
            assert not private or path.stem in {"inner", "_references"}


ROOMS = [
    "models",
    "optimizers",
    "callbacks",
    "regularizers",
    "constraints",
    "curves",
    "tools",
    "search",
]
# What is used of Keras' protected names, each for want of a public one: in a subclass
# of Optimizer what its methods share, of a model what LearningCurve measures by, and of
# other optimizers what audit must know of them.
PROTECTED = {
    "models": {
        "_flatten_layers",  # of a layer: the layers that Keras tracks within it
        "_nodes_by_depth",  # of a functional model: how data flows through it
    },
    "optimizers": {
        "_replace",  # of a NamedTuple
        "_check_variables_are_known",
        "_get_variable_index",
        "_model_variables_moving_average",
        "_optimizer_map",  # of a MultiOptimizer
        "_track_variable",
        "_trainable_variables",
        "_trainable_variables_indices",
        "_variables",
        "_velocities",
    },
    "callbacks": {
        "_aggregate_additional_loss",
        "_compile_loss",
        "_metrics",
    },
    "curves": {
        "_replace",  # of a NamedTuple
    },
    "search": {
        "_exit",  # of the module os
        "_clear_losses",  # of a model, before a step is traced, as Keras does
        "_plan",  # our own optimizer's
        "_asdict",  # of a NamedTuple
        "_replace",  # the same
    },
    "tools": {
        "_memory",  # our own optimizer's
        "_exclude_from_weight_decay_pattern",
        "_iterations",
        "_learning_rate",
        "_should_use_adamw",
        "_tracker",  # of a built layer, unlocked for strengths as Keras does for LoRA
        "_trainable_variables",
        "_use_weight_decay",
    },
}


@pytest.mark.parametrize("room", ROOMS)
def test_protected_names_of_keras_are_few_and_declared(room):
    used, ours = set(), set()
    for path in (PACKAGE / room).rglob("*.py"):
        ours.add(path.stem)
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
                ours.add(node.name)
            if isinstance(node, ast.Attribute) and re.match(r"_[a-z]", node.attr):
                used.add(node.attr)
                if isinstance(node.ctx, ast.Store):
                    ours.add(node.attr)
    declared = PROTECTED.get(room, set())
    assert used - ours | (used & declared) == declared


def test_import_loads_nothing_and_rooms_are_reached_by_name(run_python):
    """`import` loads what Keras has loaded anyway; a room is loaded when it is used."""
    source = """
import sys
import keras
before = set(sys.modules)
import keras_decay
new = {name.split(".")[0] for name in set(sys.modules) - before}
print(sorted(new - set(sys.stdlib_module_names)))
ground = "keras_decay.ground.backend."
print(sorted(name for name in sys.modules if name.startswith(ground)))
print(keras_decay.search.sweep.__name__, *dir(keras_decay))
"""
    printed = run_python(source).stdout.splitlines()
    assert printed[-3:-1] == ["['keras_decay']", "[]"]
    name, *names = printed[-1].split()
    assert name == "sweep" and {"curves", "search", "tools"} <= set(names)


@pytest.mark.slow
def test_drawing_is_loaded_when_used_and_pyplot_never(run_python):
    # Keras imports matplotlib, pandas and scikit-learn itself where it can, so that
    # their absence from sys.modules would say nothing: they are blocked instead.
    source = """
import sys
for name in ("matplotlib", "sklearn", "pandas"):
    sys.modules[name] = None
import keras_decay as kd
rows = [{"epoch": e, "loss": 1 / (e + 1), "val_loss": 1.0} for e in range(9)]
print(kd.LearningCurve().rows, kd.diagnose(rows).best_epoch)
del sys.modules["matplotlib"]
import matplotlib
sys.modules["matplotlib.pyplot"] = None
print(kd.plot_curves({"one": rows}).figure)
"""
    assert "Figure(" in run_python(source).stdout.splitlines()[-1]


BLOCKED = """
import sys
for name in ("tensorflow", "jax", "torch"):
    sys.modules[name] = None  # as if it were not installed
"""


def test_without_a_backend_names_say_what_to_install(run_python):
    source = (
        BLOCKED
        + """
import keras_decay
print(keras_decay.__version__, "L1" in dir(keras_decay))
for attempt in ("keras_decay.L1", "keras_decay.LearningCurve"):
    try:
        eval(attempt)
    except ImportError as error:
        print(error)
try:
    from keras_decay import AdamW
except ImportError as error:
    print(error)
print(hasattr(keras_decay, "no_such_name"))
"""
    )
    lines = run_python(source).stdout.splitlines()
    assert lines[0] == f"{kd.__version__} True" and lines[-1] == "False"
    assert len(set(lines[1:4])) == 1
    assert "pip install 'keras-decay[" in lines[1] and "not installed" in lines[1]


def test_without_a_backend_the_command_line_prints_one_sentence(run_python):
    source = (
        BLOCKED
        + """
import sys
from keras_decay.cli import main
sys.argv = ["keras-decay", "diabetes", "--out", "never-written"]
sys.exit(main())
"""
    )
    completed = run_python(source, check=False)
    assert completed.returncode == 1
    assert "Traceback" not in completed.stderr
    assert completed.stderr.count("pip install 'keras-decay[") == 1


@pytest.mark.slow
def test_a_script_that_is_called_like_the_command_still_registers(run_python, tmp_path):
    script = tmp_path / "keras-decay.py"
    script.write_text(
        "import sys, keras_decay\nprint('keras_decay.optimizers' in sys.modules)\n"
    )
    source = "import runpy, sys; sys.argv = [sys.argv[1]]; runpy.run_path(sys.argv[0])"
    assert run_python(source, script).stdout.splitlines()[-1] == "True"


def test_other_import_errors_are_not_swallowed(run_python):
    source = "import sys; sys.modules['keras'] = None; import keras_decay"
    completed = run_python(source, check=False)
    assert completed.returncode != 0 and "keras" in completed.stderr


def test_public_names():
    assert list(kd.__all__) == sorted(kd.__all__, key=_ruff_order)
    for name in kd.__all__:
        assert getattr(kd, name) is not None
        assert name in dir(kd)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        kd.nothing  # noqa: B018
    assert importlib.metadata.version("keras-decay") == kd.__version__
    assert (PACKAGE / "py.typed").exists()


def test_type_checkers_are_told_of_the_public_names():
    """The block of imports, the table of rooms and `__all__` have the same names."""
    tree = ast.parse((PACKAGE / "__init__.py").read_text())
    (block,) = [node for node in tree.body if isinstance(node, ast.If)][:1]
    told = {
        node.module.removeprefix("keras_decay."): sorted(a.name for a in node.names)
        for node in block.body
    }
    assert told == {home: sorted(names) for home, names in kd._HOMES.items()}
    assert set(kd._HOME) == set(kd.__all__)


def _ruff_order(name):
    kind = 0 if name.isupper() else 1 if name[0].isupper() else 2
    return kind, name


@pytest.mark.parametrize("name", kd.__all__)
def test_public_docstrings_are_complete(name):
    thing = getattr(kd, name)
    text = inspect.getdoc(thing) or ""
    assert text and text.splitlines()[0].endswith((".", "?"))
    if name in {"Audit", "Diagnosis", "Regularized", "Sparsity", "SweepResult"}:
        return
    assert "Example" in text or "```python" in text, "no example"
    if inspect.isclass(thing) or inspect.signature(thing).parameters:
        parameters = inspect.signature(thing).parameters
        documented = name == "Penalty" or all(
            parameter.lstrip("*") in text for parameter in parameters
        )
        assert documented, parameters
    is_penalty = inspect.isclass(thing) and issubclass(thing, kd.Penalty)
    if (is_penalty and name != "Penalty") or name in {
        "AdamW",
        "SGDW",
        "DecoupledWeightDecay",
        "preset_rules",
        "layerwise_rules",
        "convert",
    }:
        assert "onvention" in text and "Reference" in text
