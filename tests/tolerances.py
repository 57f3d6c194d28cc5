"""Tolerances of tests on embeddings and their scores, derived from the arithmetic: they hold on every processor.

VGG16 runs in float32 or bfloat16 (``index.posters.vgg16``), and vectors are stored in float16.

- float32: another order of summation (BLAS, threads, instruction set) changes a number of a unit vector by less than
  1e-6, and a score by less than 1e-5.
- bfloat16 has 8 significant bits. Rounding changes a number by at most 2^-8 of itself, and in root mean square by
  2^-8 sqrt(.541 / 3) = .00166 (.541 is the mean of 1/m^2 for a mantissa m of 1 to 2, distributed as Benford's law says).
  Each of 13 convolutions rounds three times. Independent roundings add up to sqrt(39) * .00166 = .0104 of a vector's
  length, and to a cosine of 1 - .0104^2 / 2 = 1 - 5.4e-5. On 200 posters with ImageNet weights it is 1 - 4.4e-5 on
  average and 1 - 1.1e-4 at worst. Two images that differ by little have errors of their own, which add up to twice that.
- float16 has 11 significant bits. Rounding one of two unit vectors changes their score by at most 2^-11 = 4.9e-4, if all
  errors have one sign. On the same posters it is 5e-5 at most, and 1.4e-4 for those embedded in bfloat16, whose numbers
  repeat.
- A vector by another path is at a distance of sqrt(2 * 5.4e-5) = .0104, which bounds the change of every score. In 25,088
  dimensions most of it is orthogonal to other posters: on the same posters a score changes by 1.6e-4 in root mean square
  and by 1.2e-3 at most.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import pytest

from index.posters.vgg16 import AGREEMENT, has_bfloat16

Test = TypeVar("Test", bound=Callable[..., None])

FLOAT16 = 2.0**-11  # relative error of a stored number
BFLOAT16_LOSS = 5.4e-5  # expected 1 - cosine between a picture's vectors in bfloat16 and float32
PATH_DISTANCE = (2 * (1 - AGREEMENT)) ** 0.5  # between a picture's vectors by two paths that agree
WITHOUT_LOSSES = 5e-3  # 1 - score of a drawn picture with its JPEG, by standardised vectors; 6e-4 was seen
# A processor without instructions for bfloat16 runs it, slowly.
BFLOAT16 = pytest.param("bfloat16", marks=() if has_bfloat16() else pytest.mark.long)

SAME_PICTURE = 5e-4  # 1 - score of a picture with a stored copy, by any paths: it is shown as 1.000


def long_if_emulated(test: Test) -> Test:
    """Mark a test of bfloat16 as long on processors that do not have it."""
    return test if has_bfloat16() else pytest.mark.long(test)
