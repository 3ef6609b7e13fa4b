"""Which decay acts on which variable: the default, the rules and their match."""

import copy
from typing import Any

from keras_decay.models import RuleMatchesNothing, decays_by_default, matches
from keras_decay.optimizers.forms import PLAIN
from keras_decay.optimizers.rules.decay import decay_of, prox_penalty
from keras_decay.optimizers.rules.match import changes, is_about
from keras_decay.optimizers.rules.rule import DEFAULT, RateOfConstrained
from keras_decay.optimizers.rules.rules import parse_rules


class DecayPlan:
    """The decays of an optimizer and, once matched, the variables that they act on.

    Paths do not survive saving: Keras renames the layers of many models when it loads
    them. So the outcome of matching is saved with the optimizer's state. After loading
    it decides, provided that the file is about the same variables.

    `problem` is the error about a rule that matches nothing, or None.
    """

    def __init__(self, default, rules):
        self.default = default
        self.rules = rules
        self.outcome: list[dict[str, Any]] | None = None
        self.problem: RuleMatchesNothing | None = None
        self._constrained: list[int] = []
        # The match in a config of version 0.1, and why it does not fit the variables.
        self.of_0_1: list[dict[str, Any]] | None = None
        self.obstacle_of_0_1: str | None = None

    @property
    def patterns(self):
        """The patterns of the rules, in order."""
        return [rule.pattern for rule in self.rules]

    @property
    def decays(self):
        """Every decay, the default first."""
        return [decay for _, decay in self.named_decays()]

    def named_decays(self):
        """The pairs (name of the argument, decay)."""
        pairs = [("weight_decay", self.default)]
        for i, rule in enumerate(self.rules):
            argument = f"rules[{i}]" + ("[1]" if rule.rule is None else ".strength")
            pairs.append((argument, rule.decay))
        return [(name, decay) for name, decay in pairs if decay is not None]

    @property
    def strengths(self):
        """The λ of every decay that has one, each once."""
        found = [d.strength for d in self.decays if d.strength is not None]
        return list({id(strength): strength for strength in found}.values())

    @property
    def strength_variables(self):
        """The variables that hold the λ of a decay."""
        return [s.source for s in self.strengths if s.is_variable]

    @property
    def has_fixed_strengths(self):
        """Whether every λ is in a variable, so that no Python code runs at a step."""
        return all(strength.is_variable for strength in self.strengths)

    def named_rates(self):
        """The pairs (name of the argument, factor on the learning rate)."""
        return [
            (f"rules[{i}].learning_rate", rule.rule.learning_rate)
            for i, rule in enumerate(self.rules)
            if rule.rule is not None
        ]

    def named_forms(self):
        """The pairs (name of the argument, form) of the forms that the user gave."""
        pairs = [(name, decay.form) for name, decay in self.named_decays()]
        return [(n, form) for n, form in pairs if form not in (None, PLAIN)]

    @property
    def origins(self):
        """The `Origin`s of what the forms remember."""
        return {form.origin for _, form in self.named_forms()}

    def strengths_by_role(self):
        """The variables that hold strengths, by the argument that gave them."""
        roles = {"default": self.default}
        roles |= {f"rule_{i}": rule.own_decay for i, rule in enumerate(self.rules)}
        found = {}
        for role, decay in roles.items():
            if decay is None:
                continue
            if decay.strength is not None and decay.strength.is_variable:
                found[role] = decay.strength.source
            if decay.penalty is not None:
                for index, variable in enumerate(decay.penalty.variables):
                    found[f"{role}_penalty_{index}"] = variable
        return found

    @property
    def penalty_variables(self):
        """The variables that penalties hold as strengths, each once."""
        variables = [
            variable
            for decay in self.decays
            if decay.penalty is not None
            for variable in decay.penalty.variables
        ]
        return list({id(variable): variable for variable in variables}.values())

    def match(self, variables, decided=None):
        """Decide for each variable by its path, or as a config of version 0.1 says.

        Args:
            variables: The variables.
            decided: Entries of `outcome` that are kept, by a variable's index.
        """
        paths = [variable_path(variable) for variable in variables]
        shapes = [[int(size) for size in variable.shape] for variable in variables]
        decided = decided or {}
        rules = {index: entry["rule"] for index, entry in decided.items()}
        chosen, self.problem = matches(self.patterns, paths, rules)
        self._constrained = [
            index
            for index, variable in enumerate(variables)
            if getattr(variable, "constraint", None) is not None
        ]
        self.outcome = [
            self._entry(path, shape, rule)
            for path, shape, rule in zip(paths, shapes, chosen, strict=True)
        ]
        for index, entry in decided.items():
            _take_over(self.outcome[index], entry)
        if self.of_0_1 is not None:
            if is_about(self.of_0_1, self.outcome):
                self.decide(self.of_0_1)
            else:
                self.obstacle_of_0_1 = changes(self.of_0_1, self.outcome)
            self.of_0_1 = None

    def check(self):
        """Raise the error about a rule that matches nothing, or that cannot act."""
        if self.problem is not None:
            # A new one: what is raised keeps the frames that it went through alive.
            raise copy.copy(self.problem)
        for index in self._constrained:
            decay = self.decay_of(index)
            if decay is not None and decay.rate_factor != 1:
                entry = (self.outcome or [])[index]
                raise RateOfConstrained(entry["rule"], decay.rate_factor, entry["path"])

    def decide(self, entries):
        """Take over the rules of a saved match of these variables.

        Returns:
            The numbers of the variables that are now decided otherwise.
        """
        self.problem = None
        changed = []
        pairs = zip(entries, self.outcome or (), strict=True)
        for index, (saved, entry) in enumerate(pairs):
            before = self.decay_of(index)
            _take_over(entry, saved)
            if self.decay_of(index) != before:
                changed.append(index)
        return changed

    def deviations(self):
        """The numbers of the variables that are decided otherwise than by their paths.

        A path is meant here as it was when the rules were matched, since Keras renames
        layers on loading.
        """
        entries = self.outcome or []
        paths = [_path_when_matched(entry) for entry in entries]
        chosen, _ = matches(self.patterns, paths)
        return [
            index
            for index, (entry, path, rule) in enumerate(
                zip(entries, paths, chosen, strict=True)
            )
            if _decision(entry) != _decision(self._entry(path, entry["shape"], rule))
        ]

    def _entry(self, path, shape, rule):
        """What is decided for one variable, fit for JSON."""
        decays = decays_by_default(path, len(shape))
        entry = {"path": path, "shape": shape, "rule": rule}
        if rule is None:
            entry["rule"] = DEFAULT if self.default is not None and decays else None
        elif rule != DEFAULT and self.rules[rule].is_default:
            entry["decays"] = decays
        return entry

    def decay_of(self, index):
        """The decay of the variable at `index`, or None if it is spared."""
        if self.outcome is None:
            raise RuntimeError("The plan is not matched to variables yet.")
        entry = self.outcome[index]
        if entry["rule"] is None:
            return None
        if entry["rule"] == DEFAULT:
            return self.default
        rule = self.rules[entry["rule"]]
        return rule.decay if entry.get("decays", True) else rule.spared


def _path_when_matched(entry):
    return entry.get("matched as", entry["path"])


def _decision(entry):
    return entry["rule"], entry.get("decays")


def _take_over(entry, saved):
    """Decide for a variable as another match of it has."""
    entry.pop("decays", None)
    entry |= {key: saved[key] for key in ("rule", "decays") if key in saved}
    entry["matched as"] = _path_when_matched(saved)


def variable_path(variable):
    """The variable's path; native TensorFlow variables have only a name."""
    return getattr(variable, "path", None) or variable.name


def make_plan(weight_decay, penalty, rules, coupling):
    """The `DecayPlan` of the user's arguments, checked; see `DecoupledWeightDecay`."""
    if weight_decay is None and penalty is None and not rules:
        raise ValueError(
            "One of `weight_decay`, `penalty` and `rules` must be given. Received: "
            f"weight_decay={weight_decay!r}, penalty={penalty!r}, rules={rules!r}"
        )
    default = None
    if penalty is not None:
        penalty = prox_penalty("penalty", penalty)
    if weight_decay is not None or penalty is not None:
        default = decay_of("weight_decay", weight_decay, penalty, coupling)
    return DecayPlan(default, parse_rules(rules, coupling, default))
