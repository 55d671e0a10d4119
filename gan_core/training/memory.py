"""Training in less memory, with the same result up to rounding.

Which way is exact depends on the GAN. Where each image goes through the networks alone, a batch
can be cut into micro-batches whose gradients add up. Where the images of a batch meet (batch
normalisation, minibatch standard deviation), a micro-batch has other statistics and would train
another GAN; there the forward passes are kept whole and their intermediate results are not:

1. *recompute*: those of a network are thrown away after its forward pass and computed again for
   the backward pass (Chen et al. 2016, "Training Deep Nets with Sublinear Memory Cost",
   arXiv:1604.06174), so that those of one network at a time are in memory.
2. *offload*: what is left of them waits in the host's memory (a GPU's alone).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint


@dataclass(frozen=True)
class MemoryPlan:
    """How to fit a training step into memory; the plain way by default.

    Attributes:
        parts: Into how many micro-batches a batch is cut.
        recompute: Whether forward passes are run again for the backward pass.
        offload: Whether intermediate results wait in the host's memory.
    """

    parts: int = 1
    recompute: bool = False
    offload: bool = False


PLAIN = MemoryPlan()


def memory_plans(
    *, couples_images: bool, batch_size: int, device: torch.device
) -> list[MemoryPlan]:
    """The plans to try one after the other, from the plain one on.

    Args:
        couples_images: Whether the images of a batch have an influence on each other.
        batch_size: Images a step.
        device: Where the training runs.
    """
    if couples_images:
        plans = [PLAIN, MemoryPlan(recompute=True)]
        if device.type != "cpu":  # a CPU's memory is the host's
            plans.append(MemoryPlan(recompute=True, offload=True))
        return plans
    halvings = max(batch_size - 1, 0).bit_length()
    return [MemoryPlan(parts=2**number) for number in range(halvings + 1)]


def micro_batches(count: int, parts: int) -> list[slice]:
    """Cut ``count`` images into ``parts`` runs of about one size; fewer where images are fewer."""
    size = -(-count // min(parts, count))
    return [slice(start, min(start + size, count)) for start in range(0, count, size)]


def accumulate(loss_of: Callable[[slice], Tensor], count: int, parts: int) -> Tensor:
    """Add the gradients of a mean loss over ``count`` images, micro-batch by micro-batch.

    Args:
        loss_of: The mean loss over some of the images. It runs their forward passes itself, so
            that only theirs are in memory; what is random has been drawn for all images before.
        count: Images of the batch.
        parts: Micro-batches.

    Returns:
        The mean loss over all images, detached.
    """
    total: Tensor | None = None
    for rows in micro_batches(count, parts):
        loss = loss_of(rows)
        if parts > 1:
            loss = loss * ((rows.stop - rows.start) / count)
        loss.backward()  # type: ignore[no-untyped-call]
        part = loss.detach()
        total = part if total is None else total + part
    if total is None:
        raise ValueError("a batch has at least one image")
    return total


@contextmanager
def applied(plan: MemoryPlan, networks: Mapping[str, nn.Module]) -> Iterator[None]:
    """Run the steps within the block by ``plan`` (but for ``parts``, which a GAN applies)."""
    with ExitStack() as stack:
        if plan.offload:
            stack.enter_context(torch.autograd.graph.saved_tensors_hooks(_to_host, _from_host))
        if plan.recompute:
            for network in networks.values():
                stack.enter_context(_recomputing(network))
        yield


@contextmanager
def _recomputing(network: nn.Module) -> Iterator[None]:
    forward = network.forward

    def with_checkpoint(*inputs: Any) -> Any:
        if not torch.is_grad_enabled():
            return forward(*inputs)
        # The backward pass may run where other weights are frozen than in the forward pass.
        trained = [weight.requires_grad for weight in network.parameters()]
        return checkpoint(
            forward,
            *inputs,
            use_reentrant=False,
            context_fn=lambda: (nullcontext(), _again(network, trained)),
        )

    network.forward = with_checkpoint
    try:
        yield
    finally:
        del network.forward  # the instance's attribute; the class's method is there again


@contextmanager
def _again(network: nn.Module, trained: list[bool]) -> Iterator[None]:
    """Let a forward pass be run a second time: as the first, and leaving no second trace."""
    weights = list(network.parameters())
    now = [weight.requires_grad for weight in weights]
    buffers = [
        (module, name, buffer)
        for module in network.modules()
        for name, buffer in module.named_buffers(recurse=False)
    ]
    for weight, is_trained in zip(weights, trained, strict=True):
        weight.requires_grad_(is_trained)
    for module, name, buffer in buffers:
        # Running statistics move in a forward pass: this time it is a copy of them that does.
        setattr(module, name, buffer.clone())
    try:
        yield
    finally:
        for weight, was_trained in zip(weights, now, strict=True):
            weight.requires_grad_(was_trained)
        for module, name, buffer in buffers:
            setattr(module, name, buffer)


def _to_host(tensor: Tensor) -> tuple[torch.device, Tensor]:
    # Weights are in memory anyway; so is what already lies on the host.
    if tensor.is_leaf and tensor.requires_grad:
        return tensor.device, tensor
    return tensor.device, tensor.detach().to("cpu")


def _from_host(packed: tuple[torch.device, Tensor]) -> Tensor:
    device, tensor = packed
    return tensor.to(device)
