"""The exact top-k of score rows, in numpy: the kernel under every full-catalogue list.

Order: higher score first, equal scores by smaller item index, so a list never depends on how a
library happens to partition ties. A score of −inf is a masked item and is never returned. NaN is
an error: it comes from a diverged model, and any place given to it would be wrong.

Score and item are packed into one int64 key (all keys of a row differ), so that plain partition
and sort are exact about ties, at the boundary of the list too.
"""

import numpy as np
from numpy.typing import NDArray

from tastemill.errors import DataError

FloatArray = NDArray[np.float32]
IntArray = NDArray[np.int32]
KeyArray = NDArray[np.int64]

NO_ITEM = -1
_NO_KEY = np.iinfo(np.int64).max
_GROUP_SIZES = (16, 8, 4)
_GROUPS_PER_ITEM = 4  # with fewer than 4 k groups the bound lets too many candidates through


def top_k(scores: FloatArray, k: int) -> tuple[IntArray, FloatArray]:
    """The k best items of each row, best first.

    Args:
        scores: `(n, m)` float32, one row per user, −inf for masked items. Not changed.
        k: the length of a list, at least 1.

    Returns:
        items `(n, k)` int32 and scores `(n, k)` float32; a row with fewer than k unmasked items
        ends in item −1 with score −inf.

    Raises:
        DataError: a score is NaN.
    """
    _check(scores, k)
    size = _group_size(scores.shape[1], k)
    keys = _keys_of_all(scores) if size == 1 else _keys_above_bound(scores, k, size)
    if keys.shape[1] > k:
        keys = np.partition(keys, k - 1, axis=1)[:, :k]
    keys.sort(axis=1)
    return _unpacked(keys, k)


def _check(scores: FloatArray, k: int) -> None:
    if scores.ndim != 2 or scores.dtype != np.float32:
        found = f"shape {scores.shape}, {scores.dtype}"
        raise DataError("bad scores", expected="a float32 array (users, items)", found=found)
    if k < 1:
        raise DataError("bad list length", expected="k of at least 1", found=str(k))


def _group_size(num_items: int, k: int) -> int:
    """The largest group that leaves enough groups for a tight bound; 1 in small catalogues."""
    enough = _GROUPS_PER_ITEM * k
    # At least `size` groups: the items left over join one group each.
    fits = (size for size in _GROUP_SIZES if num_items // size >= max(enough, size))
    return next(fits, 1)


def _keys_of_all(scores: FloatArray) -> KeyArray:
    """`(n, m)` keys of every item: small catalogues."""
    _refuse_nan(scores)
    return _packed(scores, np.arange(scores.shape[1], dtype=np.int64))


def _keys_above_bound(scores: FloatArray, k: int, size: int) -> KeyArray:
    """`(n, c)` keys of the items that can be among the k best, padded with `_NO_KEY`."""
    n, m = scores.shape
    maxima = _group_maxima(scores, size)
    _refuse_nan(maxima)  # a maximum over a NaN is NaN: none escapes
    # k groups hold an item as good as the k-th largest maximum: no item below that is needed.
    bound = np.partition(maxima, maxima.shape[1] - k, axis=1)[:, -k]
    np.maximum(bound, np.finfo(np.float32).min, out=bound)  # lets no masked item through
    rows, items = np.divmod(np.flatnonzero(scores >= bound[:, None]), m)
    counts = np.bincount(rows, minlength=n)
    columns = np.arange(rows.size) - (np.cumsum(counts) - counts)[rows]
    keys = np.full((n, int(counts.max(initial=0))), _NO_KEY, dtype=np.int64)
    keys[rows, columns] = _packed(scores[rows, items], items)
    return keys


def _group_maxima(scores: FloatArray, size: int) -> FloatArray:
    """`(n, g)` maxima of groups of every g-th item: whole rows at a time, no gathering."""
    n, m = scores.shape
    groups = m // size
    maxima: FloatArray = scores[:, : groups * size].reshape(n, size, groups).max(axis=1)
    rest = m - groups * size
    np.maximum(maxima[:, :rest], scores[:, groups * size :], out=maxima[:, :rest])
    return maxima


def _refuse_nan(scores: FloatArray) -> None:
    if np.isnan(scores).any():
        rows = int(np.isnan(scores).any(axis=1).sum())
        raise DataError("scores hold NaN", expected="finite scores", found=f"NaN in {rows} rows")


def _packed(scores: FloatArray, items: NDArray[np.int64]) -> KeyArray:
    """Keys that ascend from the best item: the score's rank above, the item index below."""
    bits = (scores + np.float32(0)).view(np.int32)  # −0.0 becomes 0.0: the two are equal scores
    ascending = bits ^ ((bits >> 31) & np.int32(0x7FFFFFFF))  # IEEE 754 order as integer order
    return (~ascending).astype(np.int64) << 32 | items


def _unpacked(keys: KeyArray, k: int) -> tuple[IntArray, FloatArray]:
    """Items and scores `(n, k)` of sorted keys, padded where a row has fewer."""
    n, width = keys.shape
    items = np.full((n, k), NO_ITEM, dtype=np.int32)
    scores = np.full((n, k), -np.inf, dtype=np.float32)
    ascending = (~(keys >> 32)).astype(np.int32)
    bits = ascending ^ ((ascending >> 31) & np.int32(0x7FFFFFFF))
    scores[:, :width] = np.where(keys == _NO_KEY, -np.inf, bits.view(np.float32))
    items[:, :width] = np.where(np.isneginf(scores[:, :width]), NO_ITEM, keys & 0xFFFFFFFF)
    return items, scores
