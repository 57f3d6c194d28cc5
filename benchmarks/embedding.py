"""Seconds a poster: our tf.function against Keras' model.predict, one at a time and in batches of 8."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median

import numpy as np

from index import vgg16


def main() -> None:
    """Measure both, in turn."""
    embed = vgg16.load("untrained")
    from keras.applications import vgg16 as keras_vgg16

    model = keras_vgg16.VGG16(include_top=False, weights=None, input_shape=(224, 224, 3))
    pixels = np.random.default_rng(0).integers(0, 256, (8, 224, 224, 3), dtype=np.uint8)

    def predict(batch: np.ndarray) -> object:
        return model.predict(keras_vgg16.preprocess_input(batch.astype(np.float32)), verbose=0)

    for size in (1, 8):
        batch = pixels[:size]
        ours, theirs = [], []
        for run in (embed, predict):
            run(batch)  # the first call compiles
        for _ in range(8):
            ours.append(seconds(embed, batch))
            theirs.append(seconds(predict, batch))
        a, b = median(ours) / size, median(theirs) / size
        print(f"batch of {size}: tf.function {1000 * a:.0f} ms a poster, predict {1000 * b:.0f} ms: {b / a:.1f} times")


def seconds(run: Callable[[np.ndarray], object], batch: np.ndarray) -> float:
    """How long one call takes."""
    begin = time.perf_counter()
    run(batch)
    return time.perf_counter() - begin


if __name__ == "__main__":
    main()
