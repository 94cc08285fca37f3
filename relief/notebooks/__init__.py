"""Functions that people call in Python (docs/python.md)."""

import os

# As in cli.py: waiting threads of OpenMP spin, which takes the cores from those that work. It has
# an effect where torch is not loaded yet.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
