"""Arrow columns as numpy arrays and back, by their buffers: no Python list is ever made.

Through pandas lists the conversion costs more than the matrix product it feeds.
"""

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tastemill.errors import DataError


def as_array(column: pa.Array, name: str, *, gaps: bool = False) -> NDArray[Any]:
    """A column as `(n,)`, a list column as `(n, d)` float32 or int32.

    Null is NaN in floats and −1 in integers; a null list is a row of them, d = 1 when all are null.

    Args:
        column: numbers, or lists of numbers.
        name: stands in errors.
        gaps: a null within a list of floats is NaN, and no error.

    Raises:
        DataError: lists differ in length, or hold a null or NaN.
    """
    if not pa.types.is_list(column.type):
        return _numbers(column)
    values, lengths = list_parts(column)
    present = ~nulls(column)
    sizes = np.unique(lengths[present])
    if sizes.size > 1:
        found = f"lengths {sizes[0]} to {sizes[-1]}"
        raise DataError(f"ragged lists in {name}", expected="one length", found=found)
    if not gaps and np.issubdtype(values.dtype, np.floating) and np.isnan(values).any():
        raise DataError(f"null or NaN within the lists of {name}", expected="finite numbers")
    return _rows(values, present, int(sizes[0]) if sizes.size else 1)


def list_parts(column: pa.Array) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """The values of all lists end to end, and each list's length; a null list has length 0."""
    # flatten() respects the offset of a sliced array and leaves out what hides under a null.
    values = column.flatten().to_numpy(zero_copy_only=False)
    lengths = column.value_lengths().fill_null(0).to_numpy(zero_copy_only=False)
    return values, lengths.astype(np.int64)


def nulls(column: pa.Array) -> NDArray[np.bool_]:
    """`(n,)`, true where the column is null."""
    mask: NDArray[np.bool_] = column.is_null().to_numpy(zero_copy_only=False)
    return mask


def as_lists(values: NDArray[Any], keep: NDArray[np.bool_]) -> pa.Array:
    """A list column of n rows from `(n, k)` values, without those that `keep` rules out."""
    offsets = np.zeros(len(values) + 1, dtype=np.int32)
    np.cumsum(keep.sum(axis=1), out=offsets[1:])
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(values[keep]))


def _numbers(column: pa.Array) -> NDArray[Any]:
    if pa.types.is_floating(column.type):
        column = column.fill_null(float("nan"))
    elif pa.types.is_integer(column.type):
        column = column.fill_null(-1)
    array: NDArray[Any] = column.to_numpy(zero_copy_only=False)
    return array


def _rows(values: NDArray[Any], present: NDArray[np.bool_], width: int) -> NDArray[Any]:
    whole = np.issubdtype(values.dtype, np.integer)
    missing, dtype = (-1, np.int32) if whole else (np.nan, np.float32)
    rows: NDArray[Any] = np.full((present.size, width), missing, dtype=dtype)
    rows[present] = values.reshape(int(present.sum()), width)
    return rows
