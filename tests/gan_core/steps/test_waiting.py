"""What is loaded ahead, and that a forked child computes as one that was started alone."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

_DRAW = """
import hashlib, json, os, sys
from importlib import import_module
from gan_core.steps import waiting

def draw():
    import torch
    from gan_core.gans.registry import create
    from gan_core.generating import TrainedGenerator, generate
    torch.manual_seed(0)
    gan = create("infogan", image_size=32)
    weights = {name: value.clone() for name, value in gan.generator.state_dict().items()}
    model = TrainedGenerator("infogan", gan.settings_dict(), weights, "raw", 0, 0, "")
    return hashlib.sha256(generate(model, range(20)).tobytes()).hexdigest(), torch.get_num_threads()

if sys.argv[1] == "forked":
    for name in waiting._AHEAD:
        import_module(name)
    assert waiting.can_begin_cuda_in_a_fork()
    known = set(sys.modules)
    mine, its = os.pipe()
    if os.fork() == 0:
        told = [*draw(), sorted(set(sys.modules) - known)]
        os.write(its, json.dumps(told).encode())
        os._exit(0)
    os.close(its)
    os.wait()
    sys.stdout.write(os.read(mine, 100_000).decode())
else:
    sys.stdout.write(json.dumps([*draw(), []]))
"""


def drawn(how: str) -> Any:
    done = subprocess.run(
        [sys.executable, "-c", _DRAW, how], capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


def test_a_forked_child_draws_what_another_draws_and_has_nothing_left_to_load() -> None:
    digest, threads, loaded = drawn("forked")
    assert loaded == []
    assert [digest, threads, []] == drawn("alone")
