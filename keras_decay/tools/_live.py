"""The audit of a model in memory, step by step."""

import contextlib
import math
from typing import Any

import keras

from keras_decay.models import RuleMatchesNothing, layers_of, parts_of, unique
from keras_decay.tools._findings import findings_on
from keras_decay.tools._keras_view import variables_of
from keras_decay.tools._plan import step_to_audit
from keras_decay.tools._probe import is_distributed, measure
from keras_decay.tools._promise import number
from keras_decay.tools._rate import Rate
from keras_decay.tools._report import Audit
from keras_decay.tools._rows import subject_of
from keras_decay.tools._wrapper_view import check_rules, takes_initial, view_of
from keras_decay.tools._xla import xla_text


def audit_live(model, plan):
    """The `Audit` of a model that is built; see `keras_decay.audit`."""
    optimizer = model.optimizer if getattr(model, "compiled", False) else None
    problem = build(optimizer, model)
    trainable = unique(model.trainable_variables)
    ids = {id(variable) for variable in trainable}
    views = []
    owners: dict[int, Any] = {}  # by the variable's id, as are the next two
    promises: dict[int, Any] = {}
    measurements: dict[int, Any] = {}
    steps, rates = {}, {}  # by the view's id
    if optimizer is not None and problem is None:
        for part in parts_of(optimizer):
            view = view_of(part)
            known = {id(v) for v in variables_of(part)} & ids
            mine = [v for v in trainable if id(v) in known]
            views.append((view, mine))
            owners.update((id(v), view) for v in mine)
    unusable = [view.unusable() for view, _ in views if view.unusable()]
    if unusable:
        problem = about_schedule(unusable[0])
        views, owners = [], {}
    totals: dict[Any, Any] = {}  # by the promise's key, since many variables share one
    for view, variables in views:
        rate = rates[id(view)] = Rate(view.schedule, view.micro_steps)
        steps[id(view)] = look(view, rate, plan)
        rate.prepare(plan.points(view.micro_steps))
        promises.update((id(v), view.promise(v, rate)) for v in variables)
        for promise in filter(None, (promises[id(v)] for v in variables)):
            if promise.key not in totals:
                totals[promise.key] = plan.total(promise, view.micro_steps)
    if any(owners):
        probed = [(v, [x for x in vs if not is_overwritten(x)]) for v, vs in views]
        measurements = measure(model, probed, promises, steps)
    subjects = []
    for variable in unique(model.weights):
        view = owners.get(id(variable))
        promise = promises.get(id(variable))
        subjects.append(
            subject_of(
                variable,
                view,
                promise,
                measurements.get(id(variable)),
                plan,
                steps.get(id(view), 0),
                totals[promise.key] if promise else None,
                id(variable) in ids,
            )
        )
    findings = findings_on(model, subjects, [view for view, _ in views], plan, problem)
    return Audit(
        [subject.row for subject in subjects],
        findings,
        header_of(model, optimizer, views, steps, rates, plan),
    )


def build(optimizer, model):
    """Build the optimizer as `fit` would.

    Returns:
        (code, sentence, remedy) if that fails for a rule, else None.
    """
    if optimizer is None:
        return None
    if optimizer.built:
        return _rule_that_matches_nothing(lambda: None, optimizer)
    unbuilt = [layer.name for layer in layers_of(model) if not layer.built]
    if unbuilt:
        # The optimizer would never know of the variables that are still to come.
        raise ValueError(
            "`model` must be built throughout before its optimizer can be, but the "
            f"layers {', '.join(unbuilt[:5])} are not. Call the model on one batch "
            "first; or, if they are never used, call "
            "`model.optimizer.build(model.trainable_variables)`. "
            f"Received: model={model.name}"
        )
    if any(takes_initial(part) for part in parts_of(optimizer)):
        # Building is not ours to do: training may start from other weights.
        return (
            "starts-from-the-weights",
            "The optimizer is not built, and its decay is to remember the weights that "
            "it is built on, so nothing was probed.",
            "When the model has the weights to start from, call "
            "`model.optimizer.build(model.trainable_variables)`, and audit again.",
        )
    scope = contextlib.nullcontext()
    if is_distributed(model):
        scope = model.distribute_strategy.scope()
    with scope:
        return _rule_that_matches_nothing(
            lambda: optimizer.build(model.trainable_variables), optimizer
        )


def _rule_that_matches_nothing(build, optimizer):
    try:
        build()
        for part in parts_of(optimizer):
            check_rules(part)
    except RuleMatchesNothing as error:
        return (
            "rule-matches-nothing",
            f"{error.sentence}.",
            "Correct the pattern; it is searched for in the variables' paths.",
        )
    return None


def about_schedule(setting):
    """(code, sentence, remedy) for a schedule in the place of Keras' weight_decay."""
    return (
        "decay-is-no-number",
        f"The optimizer was given {setting}, which Keras' optimizers accept and then "
        "fail on at the first step.",
        "Wrap the optimizer without its decay: kd.DecoupledWeightDecay(optimizer, "
        "weight_decay=schedule) takes schedules.",
    )


def look(view, rate, plan):
    """The step to look at, of an optimizer with this `Rate`."""
    now = int(number(view.inner.iterations))
    return step_to_audit(rate, now, plan.steps(view.micro_steps))


def is_overwritten(variable):
    """Whether optimizers put the "gradient" in its place: scales of float8."""
    return getattr(variable, "overwrite_with_gradient", False)


def header_of(model, optimizer, views, steps, rates, plan):
    """The facts that hold for the whole model, by name."""
    header = {"model": model.name, "backend": keras.backend.backend()}
    if optimizer is None:
        header["optimizer"] = "none: the model is not compiled"
    else:
        outer = type(optimizer).__name__
        names = ", ".join(view.name for view, _ in views) or outer
        header["optimizer"] = names if names in (outer, "") else f"{outer}: {names}"
        if len(views) == 1 and views[0][0].name.startswith(outer):
            header["optimizer"] = views[0][0].name
        header["learning rate"] = ", ".join(
            f"{rates[id(view)](steps[id(view)]):.4g} at step {steps[id(view)]}"
            for view, _ in views
        )
        baked = [v.name for v, _ in views if v.decays() and v.bakes_strength]
        if baked:
            header["changing λ"] = (
                f"{', '.join(baked)} reads it once, when the training step is "
                "compiled: compile the model anew after setting it"
            )
        xla = xla_text(model, [view for view, _ in views])
        if xla is not None:
            header["update compiled by XLA"] = xla
    if plan.steps_per_epoch is not None:
        header["plan"] = f"{plan.steps_per_epoch} batches per epoch" + (
            f", {plan.epochs} epochs" if plan.epochs else ""
        )
    return {k: v for k, v in header.items() if not is_empty(v)}


def is_empty(value):
    return value == "" or (isinstance(value, float) and math.isnan(value))
