"""Which variables the patterns of rules select by their paths."""

import re

from keras_decay.ground import validation


def pattern(name, value):
    """`value`, which must be a regular expression, or a clear error."""
    if not isinstance(value, str):
        raise TypeError(validation.received(name, value, "a regular expression"))
    try:
        re.compile(value)
    except re.error as error:
        raise ValueError(
            validation.received(name, value, "a regular expression", f"{error}.")
        ) from error
    return value


class RuleMatchesNothing(ValueError):
    """A pattern of `rules` decides for no variable. The message lists the paths.

    Args:
        sentence: The fault in one sentence, without its full stop.
        paths: The paths of the variables.
    """

    def __init__(self, sentence, paths):
        super().__init__(sentence, paths)  # the arguments again, so that it pickles
        self.sentence = sentence
        self.paths = paths

    def __str__(self):
        listing = "".join(f"\n  {path}" for path in self.paths)
        return f"{self.sentence}. The trainable variables are:{listing}"


def first_matches(patterns, paths):
    """For each path the index of the first pattern found in it, else None.

    Raises:
        RuleMatchesNothing: If a pattern decides for no path.
    """
    chosen, problem = matches(patterns, paths)
    if problem is not None:
        raise problem
    return chosen


def matches(patterns, paths, decided=None):
    """As `first_matches`, but return the error about a pattern instead of raising it.

    Args:
        patterns: The patterns.
        paths: The paths.
        decided: What decides, whatever the patterns say, by a path's index.

    Returns:
        The indices, and a `RuleMatchesNothing` or None.
    """
    # Compiled once: the cache of `re` is too small for a rule for every variable.
    compiled = [re.compile(expression) for expression in patterns]
    chosen = [
        next((i for i, p in enumerate(compiled) if p.search(path)), None)
        for path in paths
    ]
    for index, rule in (decided or {}).items():
        chosen[index] = rule
    used = set(chosen)
    for index, expression in enumerate(patterns):
        if index in used:
            continue
        if any(re.search(expression, path) for path in paths):
            problem = "matches only variables that earlier rules decide already"
        else:
            problem = "matches no variable"
        sentence = (
            f"`rules` must each match a trainable variable, but the pattern "
            f"{expression!r} {problem}"
        )
        return chosen, RuleMatchesNothing(sentence, list(paths))
    return chosen, None
