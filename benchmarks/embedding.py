"""Posters a second, against Keras' model.predict one at a time and in batches; where the time goes; peak memory."""

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

BATCH = 32  # of model.predict, its default
RUNS = 12


@click.command()
@click.option("--memory", type=int, multiple=True, metavar="N", help="Also embed N posters, and show the peak memory.")
@click.option("--memory-only", is_flag=True, help="Measure no speed.")
def main(memory: tuple[int, ...], memory_only: bool) -> None:
    """Measure both, in turn."""
    if not memory_only:
        speed()
    for n in memory:
        peak(n)


def speed() -> None:
    """Our embedding beside ``predict``, and where its time goes."""
    embed = vgg16.load("untrained")
    from keras.applications import vgg16 as keras_vgg16

    model = keras_vgg16.VGG16(include_top=False, weights=None, input_shape=(224, 224, 3))
    pixels = np.random.default_rng(0).integers(0, 256, (BATCH, 224, 224, 3), dtype=np.uint8)

    def predict(batch: np.ndarray) -> object:
        return model.predict(keras_vgg16.preprocess_input(batch.astype(np.float32)), verbose=0, batch_size=BATCH)

    print(f"path: {embed.path}, cosine to float32 at least {embed.agreement:.6f}")
    ways: dict[str, tuple[Callable[[], object], int]] = {
        "ours, one at a time": (lambda: embed(pixels[:1]), 1),
        "ours, two at a time": (lambda: embed(pixels[:2]), 2),
        "predict, one at a time": (lambda: predict(pixels[:1]), 1),
        f"predict, in batches of {BATCH}": (lambda: predict(pixels), BATCH),
    }
    times: dict[str, list[float]] = {name: [] for name in ways}
    for run, _ in ways.values():
        run()  # the first call compiles
    for _ in range(RUNS):
        for name, (run, size) in ways.items():
            times[name].append(seconds(run) / size)
    middle = {name: median(each) for name, each in times.items()}
    best = min(middle["ours, one at a time"], middle["ours, two at a time"])
    for name, each in middle.items():
        print(f"{name}: {1000 * each:.0f} ms a poster; the best of ours is {each / best:.2f} times as fast")
    profile(embed)


def profile(embed: vgg16.Vgg16, n: int = 50) -> None:
    """Where the time of a poster goes."""
    with tempfile.TemporaryDirectory() as folder:
        files = draw(Path(folder), n)
        cache = Cache(Path(folder), embed.sha256, embed.path)
        spent = dict.fromkeys(("read, hash", "decode, resize", "network", "round, keep"), 0.0)
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
        print(f"of {1000 * whole / n:.0f} ms a poster, one step after the other (in a build the decoding overlaps):")
        for name, part in spent.items():
            print(f"  {name}: {1000 * part / n:.1f} ms, {part / whole:.1%}")


def peak(n: int) -> None:
    """The peak memory of embedding ``n`` posters and writing their space, in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        draw(Path(folder) / "posters", n)
        begin = time.perf_counter()
        kilobytes = subprocess.run(
            [sys.executable, "-c", BUILT, folder], check=True, capture_output=True, text=True
        ).stdout
        print(f"{n} posters: peak {int(kilobytes) / 1000:.0f} MB, {time.perf_counter() - begin:.0f} s")


BUILT = """
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
# Not of getrusage, whose peak a process inherits from the one that started it.
print(re.search(r"VmHWM:\\s+([0-9]+) kB", Path("/proc/self/status").read_text())[1])
"""


def draw(folder: Path, n: int) -> list[Path]:
    """``n`` JPEG files as large as posters are, all different."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    files = []
    for number in range(1, n + 1):
        coarse = Image.fromarray(rng.integers(0, 256, (12, 8, 3), dtype=np.uint8))
        files.append(folder / f"{number}.jpg")
        coarse.resize((400, 600), Image.Resampling.BICUBIC).save(files[-1], quality=88)
    return files


def seconds(run: Callable[[], object]) -> float:
    """How long one call takes."""
    begin = time.perf_counter()
    run()
    return time.perf_counter() - begin


if __name__ == "__main__":
    main()
