import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from gan_core.gans import registry
from gan_core.gans.infogan import Generator, InfoGAN
from gan_core.generating import BATCH, TrainedGenerator, codes, generate, sweep
from gan_core.progress import Progress, Stopped
from gan_core.spec.errors import GraftError
from gan_core.training.tensorfile import pack


@pytest.fixture(scope="module")
def model() -> TrainedGenerator:
    torch.manual_seed(0)
    gan = registry.create("infogan", image_size=32)
    with torch.no_grad():
        for name, buffer in gan.generator.named_buffers():
            if name.endswith("running_var"):
                buffer.fill_(0.05)  # so that images are not all grey
        gan.generator.body[7].weight.mul_(20)  # type: ignore[index,operator,union-attr]
    return TrainedGenerator(
        gan="infogan",
        settings=gan.settings_dict(),
        weights={name: value.clone() for name, value in gan.generator.state_dict().items()},
        weights_kind="raw",
        real_count=10,
        step=1000,
        data_digest="abc",
    )


def test_any_image_made_again_alone_is_the_same_bit_for_bit(model: TrainedGenerator) -> None:
    seeds = [*range(100, 100 + 2 * BATCH), 7, 2**32 - 1, 0]
    together = generate(model, seeds)
    assert together.shape == (len(seeds), 32, 32, 3)
    assert together.dtype == np.uint8
    for place in (0, 1, BATCH - 1, BATCH, 2 * BATCH, len(seeds) - 1):
        assert np.array_equal(generate(model, [seeds[place]])[0], together[place]), place


@pytest.mark.parametrize("count", [1, 2, BATCH - 1, BATCH, BATCH + 1])
def test_an_image_depends_on_no_neighbour_and_no_place(model: TrainedGenerator, count: int) -> None:
    seeds = list(range(count))
    forwards, backwards = generate(model, seeds), generate(model, seeds[::-1])
    assert np.array_equal(forwards, backwards[::-1])
    assert np.array_equal(generate(model, [0, 0, 500])[1], forwards[0])


def test_other_seeds_make_other_images_that_use_the_whole_range(model: TrainedGenerator) -> None:
    images = generate(model, range(12))
    assert len({image.tobytes() for image in images}) == 12
    assert images.std() > 20


def test_the_scaling_is_fixed_and_not_image_by_image(model: TrainedGenerator) -> None:
    gan = InfoGAN(registry.create("infogan", **model.settings).settings)  # type: ignore[arg-type]
    gan.generator.load_state_dict(model.weights)
    gan.generator.eval()
    with torch.no_grad():
        raw = gan.generator(gan.latents_for([4, 5])).permute(0, 2, 3, 1).numpy()
    expected = (raw.clip(-1, 1) + 1) * 127.5
    assert np.abs(generate(model, [4, 5]) - expected).max() <= 0.51


def test_each_image_has_its_own_category_and_codes() -> None:
    gan = registry.create("infogan", image_size=32)
    latents = gan.latents_for(range(60))
    assert len(latents["category"].unique()) == 10
    assert len(latents["codes"].unique()) == 120


def test_another_process_with_other_threads_makes_the_same_bytes(
    model: TrainedGenerator, tmp_path: Path
) -> None:
    model.save(tmp_path / "model.safetensors")
    script = (
        "import sys; from pathlib import Path\n"
        "from gan_core.generating import TrainedGenerator, generate\n"
        "model = TrainedGenerator.load(Path(sys.argv[1]))\n"
        "sys.stdout.buffer.write(generate(model, [3, 9]).tobytes())\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "model.safetensors")]
    made = subprocess.run(
        command, env={**os.environ, "OMP_NUM_THREADS": "2"}, check=True, capture_output=True
    )
    assert made.stdout == generate(model, [3, 9]).tobytes()


def test_the_callers_random_state_and_the_model_are_left_alone(model: TrainedGenerator) -> None:
    torch.manual_seed(1)
    before, weights = torch.get_rng_state(), model.to_bytes()
    generate(model, [1, 2])
    sweep(model, steps=2)
    assert torch.equal(torch.get_rng_state(), before)
    assert model.to_bytes() == weights


def test_no_seeds_no_images(model: TrainedGenerator) -> None:
    assert generate(model, []).shape == (0, 32, 32, 3)


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_a_seed_that_would_be_cut_short_is_refused(model: TrainedGenerator, seed: int) -> None:
    with pytest.raises(GraftError) as refused:
        generate(model, [0, seed])
    assert refused.value.code == "seed_out_of_range"


def test_progress_is_told_and_a_stop_is_heard(model: TrainedGenerator) -> None:
    reports: list[Progress] = []
    generate(model, range(BATCH + 1), on_progress=reports.append)
    assert [report.fraction for report in reports] == [BATCH / (BATCH + 1), 1.0]
    with pytest.raises(Stopped):
        generate(model, range(BATCH + 1), should_stop=lambda: True)


def test_where_memory_runs_out_images_are_made_in_smaller_batches(
    model: TrainedGenerator, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = generate(model, range(19))
    forward = Generator.forward
    sizes: list[int] = []

    def hungry(self: Generator, latents: dict[str, torch.Tensor]) -> torch.Tensor:
        sizes.append(len(latents["noise"]))
        if sizes[-1] > 4:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return forward(self, latents)

    monkeypatch.setattr(Generator, "forward", hungry)
    assert np.array_equal(generate(model, range(19)), plain)
    assert sizes == [16, 8, 4, 4, 4, 4, 4]


def test_a_sweep_has_a_row_for_each_category_and_a_column_for_each_step(
    model: TrainedGenerator,
) -> None:
    images = sweep(model, seed=3, code=1, steps=5)
    assert images.shape == (10, 5, 32, 32, 3)
    assert len({images[row, column].tobytes() for row in range(10) for column in range(5)}) == 50
    assert not np.array_equal(images, sweep(model, seed=4, code=1, steps=5))
    assert codes(model) == 2


def test_a_code_that_is_not_there_is_refused(model: TrainedGenerator) -> None:
    with pytest.raises(GraftError) as refused:
        sweep(model, code=2)
    assert refused.value.code == "no_codes"


def test_a_model_survives_its_file(model: TrainedGenerator, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    model.save(path)
    loaded = TrainedGenerator.load(path)
    assert loaded.card() == model.card()
    assert json.loads(json.dumps(loaded.card())) == loaded.card()
    assert loaded.to_bytes() == model.to_bytes() == path.read_bytes()
    assert np.array_equal(generate(loaded, [5]), generate(model, [5]))
    assert [file.name for file in tmp_path.iterdir()] == ["model.safetensors"]


def test_a_file_that_is_no_model_is_refused(model: TrainedGenerator) -> None:
    data = model.to_bytes()
    card = model.card()
    missing = {name: value for name, value in model.weights.items() if name != "body.7.bias"}
    half = {name: value.half() for name, value in model.weights.items()}
    for bad in (
        b"",
        b"\x80\x04pickle",
        data[:-1],
        data[:-1] + bytes([data[-1] ^ 1]),
        pack(missing, {"generator": card}),
        pack(half, {"generator": card}),
        pack(model.weights, {"generator": card | {"gan": "unknown"}}),
        pack(model.weights, {"generator": card | {"settings": {"image_size": 48}}}),
        pack(model.weights, {"generator": card | {"more": 1}}),
        pack(model.weights, {"something": 1}),
    ):
        with pytest.raises(GraftError) as refused:
            TrainedGenerator.from_bytes(bad)
        assert refused.value.code == "model_unreadable"
