"""Optimizers whose class bypasses `keras.Variable`, without that."""


def pure_class(cls, native, base):
    """A subclass of `cls` that takes back what its parent `native` overrides of `base`.

    Args:
        cls: The class of an optimizer.
        native: Keras' parent of all optimizers on this backend.
        base: The one on all backends, which `native` derives from.
    """
    taken_back = {
        name: vars(base)[name]
        for name in vars(native)
        if name in vars(base) and not name.startswith("__")
    }
    # Just before `native` among the parents: what `cls` or Keras' own class of the
    # optimizer overrides, perhaps with a call of `super()`, stays.
    pure = type("Pure", (native,), taken_back)
    return type(cls.__name__, (cls, pure), {})
