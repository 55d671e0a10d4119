"""Safetensors with a JSON note in the header and a digest over all of it: no pickle, no surprises.

Format: https://github.com/huggingface/safetensors#format (an 8-byte little-endian header length, a
JSON header whose ``__metadata__`` maps strings to strings, then the tensors' bytes).
"""

from __future__ import annotations

import hashlib
import json
import struct
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

_KEY = "graft"


class UnreadableError(Exception):
    """The bytes are not a whole, unharmed file made by ``pack``."""


def pack(tensors: dict[str, Tensor], note: dict[str, Any]) -> bytes:
    """Make one safetensors file; the same tensors and note give the same bytes.

    Args:
        tensors: By name, on any device; stored contiguous.
        note: JSON-able.
    """
    stored = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    text = json.dumps(note, sort_keys=True, allow_nan=False)
    # One metadata key: safetensors writes several in an order that changes from run to run.
    metadata = {_KEY: json.dumps({"note": text, "sha256": _digest(text, stored)})}
    packed: bytes = safetensors.torch.save(stored, metadata)
    return packed


def unpack(data: bytes) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Give back what ``pack`` was given, tensors on the CPU.

    Raises:
        UnreadableError: truncated, altered, or never made by ``pack``.
    """
    try:
        (length,) = struct.unpack("<Q", data[:8])
        header = json.loads(data[8 : 8 + length])
        sealed = json.loads(header["__metadata__"][_KEY])
        text, digest = sealed["note"], sealed["sha256"]
        note = json.loads(text)
        tensors: dict[str, Tensor] = safetensors.torch.load(data)
    except (
        KeyError,
        TypeError,
        ValueError,
        RecursionError,
        struct.error,
        SafetensorError,
    ) as error:
        raise UnreadableError(f"not a readable file: {error}") from error
    if not isinstance(note, dict) or _digest(text, tensors) != digest:
        raise UnreadableError("the digest does not match the content")
    return tensors, note


def _digest(text: str, tensors: dict[str, Tensor]) -> str:
    sha256 = hashlib.sha256(text.encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        sha256.update(f"\0{name}\0{tensor.dtype}\0{list(tensor.shape)}\0".encode())
        if tensor.numel():
            sha256.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return sha256.hexdigest()
