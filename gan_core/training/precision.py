"""Which arithmetic the hardware is good at."""

from __future__ import annotations

from typing import Literal

import torch

Precision = Literal["auto", "bfloat16", "float32"]


def compute_dtype(precision: Precision, device: torch.device) -> torch.dtype:
    """The type that forward passes run in: bfloat16 (mixed precision) or float32.

    Args:
        precision: "auto" takes bfloat16 where the hardware computes in it natively.
        device: Where the training runs.
    """
    if precision == "auto":
        return torch.bfloat16 if computes_bfloat16(device) else torch.float32
    return torch.bfloat16 if precision == "bfloat16" else torch.float32


def computes_bfloat16(device: torch.device) -> bool:
    """Whether ``device`` has bfloat16 arithmetic; emulated, it is slower than float32."""
    if device.type == "cuda":
        # Before Ampere bfloat16 is emulated.
        return torch.cuda.is_available() and torch.cuda.get_device_capability(device) >= (8, 0)
    if device.type == "cpu":
        return _cpu_computes_bfloat16()
    return False


def _cpu_computes_bfloat16() -> bool:
    capabilities = getattr(torch.cpu, "get_capabilities", None)
    if capabilities is not None:
        found = capabilities()
        # x86: AVX512_BF16 or AMX. On ARM oneDNN has bfloat16 kernels for SVE machines alone.
        return any(found.get(flag, False) for flag in ("avx512_bf16", "amx_bf16", "sve_bf16"))
    older = getattr(torch.cpu, "_is_avx512_bf16_supported", None)  # before get_capabilities
    return bool(older is not None and older())
