"""Embedding speed against Keras' model.predict, one poster at a time and in batches; time by step; peak memory."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import click
import numpy as np
from PIL import Image

from index.posters import vgg16
from index.posters.images import decode_image, pixels_for_vgg16, read_image
from indexer.spaces.embed import Cache

BATCH = 32  # default of model.predict
RUNS = 12


@click.command()
@click.option("--memory", type=int, multiple=True, metavar="N", help="Also embed N posters, and print the peak memory.")
@click.option("--memory-only", is_flag=True, help="Do not measure speed.")
def main(memory: tuple[int, ...], memory_only: bool) -> None:
    """Measure speed and memory."""
    if not memory_only:
        measure_speed()
    for n in memory:
        measure_memory(n)


def measure_speed() -> None:
    """Print times of our embedding and of ``predict``, measured in turn."""
    embed = vgg16.load("untrained")
    from keras.applications import vgg16 as keras_vgg16

    model = keras_vgg16.VGG16(include_top=False, weights=None, input_shape=(224, 224, 3))
    pixels = np.random.default_rng(0).integers(0, 256, (BATCH, 224, 224, 3), dtype=np.uint8)

    def predict(batch: np.ndarray) -> object:
        return model.predict(keras_vgg16.preprocess_input(batch.astype(np.float32)), verbose=0, batch_size=BATCH)

    print(f"path: {embed.path}, cosine to float32 at least {embed.agreement:.6f}")
    calls: dict[str, tuple[Callable[[], object], int]] = {
        "ours, one at a time": (lambda: embed(pixels[:1]), 1),
        "ours, two at a time": (lambda: embed(pixels[:2]), 2),
        "predict, one at a time": (lambda: predict(pixels[:1]), 1),
        f"predict, in batches of {BATCH}": (lambda: predict(pixels), BATCH),
    }
    times: dict[str, list[float]] = {name: [] for name in calls}
    for call, _ in calls.values():
        call()  # the first call compiles
    for _ in range(RUNS):
        for name, (call, size) in calls.items():
            times[name].append(seconds(call) / size)
    medians = {name: median(each) for name, each in times.items()}
    best = min(medians["ours, one at a time"], medians["ours, two at a time"])
    for name, time_per_poster in medians.items():
        ratio = time_per_poster / best
        print(f"{name}: {1000 * time_per_poster:.0f} ms a poster; our best is {ratio:.2f} times as fast")
    profile(embed)


def profile(embed: vgg16.Vgg16, n: int = 50) -> None:
    """Print the time of every step of embedding."""
    with tempfile.TemporaryDirectory() as folder:
        files = draw_posters(Path(folder), n)
        cache = Cache(Path(folder), embed.sha256, embed.path)
        spent = dict.fromkeys(("read, hash", "decode, resize", "network", "round, save"), 0.0)
        for file in files:
            ends = [time.perf_counter()]
            content = read_image(file)
            digest = hashlib.sha256(content).hexdigest()
            ends.append(time.perf_counter())
            pixels = pixels_for_vgg16(decode_image(content))
            ends.append(time.perf_counter())
            (vector,) = embed(pixels[None])
            ends.append(time.perf_counter())
            cache.put(digest, vector)
            ends.append(time.perf_counter())
            for name, part in zip(spent, np.diff(ends), strict=True):
                spent[name] += float(part)
        whole = sum(spent.values())
        print(f"of {1000 * whole / n:.0f} ms a poster, steps in sequence (in a build, decoding overlaps):")
        for name, seconds in spent.items():
            print(f"  {name}: {1000 * seconds / n:.1f} ms, {seconds / whole:.1%}")


def measure_memory(n: int) -> None:
    """Print the peak memory of a process that embeds ``n`` posters and writes their rows."""
    with tempfile.TemporaryDirectory() as folder:
        draw_posters(Path(folder) / "posters", n)
        begin = time.perf_counter()
        kilobytes = subprocess.run(
            [sys.executable, "-c", EMBED, folder], check=True, capture_output=True, text=True
        ).stdout
        print(f"{n} posters: peak {int(kilobytes) / 1000:.0f} MB, {time.perf_counter() - begin:.0f} s")


EMBED = """
import re, sys
from pathlib import Path
import numpy as np
from index.posters import vgg16
from indexer.spaces.embed import embed_posters
from indexer.spaces.poster_files import find_posters
from indexer.spaces.two_stage import write_rows

folder = Path(sys.argv[1])
files, _ = find_posters(folder / "posters", None)
embeddings = embed_posters(files, vgg16.load("untrained"), folder / "cache")
write_rows(folder / "rows.faiss", embeddings.blocks())
# Not getrusage: a process inherits its peak from its parent.
print(re.search(r"VmHWM:\\s+([0-9]+) kB", Path("/proc/self/status").read_text())[1])
"""


def draw_posters(folder: Path, n: int) -> list[Path]:
    """Write ``n`` different JPEG files of the size of posters."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    files = []
    for number in range(1, n + 1):
        coarse = Image.fromarray(rng.integers(0, 256, (12, 8, 3), dtype=np.uint8))
        files.append(folder / f"{number}.jpg")
        coarse.resize((400, 600), Image.Resampling.BICUBIC).save(files[-1], quality=88)
    return files


def seconds(call: Callable[[], object]) -> float:
    """Return the time of one call."""
    begin = time.perf_counter()
    call()
    return time.perf_counter() - begin


if __name__ == "__main__":
    main()
