"""In the way of TensorFlow, as if it were not installed.

Where it is, Keras imports it on every backend to seed it, which is a third of the time
of a process that trains for a moment on another one.
"""

raise ImportError("This is for processes that do without TensorFlow.")
