"""Records wider curves: `KERAS_BACKEND=torch python record_wider_curves.py LINES`.

Writes one JSON line a training to LINES and goes on where it was stopped. With `--keep`
it then writes what is kept of LINES to wider_curves.json. LABELS.md has the rule.
"""

import argparse
import hashlib
import json
import math
import time
from pathlib import Path

import numpy as np
import wider_data
import wider_labelling
import wider_networks

LENGTHS = (5, 8, 8, 12, 12, 20, 20, 50)
ROWS = (20, 50, 100, 200, 500, 2000)
SEEDS = (21, 22)
TRAININGS = 7
FILE = Path(__file__).with_name("wider_curves.json")


def plan():
    """All trainings, each a dict, in an order that mixes tasks."""
    found = []
    for turn in range(TRAININGS):
        for seed in SEEDS:
            for name in wider_data.TASKS:
                rng = _generator(name, seed)
                task = wider_data.TASKS[name]
                train = task.train[int(rng.integers(len(task.train)))]
                rows = ROWS[(int(rng.integers(len(ROWS))) + 3 * (seed == SEEDS[1])) % 6]
                regimes = rng.permutation(list(wider_networks.REGIMES))
                found.append(
                    {
                        "data": name,
                        "seed": seed,
                        "train": train,
                        "validation": min(rows, _most(name)),
                        "regime": str(regimes[turn]),
                        "epochs": int(rng.permutation(LENGTHS)[turn]),
                    }
                )
    return found


def _generator(name, seed):
    digest = hashlib.sha256(f"{name} {seed}".encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:4], "big"))


def _most(name):
    """So few rows for validation that enough are left for the test."""
    return {"tumour": 100, "progression": 50, "numerals": 200, "mislabelled": 200}.get(
        name, 2000
    )


def train(given):
    """The curve as Keras reports it, and the truth about it."""
    task = wider_data.TASKS[given["data"]]
    data = wider_data.parts(task, given["seed"], given["train"], given["validation"])
    shown = given["epochs"]
    curve, train_loss, test_loss = wider_networks.run(
        data, task.kind, given["regime"], shown, shown + max(shown // 2, 2), given
    )
    truth = wider_labelling.truth_of(train_loss, test_loss, shown)
    truth |= data_constants(data)
    short = {
        name: [_short(value) for value in values[:shown]]
        for name, values in curve.items()
    }
    return {**given, "curve": short, "truth": truth}


def data_constants(data):
    y = data.train[1]
    if data.classes:
        best = np.bincount(y, minlength=data.classes) / len(y)
    else:
        best = np.array([np.mean(y)])
    return {
        f"constant_{name}": float(
            wider_networks.losses(part[1], np.tile(best, (len(part[1]), 1))).mean()
        )
        for name, part in (("train", data.train), ("test", data.test))
    }


def _short(value):
    return float(f"{value:.5g}")


def keep(lines):
    """Write what has a label, to the file beside this one."""
    runs = [json.loads(line) for line in lines.read_text().splitlines()]
    reachable = {}
    for run in runs:
        task, best = (run["data"], run["seed"]), run["truth"]["best"]
        if math.isfinite(best):
            reachable[task] = min(best, reachable.get(task, math.inf))
    kept, left_out = [], 0
    for run in runs:
        truth = run["truth"]
        truth["reachable"] = reachable[run["data"], run["seed"]]
        truth["validation"] = run["validation"]
        run["label"] = list(wider_labelling.labels_of(truth))
        left_out += not run["label"]
        run["truth"] = [_short(truth[name]) for name in wider_labelling.TRUTH]
        if run["label"]:
            kept.append(run)
    content = {"truth": wider_labelling.TRUTH, "left_out": left_out, "curves": kept}
    text = json.dumps(content, separators=(",", ":")).replace('{"data"', '\n{"data"')
    FILE.write_text(text + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("lines", type=Path)
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--pause", type=Path, help="wait while this file is there")
    given = parser.parse_args()
    if given.keep:
        keep(given.lines)
        return
    done = set()
    if given.lines.exists():
        done = {_key(json.loads(line)) for line in given.lines.open()}
    for one in plan():
        while given.pause and given.pause.exists():
            time.sleep(5)
        if _key(one) not in done:
            with given.lines.open("a") as file:
                file.write(json.dumps(train(one)) + "\n")


def _key(one):
    return one["data"], one["seed"], one["regime"], one["epochs"]


if __name__ == "__main__":
    main()
