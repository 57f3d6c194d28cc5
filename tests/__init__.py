"""Tests of all packages. This module runs before NumPy or Faiss is loaded: both read the environment once."""

import os

# The data of tests is tiny: OpenMP's threads would mostly wait for each other, spinning, and a build of the film world
# would take twenty times as long. Where our own code asks Faiss for threads it still gets them.
os.environ.setdefault("OMP_NUM_THREADS", "1")
