"""The tasks of the wider curves: tables, images, sequences and texts.

A task is a function of a generator and a number of rows that returns `x`, `y` and the
number of classes, 0 for a regression. A task on rows that a package ships ignores the
number and returns all of them, shuffled.
"""

import argparse
import email.message
import hashlib
import inspect
import json
import statistics
import tarfile
import textwrap
import threading
import unittest.mock
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import sklearn
from sklearn import datasets


class Task(NamedTuple):
    """One task: its kind, its rows, and how many of them are for training."""

    kind: str
    draw: Any
    train: tuple
    tokens: int = 0


class Parts(NamedTuple):
    """Rows in four parts, each (x, y)."""

    pretraining: Any
    train: Any
    validation: Any
    test: Any
    classes: int
    tokens: int


MANY = 2000
PRETRAINING = 800


def parts(task, seed, train, validation):
    """The rows of a task by a seed; inputs without tokens are standardised."""
    rng = np.random.default_rng(seed)
    x, y, classes = task.draw(rng, PRETRAINING + train + validation + MANY)
    order = rng.permutation(len(x))
    x, y = x[order], y[order]
    before = max(0, min(PRETRAINING, (len(x) - train - validation) // 3))
    ends = np.cumsum([before, train, validation])
    train_x, train_y = x[ends[0] : ends[1]], y[ends[0] : ends[1]]
    if task.tokens:
        x = x.astype("int32")
    else:
        axes = tuple(range(x.ndim - 1)) if x.ndim < 4 else None
        scale = train_x.std(axis=axes, keepdims=x.ndim > 3)
        x = (x - train_x.mean(axis=axes, keepdims=x.ndim > 3)) / np.where(
            scale > 0, scale, 1.0
        )
        x = x.astype("float32")
    if classes:
        y = y.astype("int32")
    else:
        y = ((y - train_y.mean()) / train_y.std()).astype("float32")
    split = zip(np.split(x, ends), np.split(y, ends), strict=True)
    return Parts(*split, classes, task.tokens)


def tumour(rng, n):
    x, y = datasets.load_breast_cancer(return_X_y=True)
    return x, y, 2


def progression(rng, n):
    x, y = datasets.load_diabetes(return_X_y=True)
    return x, y, 0


def shells(rng, n):
    x, y = datasets.make_gaussian_quantiles(
        n_samples=n, n_features=5, n_classes=4, random_state=int(rng.integers(2**31))
    )
    return x, y, 4


def triple(rng, n):
    """Whether the product of three of eight inputs is positive; a tenth is turned."""
    x = rng.normal(size=(n, 8))
    return x, (x[:, :3].prod(axis=1) > 0) ^ (rng.random(n) < 0.1), 2


def ratio(rng, n):
    x = rng.uniform(0.2, 2, size=(n, 6))
    noise = rng.normal(scale=0.4, size=n)
    return x, np.log(x[:, 0] * x[:, 1] / x[:, 2]) + x[:, 3] ** 2 + noise, 0


def mixture(rng, n):
    """Five classes of two clusters each among twenty inputs, one label in ten wrong."""
    x, y = datasets.make_classification(
        n,
        20,
        n_informative=8,
        n_classes=5,
        flip_y=0.1,
        random_state=int(rng.integers(2**31)),
    )
    return x, y, 5


def hinge(rng, n):
    """Kinks along two directions, in much noise."""
    x = rng.normal(size=(n, 12))
    y = np.maximum(x[:, 0] + x[:, 1], 0) - np.abs(x[:, 2])
    return x, y + rng.normal(scale=1.0, size=n), 0


def rings(rng, n):
    """Which of three rings about the origin, among four inputs that tell nothing."""
    y = rng.integers(3, size=n)
    angle, radius = rng.uniform(0, 2 * np.pi, n), 1 + y + rng.normal(scale=0.35, size=n)
    ring = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
    return np.concatenate([ring, rng.normal(size=(n, 4))], axis=1), y, 3


def numerals(rng, n):
    x, y = datasets.load_digits(return_X_y=True)
    return x.reshape(-1, 8, 8, 1), y, 10


def mislabelled(rng, n):
    """Handwritten digits of which one in five has a label by chance."""
    x, y = datasets.load_digits(return_X_y=True)
    wrong = rng.random(len(y)) < 0.2
    return x.reshape(-1, 8, 8, 1), np.where(wrong, rng.integers(10, size=len(y)), y), 10


def figures(rng, n):
    """A square, a cross or a disc somewhere in 10 × 10 noisy pixels."""
    y, at = rng.integers(3, size=n), rng.integers(3, 7, size=(n, 2))
    rows, columns = np.indices((10, 10))
    down, across = rows - at[:, :1, None], columns - at[:, 1:, None]
    far = np.maximum(abs(down), abs(across))
    drawn = np.stack(
        [
            far == 2,
            (np.minimum(abs(down), abs(across)) == 0) & (far <= 2),
            down**2 + across**2 <= 4,
        ]
    )[y, np.arange(n)]
    return (drawn + rng.normal(scale=0.7, size=drawn.shape))[..., None], y, 3


def pictures(rng, n):
    """Which of two photographs an 8 × 8 patch is from."""
    found = []
    for name in ("china.jpg", "flower.jpg"):
        grey = datasets.load_sample_image(name).mean(axis=2) / 255
        grey = grey[: len(grey) // 8 * 8, : grey.shape[1] // 8 * 8]
        blocks = grey.reshape(len(grey) // 8, 8, -1, 8).swapaxes(1, 2)
        found.append(blocks.reshape(-1, 8, 8, 1))
    x = np.concatenate(found)
    y = np.repeat([0, 1], [len(one) for one in found])
    kept = rng.permutation(len(x))[:n]
    return x[kept], y[kept], 2


def spot(rng, n):
    """How far a bright spot lies from the corner, in noisy pixels."""
    at = rng.uniform(1, 9, size=(n, 2))
    rows, columns = np.indices((10, 10))
    squared = (rows - at[:, :1, None]) ** 2 + (columns - at[:, 1:, None]) ** 2
    x = np.exp(-squared / 3) + rng.normal(scale=0.4, size=(n, 10, 10))
    return x[..., None], np.hypot(*at.T), 0


def stripes(rng, n):
    """The direction of stripes, one of four, in much noise."""
    y, phase = rng.integers(4, size=n), rng.uniform(0, 2 * np.pi, size=(n, 1, 1))
    rows, columns = np.indices((10, 10))
    angle = (y * np.pi / 4)[:, None, None]
    wave = np.sin(1.5 * (rows * np.cos(angle) + columns * np.sin(angle)) + phase)
    return (wave + rng.normal(scale=1.5, size=wave.shape))[..., None], y, 4


def frequency(rng, n):
    """Which of four frequencies sounds in a noisy series of 16 values."""
    y, phase = rng.integers(4, size=n), rng.uniform(0, 2 * np.pi, size=(n, 1))
    wave = np.sin((0.5 + 0.35 * y[:, None]) * np.arange(16) + phase)
    return (wave + rng.normal(scale=0.9, size=wave.shape))[..., None], y, 4


def autoregression(rng, n):
    """The next value of an autoregression of the second order with a threshold."""
    series = rng.normal(size=(n, 30))
    for t in range(2, 30):
        push = 0.8 * np.tanh(2 * series[:, t - 1]) - 0.5 * series[:, t - 2]
        series[:, t] = push + 0.5 * series[:, t]
    return series[:, 17:29, None], series[:, 29], 0


def adding(rng, n):
    """The sum of the two marked ones of ten values."""
    x = np.zeros((n, 10, 2))
    x[..., 0] = rng.uniform(-1, 1, size=(n, 10))
    marks = np.argsort(rng.random((n, 10)), axis=1)[:, :2]
    np.put_along_axis(x[..., 1], marks, 1.0, axis=1)
    return x, (x[..., 0] * x[..., 1]).sum(axis=1) + rng.normal(scale=0.1, size=n), 0


def chain(rng, n):
    """The next of eight tokens of a chain that looks two tokens back."""
    table = np.random.default_rng(5).dirichlet(np.full(8, 0.3), size=(8, 8))
    x = rng.integers(8, size=(n, 13))
    for t in range(2, 13):
        chances = table[x[:, t - 2], x[:, t - 1]].cumsum(axis=1)
        x[:, t] = (rng.random((n, 1)) > chances).sum(axis=1).clip(max=7)
    return x[:, :12], x[:, 12], 8


def majority(rng, n):
    """Which of three tokens among six is the most frequent of fifteen."""
    x = rng.integers(6, size=(n, 15))
    counts = np.stack([(x == one).sum(axis=1) for one in range(3)], axis=1)
    return x, np.argmax(counts + rng.normal(scale=0.4, size=counts.shape), axis=1), 3


def before(rng, n):
    """Whether the first token 0 comes before the first token 1; a tenth is turned."""
    x = rng.integers(8, size=(n, 14))
    first = [np.where((x == one).any(1), (x == one).argmax(1), 99) for one in (0, 1)]
    return x, (first[0] < first[1]) ^ (rng.random(n) < 0.1), 2


LETTERS = "abcdefghijklmnopqrstuvwxyz ,.()_=:'\"\n"
SOURCES = (argparse, statistics, tarfile, textwrap, threading, zipfile)


def _letters(text):
    return [LETTERS.find(one) + 1 for one in text.lower()]


def _words(lines, length=12, size=200):
    """Lines as numbers of their words, hashed, and filled up with 0."""
    x = np.zeros((len(lines), length), dtype=int)
    for row, line in zip(x, lines, strict=True):
        for place, word in enumerate(line.lower().split()[:length]):
            digest = hashlib.sha256(word.encode()).digest()
            row[place] = 1 + int.from_bytes(digest[:4], "big") % (size - 1)
    return x


def _lines(text):
    return [line for line in text.splitlines() if len(line.split()) > 2]


def author(rng, n):
    """Which of six modules of Python a line of source is from."""
    found = [_lines(inspect.getsource(module)) for module in SOURCES]
    y = np.repeat(np.arange(len(found)), list(map(len, found)))
    x = _words([line for lines in found for line in lines])
    kept = rng.permutation(len(x))[:n]
    return x[kept], y[kept], len(SOURCES)


def letter(rng, n):
    """The next letter of the descriptions of scikit-learn's data sets."""
    folder = Path(sklearn.__file__).parent / "datasets" / "descr"
    text = "".join(one.read_text() for one in sorted(folder.glob("*.rst")))
    codes = np.array(_letters(text))
    at = rng.permutation(len(codes) - 12)[:n]
    return codes[at[:, None] + np.arange(12)], codes[at + 12], len(LETTERS) + 1


def code_letter(rng, n):
    """The next letter of Python's source."""
    codes = np.array(_letters(inspect.getsource(unittest.mock)))
    at = rng.permutation(len(codes) - 12)[:n]
    return codes[at[:, None] + np.arange(12)], codes[at + 12], len(LETTERS) + 1


def grammar(rng, n):
    """Whether a sentence of five words is in its order; a tenth is turned."""
    x = np.stack([rng.integers(12 * k, 12 * k + 12, size=n) for k in range(5)], axis=1)
    wrong = rng.random(n) < 0.5
    turned = rng.permuted(x, axis=1)
    y = wrong & (turned != x).any(axis=1)
    return np.where(wrong[:, None], turned, x), y ^ (rng.random(n) < 0.1), 2


def mood(rng, n):
    """The sum of the moods of eight of 150 words, of which most have none."""
    moods = np.random.default_rng(6).normal(size=150) * (np.arange(150) % 3 == 0)
    x = rng.integers(150, size=(n, 8))
    return x, moods[x].sum(axis=1) + rng.normal(scale=0.8, size=n), 0


def prose(rng, n):
    """Whether a line of a module of Python is of a text or of code."""
    lines, y = [], []
    for module in (email.message, json, json.decoder, unittest.mock, *SOURCES):
        inside = False
        for line in inspect.getsource(module).splitlines():
            quotes = line.count('"""')
            if len(line.split()) > 1:
                lines.append(line)
                y.append(inside or quotes > 0 or line.lstrip().startswith("#"))
            inside ^= quotes % 2 == 1
    x = _words(lines)
    kept = rng.permutation(len(x))[:n]
    return x[kept], np.array(y)[kept], 2


TASKS = {
    "tumour": Task("table", tumour, (80, 150)),
    "progression": Task("table", progression, (80, 150)),
    "shells": Task("table", shells, (150, 600)),
    "triple": Task("table", triple, (250, 900)),
    "ratio": Task("table", ratio, (100, 500)),
    "mixture": Task("table", mixture, (200, 800)),
    "hinge": Task("table", hinge, (120, 600)),
    "rings": Task("table", rings, (100, 500)),
    "numerals": Task("image", numerals, (150, 500)),
    "mislabelled": Task("image", mislabelled, (150, 500)),
    "figures": Task("image", figures, (150, 600)),
    "pictures": Task("image", pictures, (150, 700)),
    "spot": Task("image", spot, (100, 500)),
    "stripes": Task("image", stripes, (150, 600)),
    "frequency": Task("sequence", frequency, (150, 600)),
    "autoregression": Task("sequence", autoregression, (150, 600)),
    "adding": Task("sequence", adding, (200, 800)),
    "chain": Task("sequence", chain, (300, 1000), 8),
    "majority": Task("sequence", majority, (150, 700), 6),
    "before": Task("sequence", before, (200, 800), 8),
    "author": Task("text", author, (200, 800), 200),
    "letter": Task("text", letter, (400, 1200), 38),
    "code_letter": Task("text", code_letter, (400, 1200), 38),
    "grammar": Task("text", grammar, (200, 800), 60),
    "mood": Task("text", mood, (200, 800), 150),
    "prose": Task("text", prose, (200, 800), 200),
}
TO_CHOOSE, HELD_OUT = "to choose", "held out"


def part_of(name):
    """The tasks of each kind, in the order of their hashes, go to the parts in turn."""
    kind = TASKS[name].kind
    names = sorted(
        (one for one, task in TASKS.items() if task.kind == kind),
        key=lambda one: hashlib.sha256(one.encode()).hexdigest(),
    )
    return (TO_CHOOSE, HELD_OUT)[names.index(name) % 2]
