"""Tests of all packages. What stands here runs before NumPy or Faiss is loaded, which look once and never again."""

import os

# The data of tests is tiny: OpenMP's threads would mostly wait for each other, spinning, and a build of the film world
# would take twenty times as long. Where our own code asks Faiss for threads it still gets them.
os.environ.setdefault("OMP_NUM_THREADS", "1")
