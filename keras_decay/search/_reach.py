"""Finds parameters of `build` that change nothing in its models."""

import warnings

from keras_decay.search._strengths import varying


class Reach:
    """Which parameters were seen to change a model.

    Two candidates that differ in one parameter alone are compared by the digests of
    their models.

    Args:
        candidates: A list of dicts.
    """

    def __init__(self, candidates):
        self._candidates = candidates
        self._varying = varying(candidates) if len(candidates) > 1 else []
        self._seen: dict[str, dict[str, tuple[str, str]]] = {}
        self._compared: set[str] = set()
        self._reaching: set[str] = set()

    @property
    def is_settled(self):
        """Whether every parameter was seen to change a model."""
        return len(self._reaching) == len(self._varying)

    def see(self, candidate, digest):
        """Take notice of a candidate's digest; None if it is not known."""
        params = self._candidates[candidate]
        for name in self._varying:
            if name not in params or name in self._reaching:
                continue
            if digest is None:  # in doubt it does
                self._reaching.add(name)
                continue
            rest = {k: v for k, v in params.items() if k != name}
            key, value = _text(rest), _text(params[name])
            before = self._seen.setdefault(name, {}).setdefault(key, (value, digest))
            if before[0] != value:
                self._compared.add(name)
                if before[1] != digest:
                    self._reaching.add(name)

    def check(self):
        """Warn of parameters that change nothing.

        Raises:
            ValueError: If there is no other parameter that varies.
        """
        idle = [n for n in self._varying if n in self._compared - self._reaching]
        if not idle:
            return
        names = ", ".join(map(repr, idle))
        text = (
            f"`build` must make another model of another value of {names}: its models "
            "have the same weights, penalties, optimizer, loss and settings whatever "
            "the value is. A regularizer that is assigned to a built layer, as by "
            "layer.kernel_regularizer = …, does nothing: give it to the layer's "
            "constructor, or use keras_decay.regularize(model, rules)"
        )
        if len(idle) == len(self._varying):
            values = [_short(one[idle[0]]) for one in self._candidates[:2]]
            shown = " and ".join(f"{idle[0]}={value}" for value in values)
            raise ValueError(f"{text}. Received: equal models for {shown}")
        warnings.warn(f"{text}.", stacklevel=2)


def _text(value):
    if isinstance(value, dict):
        return str(sorted((k, _text(v)) for k, v in value.items()))
    return f"{type(value).__name__} {value!r}"


def _short(value):
    text = repr(value)
    return text if len(text) < 60 else text[:57] + "…"
