"""What a compiled training loop over many models needs of a backend.

One file per backend, all with the same names:

- `COMPILES`: whether `compiled` compiles, which takes time once and saves time in every
  call.
- `ACCUMULATES`: whether models that accumulate gradients can be trained at once.
- `compiled(function)`: compiled by XLA, one program for each shape of its arguments;
  where nothing compiles, the function as it is.
- `vectorized(function)`: `function` applied to each entry of stacked arguments at once.
- `repeat(count, body, carry)`: `carry = body(i, carry)` for i = 0, …, count − 1, where
  count may be a tensor.
- `choose(index, branches, carry)`: `branches[index - 1](carry)`; for index 0, `carry`.
- `value_and_gradients(function, values)`: `function(values)` gives (a scalar, others);
  with them, the scalar's gradient for each of the values, zero where there is none.
- `obstacle(model)`: why models like this cannot be trained at once here; None if they
  can.
- `make_pure(model)`: replace what layers do that cannot be stacked.
- `as_pure(optimizer)`: the optimizer, not built, such that it updates variables within
  a `keras.StatelessScope`.
- `concurrency()`: how many programs are best run at once, each in a thread.
- `width(weights)`: for how many models, of so many weights each, a program is best run
  on a processor.
- `free_memory()`: the bytes that an accelerator has left; None on a processor.
- `set_within(stack, index, value)`: `stack` with `value` at `[:, index]`.
- `precision()`, `set_precision(value)`: the backend's setting of the precision.
"""

from importlib import import_module

import keras


def current():
    """The module of the backend that Keras runs on."""
    return import_module(f"{__name__}.{keras.backend.backend()}")
