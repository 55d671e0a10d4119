"""A 3×3 convolution and the max pooling after it, as one operation with a short way back.

After a k×k max pooling only one output of the convolution in k² gets a gradient. A framework that
knows the two layers apart computes the other k² − 1 as well: for the seed CNN that is 15/16 of the
first layer's backward pass and 575/576 of the second's. Here the convolution is a matrix product
over patches, and the way back visits the winning positions alone. The result is the same number
for number (``tests/gan_core/classifiers/test_pooled_convolution.py``).

Images are laid out as [K, N, height, width, channels], so that a patch is three contiguous runs: N
images for each of K networks, whose filters differ and which are computed side by side.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor


def weight_rows(weight: Tensor) -> Tensor:
    """Turn weights [..., O, C, 3, 3] into rows [..., O, 9C] in the order of ``patch_rows``."""
    return weight.movedim(-3, -1).flatten(-3)


def patch_rows(images: Tensor, out: Tensor) -> Tensor:
    """Write the 3×3 patches of images into tables.

    Args:
        images: [..., H + 2, W + 2, C], each image contiguous: with its border of one pixel.
        out: [..., H·W, K] with K ≥ 9C, contiguous. Columns past 9C are left as they are.

    Returns:
        ``out``: in row y·W + x, ordered by (row of the patch, column, channel), the patch whose
        centre is pixel (y, x).
    """
    *leading, height, width, channels = images.shape
    height, width, run = height - 2, width - 2, 3 * channels
    tables = out.view(*leading, height, width, -1)
    strides = (*images.stride()[:-3], images.stride(-3), channels, 1)
    for row in range(3):
        offset = images.storage_offset() + row * images.stride(-3)
        runs = images.as_strided((*leading, height, width, run), strides, offset)
        tables[..., row * run : (row + 1) * run].copy_(runs)
    return out


def _padded_columns(columns: int) -> int:
    # Matrix products want rows of whole vectors; 27 columns become 32.
    return -(-columns // 16) * 16


# Pairs of a network and an image whose outputs lie in a GPU's memory at a time: at most 1.3 GB.
_PAIRS_AT_ONCE = 256

_Chunk = tuple[slice, slice]


def _chunks(networks: int, images: int, device: torch.device) -> list[_Chunk]:
    """Which (networks, images) are computed together.

    On a CPU one image of one network, because its outputs (5 MB) stay in the cache until they are
    pooled; elsewhere many, so that the device is full.
    """
    if device.type == "cpu":
        return [(slice(k, k + 1), slice(n, n + 1)) for k in range(networks) for n in range(images)]
    some = max(1, _PAIRS_AT_ONCE // images)
    return [(slice(k, min(k + some, networks)), slice(0, images)) for k in range(0, networks, some)]


def _size(chunk: _Chunk) -> tuple[int, int]:
    return chunk[0].stop - chunk[0].start, chunk[1].stop - chunk[1].start


class _ConvMaxPool(torch.autograd.Function):
    """Forward keeps the patch tables and the winners; backward reads the winners' patches."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, shift: Tensor | None, pool: int) -> Tensor:
        networks, images, height, width = x.shape[0], x.shape[1], x.shape[2] - 2, x.shape[3] - 2
        filters, columns = weight.shape[1:]
        rows = F.pad(weight.to(x.dtype), (0, _padded_columns(columns) - columns)).mT
        bias = None if shift is None else shift.to(x.dtype).unsqueeze(1)
        chunks = _chunks(networks, images, x.device)
        keeps_patches = bool(ctx.needs_input_grad[0] or ctx.needs_input_grad[1])
        some = (networks, images) if keeps_patches else _size(chunks[0])
        tables = x.new_empty(*some, height * width, rows.shape[1])
        tables[..., columns:] = 0
        cells = (height // pool) * (width // pool)
        pooled = x.new_empty(networks, images, cells, filters)
        winners = torch.empty(networks, images, filters, cells, dtype=torch.int64, device=x.device)
        for k, n in chunks:
            shape = _size((k, n))
            table = patch_rows(x[k, n], tables[k, n] if keeps_patches else tables[: shape[0]])
            table = table.view(shape[0], -1, rows.shape[1])
            outputs = (
                torch.bmm(table, rows[k])
                if bias is None
                else torch.baddbmm(bias[k], table, rows[k])
            )
            planes = outputs.view(-1, height, width, filters).permute(0, 3, 1, 2)
            best, where = F.max_pool2d(planes, pool, return_indices=True)
            pooled[k, n] = best.permute(0, 2, 3, 1).reshape(*shape, cells, filters)
            winners[k, n] = where.reshape(*shape, filters, cells)
        ctx.save_for_backward(tables, winners, weight)
        ctx.x_shape = x.shape
        result = pooled.view(networks, images, height // pool, width // pool, filters)
        return result.to(weight.dtype)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
        tables, winners, weight = ctx.saved_tensors
        networks, images, filters, cells = winners.shape
        grad = grads[0].reshape(networks, images, cells, filters).transpose(2, 3).contiguous()
        x_grad = weight_grad = None
        if ctx.needs_input_grad[0]:
            x_grad = _input_gradient(ctx.x_shape, grad, winners, weight)
        if ctx.needs_input_grad[1]:
            weight_grad = torch.zeros_like(weight)
            shares = grad.to(tables.dtype)
            for k, n in _chunks(networks, images, grad.device):
                shape, table = _size((k, n)), tables[k, n]
                first = torch.arange(shape[0] * shape[1], device=grad.device) * table.shape[2]
                # A bag is a filter: the sum of its winners' patches, each times its gradient.
                bags = F.embedding_bag(
                    (winners[k, n] + first.view(*shape, 1, 1)).view(-1, cells),
                    table.view(-1, table.shape[3]),
                    mode="sum",
                    per_sample_weights=shares[k, n].reshape(-1, cells),
                )
                bags = bags.view(*shape, filters, -1)[..., : weight.shape[2]]
                weight_grad[k] += bags.sum(1, dtype=weight.dtype)
        return x_grad, weight_grad, None, None


def _input_gradient(shape: torch.Size, grad: Tensor, winners: Tensor, weight: Tensor) -> Tensor:
    """Lay every winner's gradient, times its filter, onto the pixels of its patch."""
    networks, images, height, width, channels = shape
    filter_pixels = weight.view(networks, 1, weight.shape[1], 1, 9, channels)
    onto = (grad[..., None, None] * filter_pixels).reshape(-1, channels)
    y, x = winners // (width - 2), winners % (width - 2)
    image = torch.arange(networks * images, device=grad.device).view(networks, images, 1, 1)
    # The winner is a pixel of the image without its border: the patch's corner lies there with it.
    corner = (image * height + y) * width + x
    offsets = torch.arange(9, device=grad.device)
    offsets = offsets // 3 * width + offsets % 3
    pixels = (corner[..., None] + offsets).reshape(-1)
    result = grad.new_zeros(networks * images * height * width, channels)
    return result.index_add_(0, pixels, onto).view(shape)


def conv_max_pool(x: Tensor, weight: Tensor, pool: int, shift: Tensor | None = None) -> Tensor:
    """3×3 convolution with stride 1, then max pooling with ``pool``×``pool`` and the same stride.

    Args:
        x: [K, N, H + 2, W + 2, C], each image contiguous, with its border of one pixel (zeros, for
            the usual padding). Its type is the one that is computed in.
        weight: [K, O, 9C], from ``weight_rows``: each network's own.
        pool: Side of the pooling window; H and W are multiples of it.
        shift: [K, O], added before rounding to the type of ``x``; gets no gradient (what is added
            before a max can as well be added after it, where autograd sees it).

    Returns:
        [K, N, H / pool, W / pool, O] in the weights' type. Among equal outputs the first in reading
        order wins, as in ``torch.nn.functional.max_pool2d``.
    """
    result: Tensor = _ConvMaxPool.apply(x, weight, shift, pool)
    return result
