"""Names for numpy arrays by dtype, positions in runs of them, and dataclasses of arrays as folders of files."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

AnyFloatArray = npt.NDArray[np.floating]
AnyIntArray = npt.NDArray[np.integer]
BoolArray = npt.NDArray[np.bool_]
Float16Array = npt.NDArray[np.float16]
Float32Array = npt.NDArray[np.float32]
Float64Array = npt.NDArray[np.float64]
Int16Array = npt.NDArray[np.int16]
Int32Array = npt.NDArray[np.int32]
Int64Array = npt.NDArray[np.int64]
UInt8Array = npt.NDArray[np.uint8]
UInt64Array = npt.NDArray[np.uint64]

Arrays = TypeVar("Arrays", bound="DataclassInstance")


def runs(begins: Int64Array, counts: Int64Array) -> tuple[Int64Array, Int64Array]:
    """Return the positions in several runs (m,) that begin there, and the start of each run among these (m,)."""
    starts = np.cumsum(counts) - counts
    return np.repeat(begins - starts, counts) + np.arange(counts.sum()), starts


def save_arrays(arrays: DataclassInstance, folder: Path) -> None:
    """Write every field of a dataclass of arrays to ``<folder>/<field>.npy``; create the folder."""
    folder.mkdir(parents=True)
    for field in fields(arrays):
        np.save(folder / f"{field.name}.npy", getattr(arrays, field.name))


def load_arrays(kind: type[Arrays], folder: Path) -> Arrays:
    """Return a dataclass of the arrays that ``save_arrays`` wrote, memory-mapped and read-only."""
    # As plain arrays: a slice of a np.memmap is another one, which takes ten times as long to make.
    return kind(*(np.asarray(np.load(folder / f"{field.name}.npy", mmap_mode="r")) for field in fields(kind)))
