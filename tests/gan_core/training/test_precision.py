import pytest
import torch

from gan_core.training import precision
from gan_core.training.precision import compute_dtype

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ({"avx512_bf16": True, "amx_bf16": False}, torch.bfloat16),
        ({"avx512_bf16": False, "amx_bf16": True}, torch.bfloat16),
        ({"avx512_f": True, "avx512_bf16": False, "amx_bf16": False}, torch.float32),
        ({"neon": True, "bf16": True, "sve": False}, torch.float32),
    ],
)
def test_auto_takes_what_the_hardware_computes_in(
    monkeypatch: pytest.MonkeyPatch, flags: dict[str, bool], expected: torch.dtype
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: flags, raising=False)
    assert compute_dtype("auto", CPU) is expected


def test_a_precision_asked_for_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    for has_it in (False, True):
        monkeypatch.setattr(precision, "computes_bfloat16", lambda _, has_it=has_it: has_it)
        assert compute_dtype("bfloat16", CPU) is torch.bfloat16
        assert compute_dtype("float32", CPU) is torch.float32
