"""Large images go through a net in overlapping tiles, so that memory stays bounded."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, cat

# Tiles start at multiples of this: the ×2plus net folds 2×2 (or 4×4) pixels into channels first.
_GRID = 4


def tile_spans(side: int, tile: int, overlap: int) -> list[tuple[int, int, int, int]]:
    """Cut one axis into tiles.

    Args:
        side: Length of the axis in pixels.
        tile: Length of a tile; a multiple of 4.
        overlap: Pixels of context on each inner edge; a multiple of 4, less than ``tile / 2``.

    Returns:
        For each tile (start, end, keep_start, keep_end), in pixels of the axis: what is read, and
        the part of it that is kept. The kept parts join up to [0, side).
    """
    if side <= tile:
        return [(0, side, 0, side)]
    last = -(-(side - tile) // _GRID) * _GRID
    starts = [*range(0, last, tile - 2 * overlap), last]
    ends = [min(start + tile, side) for start in starts]
    # Two neighbours meet in the middle of what both have seen.
    cuts = [(start + end) // 2 for start, end in zip(starts[1:], ends[:-1], strict=True)]
    return list(zip(starts, ends, [0, *cuts], [*cuts, side], strict=True))


def run_tiled(
    net: Callable[[Tensor], Tensor], x: Tensor, *, scale: int, tile: int, overlap: int
) -> Tensor:
    """Run ``net`` over ``x`` in tiles, or in one piece when it fits into one.

    Args:
        net: Maps [n, 3, h, w] to [n, 3, scale·h, scale·w].
        x: float [n, 3, H, W].
        scale: The net's factor.
        tile: Side of a tile in pixels of ``x``; a multiple of 4.
        overlap: Pixels of context on each inner edge; a multiple of 4.

    Returns:
        float [n, 3, scale·H, scale·W].
    """
    if max(x.shape[2:]) <= tile:
        return net(x)
    rows = []
    for top, bottom, keep_top, keep_bottom in tile_spans(x.shape[2], tile, overlap):
        row = []
        for left, right, keep_left, keep_right in tile_spans(x.shape[3], tile, overlap):
            y = net(x[:, :, top:bottom, left:right])
            row.append(
                y[
                    :,
                    :,
                    (keep_top - top) * scale : (keep_bottom - top) * scale,
                    (keep_left - left) * scale : (keep_right - left) * scale,
                ]
            )
        rows.append(cat(row, dim=3))
    return cat(rows, dim=2)
