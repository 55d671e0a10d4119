"""A 3×3 convolution and the max pooling after it, as one operation with a short way back.

After a k×k max pooling only one output of the convolution in k² gets a gradient. A framework that
knows the two layers apart computes the other k² − 1 as well: for the seed CNN that is 15/16 of the
first layer's backward pass and 575/576 of the second's. Here the convolution is a matrix product
over patches, and the way back visits the winning positions alone. The result is the same number
for number (``tests/gan_core/classifiers/test_pooled_convolution.py``).

Images are laid out as [N, height, width, channels], so that a patch is three contiguous runs.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor


def weight_rows(weight: Tensor) -> Tensor:
    """Turn convolution weights [O, C, 3, 3] into rows [O, 9C] in the order of ``patch_rows``."""
    return weight.permute(0, 2, 3, 1).reshape(weight.shape[0], -1)


def patch_rows(image: Tensor, out: Tensor) -> Tensor:
    """Write the 3×3 patches of one image into a table.

    Args:
        image: [H + 2, W + 2, C], contiguous: the image with its border of one pixel.
        out: [H·W, K] with K ≥ 9C. Columns past 9C are left as they are.

    Returns:
        ``out``: in row y·W + x, ordered by (row of the patch, column, channel), the patch whose
        centre is pixel (y, x).
    """
    height, width, channels = image.shape[0] - 2, image.shape[1] - 2, image.shape[2]
    run = 3 * channels
    table = out.view(height, width, -1)
    for row in range(3):
        offset = image.storage_offset() + row * image.stride(0)
        runs = image.as_strided((height, width, run), (image.stride(0), channels, 1), offset)
        table[..., row * run : (row + 1) * run].copy_(runs)
    return out


def _padded_columns(columns: int) -> int:
    # Matrix products want rows of whole vectors; 27 columns become 32.
    return -(-columns // 16) * 16


class _ConvMaxPool(torch.autograd.Function):
    """Forward keeps the patch tables and the winners; backward reads the winners' patches."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, shift: Tensor | None, pool: int) -> Tensor:
        images, height, width = x.shape[0], x.shape[1] - 2, x.shape[2] - 2
        filters, columns = weight.shape
        rows = F.pad(weight.to(x.dtype), (0, _padded_columns(columns) - columns))
        keeps_patches = bool(ctx.needs_input_grad[0] or ctx.needs_input_grad[1])
        tables = x.new_empty(images if keeps_patches else 1, height * width, rows.shape[1])
        tables[..., columns:] = 0
        cells = (height // pool) * (width // pool)
        pooled = x.new_empty(images, cells, filters)
        winners = torch.empty(images, filters, cells, dtype=torch.int64, device=x.device)
        bias = None if shift is None else shift.to(x.dtype)
        # Image by image, because one image's outputs (5 MB) stay in the cache until pooled.
        for n in range(images):
            table = patch_rows(x[n], tables[n if keeps_patches else 0])
            outputs = F.linear(table, rows, bias).view(1, height, width, filters)
            best, where = F.max_pool2d(outputs.permute(0, 3, 1, 2), pool, return_indices=True)
            pooled[n] = best.permute(0, 2, 3, 1).view(cells, filters)
            winners[n] = where.view(filters, cells)
        ctx.save_for_backward(tables, winners, weight)
        ctx.x_shape = x.shape
        return pooled.view(images, height // pool, width // pool, filters).to(weight.dtype)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
        tables, winners, weight = ctx.saved_tensors
        images, filters, cells = winners.shape
        grad = grads[0].reshape(images, cells, filters).transpose(1, 2).contiguous()
        x_grad = weight_grad = None
        if ctx.needs_input_grad[0]:
            x_grad = _input_gradient(ctx.x_shape, grad, winners, weight)
        if ctx.needs_input_grad[1]:
            weight_grad = torch.zeros_like(weight)
            shares = grad.to(tables.dtype)
            for n in range(images):
                # A bag is a filter: the sum of its winners' patches, each times its gradient.
                bags = F.embedding_bag(
                    winners[n], tables[n], mode="sum", per_sample_weights=shares[n]
                )
                weight_grad += bags[:, : weight.shape[1]]
        return x_grad, weight_grad, None, None


def _input_gradient(shape: torch.Size, grad: Tensor, winners: Tensor, weight: Tensor) -> Tensor:
    """Lay every winner's gradient, times its filter, onto the pixels of its patch."""
    images, height, width, channels = shape
    filters = weight.shape[0]
    filter_pixels = weight.view(1, filters, 1, 9, channels)
    onto = (grad[..., None, None] * filter_pixels).reshape(-1, channels)
    y, x = winners // (width - 2), winners % (width - 2)
    image = torch.arange(images, device=grad.device).view(-1, 1, 1)
    # The winner is a pixel of the image without its border: the patch's corner lies there with it.
    corner = (image * height + y) * width + x
    offsets = torch.arange(9, device=grad.device)
    offsets = offsets // 3 * width + offsets % 3
    pixels = (corner[..., None] + offsets).reshape(-1)
    result = torch.zeros(images * height * width, channels, dtype=grad.dtype, device=grad.device)
    return result.index_add_(0, pixels, onto).view(shape)


def conv_max_pool(x: Tensor, weight: Tensor, pool: int, shift: Tensor | None = None) -> Tensor:
    """3×3 convolution with stride 1, then max pooling with ``pool``×``pool`` and the same stride.

    Args:
        x: [N, H + 2, W + 2, C], contiguous, with its border of one pixel (zeros, for the usual
            padding). Its type is the one that is computed in.
        weight: [O, 9C], from ``weight_rows``.
        pool: Side of the pooling window; H and W are multiples of it.
        shift: [O], added before rounding to the type of ``x``; gets no gradient (what is added
            before a max can as well be added after it, where autograd sees it).

    Returns:
        [N, H / pool, W / pool, O] in the weights' type. Among equal outputs the first in reading
        order wins, as in ``torch.nn.functional.max_pool2d``.
    """
    result: Tensor = _ConvMaxPool.apply(x, weight, shift, pool)
    return result
