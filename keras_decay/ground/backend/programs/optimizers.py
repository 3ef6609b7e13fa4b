"""Optimizers that change variables by `keras.Variable` alone, not by native tensors."""


def pure_class(cls, native, base):
    """A subclass of `cls` without the overrides of `base` by its parent `native`.

    Args:
        cls: The class of an optimizer.
        native: Keras' parent of all optimizers on this backend.
        base: The class on all backends, from which `native` derives.
    """
    taken_back = {
        name: vars(base)[name]
        for name in vars(native)
        if name in vars(base) and not name.startswith("__")
    }
    # It stands just before `native` among the parents. So overrides of `cls`, and of
    # Keras' own class of the optimizer, stay in effect.
    pure = type("Pure", (native,), taken_back)
    return type(cls.__name__, (cls, pure), {})
