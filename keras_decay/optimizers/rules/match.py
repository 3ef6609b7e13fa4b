"""The match of rules and variables in files, and whether it fits other variables."""

import json
import re
from typing import NamedTuple

import numpy as np

from keras_decay.ground import validation

LONGEST_LIST = 10


class SavedMatch(NamedTuple):
    """What a file says of the variables that an optimizer was built on.

    Args:
        entries: A dict for each variable in the order of building: its path, its shape,
            the number of the rule that decided (`"default"` or None where none did),
            and whether it was trainable when it was saved.
        patterns: The patterns of the rules at that time; None if unknown.
        inner: The name of the wrapped optimizer's class; None if unknown.
    """

    entries: list[dict]
    patterns: list[str] | None = None
    inner: str | None = None


def encoded(plan, variables, inner):
    """The match as an array of bytes, since files of weights hold arrays only."""
    entries = [
        {**entry, "trainable": bool(getattr(variable, "trainable", True))}
        for entry, variable in zip(plan.outcome, variables, strict=True)
    ]
    saved = {
        "entries": entries,
        "patterns": plan.patterns,
        "inner": type(inner).__name__,
    }
    return np.frombuffer(json.dumps(saved).encode(), np.uint8)


def decoded(array):
    """The `SavedMatch` in an array of bytes, or None if there is none."""
    try:
        saved = SavedMatch(**json.loads(np.asarray(array, np.uint8).tobytes()))
        for entry in saved.entries:
            entry["path"], entry["shape"], entry["rule"]
    except (ValueError, TypeError, KeyError):
        return None
    return saved


def is_about(saved, entries, thawed=False):
    """Whether a saved match is about the variables of `entries`, perhaps renamed.

    Keras renames the layers of some models on loading: it numbers names anew, and drops
    or adds the names of models around a layer. Anything else is another variable.

    Args:
        saved: The saved match's entries.
        entries: Those of the variables at hand.
        thawed: Whether all variables were frozen when the file was loaded.
    """
    if [e["shape"] for e in saved] != [e["shape"] for e in entries]:
        return False
    known = {(e["path"], tuple(e["shape"])) for e in saved}
    for old, new in zip(saved, entries, strict=True):
        if old["path"] == new["path"]:
            continue
        # A variable that was frozen before saving is not among a model's trainable
        # ones, so a similar name is another variable's.
        was_frozen = not old.get("trainable", True) and not thawed
        is_elsewhere = (new["path"], tuple(new["shape"])) in known
        if was_frozen or is_elsewhere or not _is_renamed(old["path"], new["path"]):
            return False
    return True


def _is_renamed(old, new):
    """Whether two paths are equal but for numbers at names' ends and outer names."""
    old, new = (
        [re.sub(r"_\d+$", "", name) for name in path.split("/")] for path in (old, new)
    )
    shared = min(len(old), len(new))
    return old[-shared:] == new[-shared:]


def changes(saved, entries):
    """Say in a sentence which variables are new, gone or of another shape."""
    before = {e["path"]: e for e in saved}
    now = {e["path"]: e for e in entries}
    gone = [path for path in before if path not in now]
    new = [path for path in now if path not in before]
    for path in list(gone):
        alike = [p for p in new if _may_be(before[path], now[p])]
        others = [p for p in gone if alike and _may_be(before[p], now[alike[0]])]
        if len(alike) == len(others) == 1:  # else nobody knows which is which
            gone.remove(path)
            new.remove(alike[0])
    reshaped = [
        f"{path} (saved {tuple(before[path]['shape'])}, now {tuple(entry['shape'])})"
        for path, entry in now.items()
        if path in before and before[path]["shape"] != entry["shape"]
    ]
    texts = {"New": new, "Gone": gone, "Of another shape": reshaped}
    parts = [f"{what}: {_listed(paths)}." for what, paths in texts.items() if paths]
    if not parts:
        parts = [f"They cannot be told apart by their paths: {_listed(before)}."]
    return " ".join(["The trainable variables are not those of the file.", *parts])


def _may_be(old, new):
    return (
        old.get("trainable", True)
        and old["shape"] == new["shape"]
        and _is_renamed(old["path"], new["path"])
    )


def decided_otherwise(saved, plan):
    """Say which variables the present rules decide otherwise; None for no variable."""
    found = []
    for old, new in zip(saved.entries, plan.outcome, strict=True):
        was = _label(old["rule"], saved.patterns)
        now = _label(new["rule"], plan.patterns)
        if was != now:
            found.append(f"{new['path']} (saved {was}, now {now})")
    return f"The rules decide otherwise: {_listed(found)}." if found else None


def _label(rule, patterns):
    if rule is None:
        return "spared"
    return f"by rule {patterns[rule]!r}" if isinstance(rule, int) else f"by {rule}"


def _listed(texts):
    texts = list(texts)
    more = len(texts) - LONGEST_LIST
    shown = ", ".join(texts[:LONGEST_LIST])
    return f"{shown} and {more} more" if more > 0 else shown


def matched_of_0_1(config):
    """Take the match out of a config of version 0.1; None if there is none."""
    matched = config.pop("matched", None)
    if matched is None:
        return None
    must = "a list of dicts with path, shape and rule"
    if not isinstance(matched, (list, tuple)):
        raise TypeError(validation.received("matched", matched, must))
    return [dict(entry) for entry in matched]
