"""The files of the backends: equal interfaces, and what each function does."""

import ast
import os
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import ops
from support import to_numpy

from keras_decay.ground import backend

BACKEND = keras.backend.backend()
FOLDER = Path(backend.__file__).parent
# For gradients that are sparse, and what only compiled updates read.
HELPERS = {"jacobi"}  # a file
NOT_ON_ALL = {"gather_rows", "scatter_rows", "WORTH_COMPILING"}


def public_names(name):
    """The names that a file defines or imports, read and not run."""
    found = set()
    for node in ast.parse((FOLDER / f"{name}.py").read_text()).body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            found.add(node.name)
        elif isinstance(node, ast.Assign):
            found |= {t.id for t in node.targets if isinstance(t, ast.Name)}
        elif isinstance(node, ast.ImportFrom) and node.module.startswith("keras_decay"):
            found |= {alias.name for alias in node.names}
    return {n for n in found if n[0] != "_"} - HELPERS - NOT_ON_ALL


def test_all_backends_have_the_same_functions():
    names = {name: public_names(name) for name in backend.PACKAGES}
    assert len(names["tensorflow"]) > 20
    for name, found in names.items():
        assert found == names["tensorflow"], name


def test_current_is_the_file_of_the_backend():
    assert backend.current().__name__ == f"keras_decay.ground.backend.{BACKEND}"
    assert backend.current() is backend.current()


def test_another_backend_is_refused(monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "numpy")
    with pytest.raises(RuntimeError, match=r"runs on .*torch\. Received.*'numpy'"):
        backend.current()


def missing(monkeypatch, installed, chosen=None):
    def find_spec(name):
        return object() if name in installed else None

    monkeypatch.setattr(backend, "find_spec", find_spec)
    monkeypatch.setattr(os, "environ", {"KERAS_BACKEND": chosen} if chosen else {})
    error = ModuleNotFoundError("no", name="tensorflow.python")
    return backend.missing_backend(error)


def test_what_is_missing_is_one_sentence(monkeypatch):
    sentence = missing(monkeypatch, [])
    assert "'tensorflow', which is not installed" in sentence
    assert "pip install 'keras-decay[tensorflow]'" in sentence
    assert "or the extra jax or torch" in sentence
    sentence = missing(monkeypatch, ["jax", "torch"])
    assert "KERAS_BACKEND=jax or KERAS_BACKEND=torch" in sentence
    assert "choose" not in missing(monkeypatch, [], "tensorflow")
    assert backend.missing_backend(ModuleNotFoundError("no", name="scipy")) is None


def test_a_snapshot_outlasts_assignments():
    native = backend.current()
    variable = keras.Variable(np.arange(3.0, dtype="float32"))
    with native.no_grad():
        before = native.snapshot(variable)
        native.subtract(variable, ops.ones(3))
        native.assign(variable, 2 * native.read(variable))
    np.testing.assert_array_equal(to_numpy(before), [0, 1, 2])
    np.testing.assert_array_equal(to_numpy(variable), [-2, 0, 2])
    assert native.has_value(variable)


def test_an_uncompiled_function_does_what_the_function_does():
    """Oracle: the function itself; every operation that Adam and decay need."""
    native = backend.current()
    rng = np.random.default_rng(0)
    start = rng.normal(size=(5, 3)).astype("float32")
    results = []
    for wrap in (lambda f, variables: f, native.uncompiled):
        w, m = keras.Variable(start), keras.Variable(0 * start)
        count = keras.Variable(0, dtype="int32", trainable=False)
        half = keras.Variable(start, dtype="bfloat16")

        def step(w=w, m=m, count=count, half=half):
            count.assign_add(1)
            power = ops.power(0.9, ops.cast(count, "float32"))
            m.assign(0.9 * m + 0.1 * ops.square(w))
            moved = w / (ops.sqrt(m) + 1e-3) * (1 - power)
            late = ops.where(count > 1, moved, -moved)
            w.assign(w - 0.1 * ops.sign(late) * ops.abs(late) / (1 + ops.max(m)))
            half.assign(ops.cast(ops.cast(half, "float32") * 0.99, "bfloat16"))
            rows = ops.matmul(ops.reshape(m, (3, 5)), ops.ones((5, 3)))
            w.assign(ops.maximum(w - 1e-3 * ops.transpose(rows)[:1], -1.0))

        run = wrap(step, [w, m, count, half])
        with native.no_grad():
            for _ in range(3):
                run()
        results.append([to_numpy(v) for v in (w, m, count, half)])
    for one, other in zip(*results, strict=True):
        np.testing.assert_allclose(one, other, 1e-6)
    assert results[0][2] == 3
    assert not np.allclose(results[0][0], start)
