"""What the config of a saved model says of decay, without any of it being loaded."""

from keras_decay.tools._finding import about
from keras_decay.tools._keras_view import ADAPTIVE, SETTINGS
from keras_decay.tools._references import references
from keras_decay.tools._remedies import KEEP_ONE, MOVE


def settings_in(config):
    """The optimizer and the penalties that a config speaks of, as text by name."""
    found = {}
    chain = optimizers_in(config)
    if chain:
        found["optimizer"] = " of ".join(text_of(o) for o in chain)
    penalties = penalties_in(config)
    if penalties:
        found["penalties"] = "; ".join(
            f"{layer}.{name}: {text_of(value)}" for layer, name, value in penalties
        )
    return found


def optimizers_in(config):
    """The serialised optimizer, and those inside it, the outermost first."""
    compiled = config.get("compile_config")
    optimizer = compiled.get("optimizer") if isinstance(compiled, dict) else None
    chain = []
    while isinstance(optimizer, dict) and "class_name" in optimizer:
        chain.append(optimizer)
        inside = optimizer.get("config")
        inside = inside if isinstance(inside, dict) else {}
        optimizer = inside.get("inner_optimizer", inside.get("optimizer"))
    return chain


def penalties_in(config):
    """(layer, argument, serialised regularizer) of all layers."""
    found = []
    for layer in references(config):
        inside = layer.get("config")
        if isinstance(inside, dict):
            for name, value in inside.items():
                if (
                    str(name).endswith("_regularizer")
                    and isinstance(value, dict)
                    and "class_name" in value
                ):
                    found.append((str(inside.get("name")), name, value))
    return sorted(found, key=lambda entry: entry[:2])


def text_of(reference):
    """A serialised object as `Class(setting=number)`."""
    inside = reference.get("config")
    inside = inside if isinstance(inside, dict) else {}
    kept = {
        name: value
        for name, value in inside.items()
        if isinstance(value, (int, float))
        and not isinstance(value, bool)
        and (
            name in (*SETTINGS, "learning_rate")
            or "regularizers" in str(reference.get("module"))
        )
    }
    settings = ", ".join(f"{name}={value:g}" for name, value in kept.items())
    return f"{reference['class_name']}({settings})"


def findings_on_config(config):
    """What can be said of L2 and decay from the config alone."""
    chain = optimizers_in(config)
    with_l2 = [
        f"{layer}.{name}"
        for layer, name, value in penalties_in(config)
        if isinstance(value.get("config"), dict) and value["config"].get("l2")
    ]
    settings = [o["config"] for o in chain if isinstance(o.get("config"), dict)]
    decays = any(s.get(name) for s in settings for name in SETTINGS)
    adaptive = [o["class_name"] for o in chain if o["class_name"] in ADAPTIVE]
    return [
        *about(
            "l2-and-decay",
            with_l2 if decays else [],
            "By the config, an L2 penalty is in the loss and the optimizer decays "
            "weights: both act.",
            KEEP_ONE,
        ),
        *about(
            "l2-under-adaptive",
            with_l2 if adaptive else [],
            "By the config, an L2 penalty is in the loss, under an optimizer that "
            "divides its gradient by the history of gradients.",
            MOVE,
        ),
    ]
