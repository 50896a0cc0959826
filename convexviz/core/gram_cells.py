"""Sums of x x' over the rows in E_i and E_j, for all pairs (i, j), by the cells of gate blocks.

Gates are taken in blocks. For a pair of blocks a row matters only through its bits in both: its
cell. One matrix product a cell, `X_cell' X_cell`, then serves all pairs of the two blocks, where
one product a pair would read each row once a pair (the method of four Russians; Arlazarov,
Dinic, Kronrod, Faradzev, On economical construction of the transitive closure of an oriented
graph, 1970). Rows whose bits are all zero in either block matter to no pair and are skipped.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
from jaxtyping import Bool, Float, Int16

from convexviz.core.compiled import compiled
from convexviz.core.types import Array

_BYTES_AT_A_TIME = 2**26  # of rows copied in the order of their cells, for each thread
_FLOPS_A_PRODUCT = 2**19  # small enough that BLAS neither splits it nor leaves the cache


@compiled
def _sort_by_cell(
    codes: Array, first: int, last: int, order: Array, ends: Array
) -> None:  # pragma: no cover - compiled
    """Rows `first` to `last` in the order of their cells; cell c ends before `ends[c]`."""
    ends[:] = 0
    for r in range(first, last):
        ends[codes[r] + 1] += 1
    for c in range(ends.shape[0] - 1):
        ends[c + 1] += ends[c]
    for r in range(first, last):
        c = codes[r]
        order[ends[c]] = r
        ends[c] += 1


@compiled
def _add_cell(  # noqa: PLR0913 - a compiled loop takes arrays, not objects
    rows: Array, members: Array, buffer: Array, product: Array, cell: int, by_bit: Array
) -> None:  # pragma: no cover - compiled
    """Add the sum of x x' over `members` to `by_bit[j]` for every bit j of the cell."""
    n_bits, d = by_bit.shape[:2]
    for start in range(0, members.shape[0], buffer.shape[0]):
        size = min(members.shape[0] - start, buffer.shape[0])
        for k in range(size):
            r = members[start + k]
            for t in range(d):
                buffer[k, t] = rows[r, t]
        np.dot(buffer[:size].T, buffer[:size], product)
        for j in range(n_bits):
            if cell >> j & 1:
                by_bit[j] += product


@compiled
def _add_pair_of_blocks(
    rows: Array, starts: Array, codes: Array, buffer: Array, out: Array
) -> None:  # pragma: no cover - compiled
    """Add to `out[i, j]` the sum of x x' over rows with bit i in block A and j in block B.

    `rows` are sorted by their cell in A, cell a at `starts[a]` to `starts[a + 1]`; `codes` are
    the cells in B of the same rows.
    """
    n_here, n_there, d = out.shape[:3]
    order = np.empty(rows.shape[0], np.int64)
    ends = np.empty((1 << n_there) + 1, np.int64)
    product = np.empty((d, d))
    by_bit = np.empty((n_there, d, d))
    for a in range(1, starts.shape[0] - 1):
        _sort_by_cell(codes, starts[a], starts[a + 1], order, ends)
        if ends[0] == starts[a + 1] - starts[a]:
            continue  # no bit of B is set in this cell of A
        by_bit[:] = 0.0
        for c in range(1, ends.shape[0] - 1):
            if ends[c] > ends[c - 1]:
                _add_cell(rows, order[ends[c - 1] : ends[c]], buffer, product, c, by_bit)
        for i in range(n_here):
            if a >> i & 1:
                out[i] += by_bit


@compiled
def _cell_codes(deviates: Array, width: int, codes: Array) -> None:  # pragma: no cover - compiled
    """`codes[b, r]` has bit k set where gate `b width + k` deviates at row r."""
    n, P = deviates.shape
    for r in range(n):
        for b in range(codes.shape[0]):
            code = np.int64(0)
            for k in range(min(width, P - b * width)):
                code |= np.int64(deviates[r, b * width + k]) << k
            codes[b, r] = code


def pair_sums(
    X: Float[np.ndarray, "n d"], deviates: Bool[np.ndarray, "n P"], *, threads: int
) -> Float[np.ndarray, "P d P d"]:
    """`[i, :, j, :]` is `sum_{r in E_i and E_j} x_r x_r'`, for all pairs (i, j)."""
    n, d = X.shape
    P = deviates.shape[1]
    # About 64 rows a cell: fewer, and the calls cost more than the products.
    width = min(max(round((np.log2(max(n, 1)) - 6) / 2), 2), 7)
    out = np.zeros((P, d, P, d))
    blocks = [slice(start, min(start + width, P)) for start in range(0, P, width)]
    step = max(1, _BYTES_AT_A_TIME // (8 * d))
    for start in range(0, n, step):
        part = X[start : start + step]
        codes = np.empty((len(blocks), len(part)), dtype=np.int16)
        _cell_codes(deviates[start : start + step], width, codes)
        add = partial(_add_row_of_blocks, part, codes, blocks, out)
        if threads == 1:
            for a in range(len(blocks)):
                add(a)
        else:
            with ThreadPoolExecutor(threads) as pool:
                list(pool.map(add, range(len(blocks))))
    return out


def _add_row_of_blocks(
    X: Float[np.ndarray, "n d"],
    codes: Int16[np.ndarray, "b n"],
    blocks: list[slice],
    out: Float[np.ndarray, "P d P d"],
    a: int,
) -> None:
    d = X.shape[1]
    n_here = blocks[a].stop - blocks[a].start
    order = np.empty(len(X), dtype=np.int64)
    ends = np.empty((1 << n_here) + 1, dtype=np.int64)
    _sort_by_cell(codes[a], 0, len(X), order, ends)
    order = order[ends[0] :]
    starts = np.concatenate([[0], ends[:-1] - ends[0]])
    rows = X[order]
    buffer = np.empty((max(8, _FLOPS_A_PRODUCT // (d * d)), d))
    for b in range(a, len(blocks)):
        n_there = blocks[b].stop - blocks[b].start
        sums = np.zeros((n_here, n_there, d, d))
        _add_pair_of_blocks(rows, starts, codes[b][order], buffer, sums)
        out[blocks[a], :, blocks[b], :] += sums.transpose(0, 2, 1, 3)
        if b > a:
            out[blocks[b], :, blocks[a], :] += sums.transpose(1, 3, 0, 2)
