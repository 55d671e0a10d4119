"""Cutting images into tiles."""

from __future__ import annotations

import torch
import torch.nn.functional
from hypothesis import given
from hypothesis import strategies as st

from gan_core.upscaling.tiling import run_tiled, tile_spans


@given(side=st.integers(1, 2000), tile=st.integers(20, 300), overlap=st.integers(0, 9))
def test_kept_parts_cover_an_axis_once_with_context_on_each_inner_edge(
    side: int, tile: int, overlap: int
) -> None:
    tile, overlap = 4 * tile, 4 * overlap
    spans = tile_spans(side, tile, overlap)
    kept = [pixel for _, _, start, end in spans for pixel in range(start, end)]
    assert kept == list(range(side))
    for start, end, keep_start, keep_end in spans:
        assert 0 <= start <= keep_start <= keep_end <= end <= side
        assert end - start <= tile
        assert start % 4 == 0
        assert start == 0 or keep_start - start >= overlap - 4
        assert end == side or end - keep_end >= overlap - 4


def test_tiles_of_a_local_net_join_up_exactly() -> None:
    kernel = torch.rand(3, 3, 3, 3, generator=torch.Generator().manual_seed(0), dtype=torch.double)

    def net(x: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.interpolate(
            torch.nn.functional.conv2d(x, kernel, padding=1), scale_factor=2.0
        )

    x = torch.rand(2, 3, 61, 90, generator=torch.Generator().manual_seed(1), dtype=torch.double)
    tiled = run_tiled(net, x, scale=2, tile=32, overlap=4)
    assert torch.allclose(tiled, net(x), rtol=0, atol=1e-12)
