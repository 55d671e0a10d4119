"""Classes that are let in late: without effect at first, and with images of their own at last."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from gan_core.gans import registry
from gan_core.gans.base import Gan
from gan_core.gans.conditioning import ClassEmbedding, risen
from gan_core.generating import TrainedGenerator, generate
from gan_core.progress import Stopped
from gan_core.spec.errors import GraftError
from gan_core.spec.gan_settings import CONDITIONAL_GANS
from gan_core.training.ema import sampling_weights
from gan_core.training.loop import TrainConfig, TrainResult, train
from gan_core.training.run import Run, balanced_order

SMALL: dict[str, dict[str, Any]] = {
    "dcgan": {"width": 4, "latent_dim": 8},
    "dcgan, relativistic": {"width": 4, "latent_dim": 8, "loss": "relativistic"},
    "fastgan": {"width": 3, "latent_dim": 8},
    "stylegan2": {"width": 8, "latent_dim": 8, "mapping_layers": 2},
}
LABELS = np.array([0, 0, 0, 0, 0, 1, 1, 1], np.int64)
CPU = torch.device("cpu")


def small(label: str, **settings: Any) -> Gan:
    torch.manual_seed(0)
    gan = registry.create(
        label.split(",", maxsplit=1)[0],
        **{"image_size": 32, "classes": 2, "drawn_class": 1, **SMALL[label], **settings},
    )
    gan.initialise()
    return gan


def prepared(label: str, **settings: Any) -> Gan:
    gan = small(label, **settings)
    gan.prepare_training(CPU, torch.float32)
    return gan


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def batch(count: int = 4) -> Tensor:
    return torch.rand(count, 3, 32, 32, generator=seeded(5)) * 2 - 1


def pictures() -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (len(LABELS), 32, 32, 3), dtype=np.uint8)


def embeddings(gan: Gan) -> list[ClassEmbedding]:
    return [
        module
        for network in gan.networks().values()
        for module in network.modules()
        if isinstance(module, ClassEmbedding)
    ]


def test_the_kinds_with_classes_are_those_that_the_spec_names() -> None:
    with_classes = {
        name
        for name in registry.names()
        if "classes" in registry._KINDS[name].settings_type.__dataclass_fields__
    }
    assert with_classes == set(CONDITIONAL_GANS) == {label.split(",")[0] for label in SMALL}


def test_the_share_rises_in_a_straight_line() -> None:
    shares = [risen(fraction, 0.2, 0.4) for fraction in (0, 0.2, 0.3, 0.6, 0.9)]
    assert shares == pytest.approx([0, 0, 0.25, 1, 1])
    assert [risen(fraction, 0.5, 0.0) for fraction in (0.4, 0.5)] == [0, 1]


def test_a_projection_equals_the_one_written_out() -> None:
    embedding = ClassEmbedding(3, 4)
    embedding.share.fill_(0.5)
    features, labels = torch.randn(2, 4), torch.tensor([2, 0])
    wanted = [
        0.5 * float(features[row] @ embedding.weight[label].detach()) / 2
        for row, label in enumerate(labels.tolist())
    ]
    assert embedding.project(features, labels).flatten().tolist() == pytest.approx(wanted)


@pytest.mark.parametrize("label", SMALL)
def test_before_they_are_let_in_labels_change_nothing_and_learn_nothing(label: str) -> None:
    losses = []
    for labels in ([0, 0, 1, 1], [1, 1, 0, 0]):
        gan = prepared(label)
        before = [embedding.weight.clone() for embedding in embeddings(gan)]
        losses.append(gan.step(batch(), seeded(1), 0.1, torch.tensor(labels)))
        for embedding, weight in zip(embeddings(gan), before, strict=True):
            assert embedding.share == 0
            assert torch.equal(embedding.weight, weight)
    for name, loss in losses[0].items():
        assert torch.equal(loss, losses[1][name]), name


@pytest.mark.parametrize("label", SMALL)
def test_once_let_in_both_networks_learn_the_classes(label: str) -> None:
    gan = prepared(label)
    before = [embedding.weight.clone() for embedding in embeddings(gan)]
    labels = torch.tensor([0, 0, 1, 1])
    for number, fraction in enumerate((0.375, 0.6, 0.6, 0.6)):
        losses = gan.step(batch(), seeded(number), fraction, labels)
        assert all(torch.isfinite(loss) for loss in losses.values())
        assert embeddings(gan)[0].share == (0.5 if number == 0 else 1)
    assert len(embeddings(gan)) == 2
    for embedding, weight in zip(embeddings(gan), before, strict=True):
        assert (embedding.weight != weight).any(1).all()
    latents = gan.latents_for([1, 2])
    assert latents["label"].tolist() == [1, 1]
    with torch.no_grad():
        gan.generator.eval()
        ours = gan.generator(latents)
        others = gan.generator({**latents, "label": torch.zeros(2, dtype=torch.int64)})
    assert not torch.equal(ours, others)


def test_what_normalises_the_samples_has_seen_all_classes_alike() -> None:
    labels = prepared("dcgan").random_latents(400, seeded())["label"]
    assert 150 < int(labels.sum()) < 250


@pytest.mark.parametrize(
    ("label", "steps", "settings"),
    [
        ("dcgan", 200, {"learning_rate": 1e-2}),
        ("dcgan, relativistic", 80, {"learning_rate": 1e-2, "gamma_start": 0.1, "gamma_end": 0.1}),
        ("fastgan", 40, {"learning_rate": 1e-2}),
        ("stylegan2", 70, {"learning_rate": 5e-3, "width": 16, "path_weight": 0.0}),
    ],
)
def test_each_class_is_learnt_for_itself(label: str, steps: int, settings: dict[str, Any]) -> None:
    """One class is bright, the other dark: images drawn of one are not those of the other."""
    wanted = torch.tensor([-0.7, 0.7])
    gan = prepared(label, augment="none", blend_start=0.0, blend_length=0.0, **settings)
    labels = torch.tensor([0, 1] * 4)
    random = seeded()
    real = wanted[labels][:, None, None, None] + 0.05 * batch(8)
    for _ in range(steps):
        gan.step(real, random, 0.9, labels)
    weights = sampling_weights(gan, None)
    means = []
    for drawn in (0, 1):
        of_class = gan.settings_dict() | {"drawn_class": drawn}
        model = TrainedGenerator(gan.name, of_class, weights, "raw", 4, steps, "d")
        means.append(generate(model, range(16)).mean() / 127.5 - 1)
    assert means[0] < -0.2
    assert means[1] > 0.2


def run(label: str, **more: Any) -> TrainResult:
    config = TrainConfig(batch_size=2, epochs=4, ema_decay=0.9, snapshots=2, sample_count=2)
    return train(small(label), pictures(), config, labels=LABELS, data_digest="d", **more)


@pytest.mark.parametrize("label", SMALL)
def test_a_training_with_labels_resumed_equals_one_undisturbed(label: str, tmp_path: Path) -> None:
    undisturbed = run(label)
    asked = iter(range(100))
    with pytest.raises(Stopped):
        run(label, checkpoint_dir=tmp_path, should_stop=lambda: next(asked) == 7)
    torch.manual_seed(9)
    resumed = run(label, checkpoint_dir=tmp_path)
    assert resumed.model.to_bytes() == undisturbed.model.to_bytes()
    assert resumed.history == undisturbed.history
    assert undisturbed.model.step == 12  # 4 epochs of 3 images of each of 2 classes, in twos
    assert undisturbed.model.real_count == 3


def test_an_epoch_shows_every_rare_image_once_and_as_many_common_ones() -> None:
    shown = [balanced_order(LABELS, 1, 0, epoch).tolist() for epoch in range(30)]
    for rows in shown:
        assert sorted(row for row in rows if row >= 5) == [5, 6, 7]
        assert len({row for row in rows if row < 5}) == 3
    assert {row for rows in shown for row in rows} == set(range(8))
    assert shown[0] == balanced_order(LABELS, 1, 0, 0).tolist() != shown[1]
    common = balanced_order(LABELS, 0, 0, 0).tolist()  # more than there are of the other class
    assert sorted(row for row in common if row < 5) == [0, 1, 2, 3, 4]
    assert sum(row >= 5 for row in common) == 5


def test_each_image_goes_with_its_own_label(monkeypatch: pytest.MonkeyPatch) -> None:
    gan = small("dcgan")
    images = pictures()
    images[:] = LABELS[:, None, None, None] * 200
    run_ = Run(gan, images, TrainConfig(batch_size=3, epochs=2), CPU, labels=LABELS)
    step = gan.step
    seen: list[tuple[float, int]] = []

    def watched(real: Tensor, random: Any, fraction: float, labels: Tensor) -> dict[str, Tensor]:
        seen.extend(zip(real.mean((1, 2, 3)).tolist(), labels.tolist(), strict=True))
        return step(real, random, fraction, labels)

    monkeypatch.setattr(gan, "step", watched)
    while run_.epoch < 2:
        run_.step()
    assert {(value > 0, label) for value, label in seen} == {(False, 0), (True, 1)}


@pytest.mark.parametrize(
    "settings",
    [{"classes": 1, "drawn_class": 0}, {"classes": -1}, {"drawn_class": 2}, {"classes": 2.0}],
)
def test_classes_that_cannot_be_are_refused(settings: dict[str, Any]) -> None:
    for label in SMALL:
        with pytest.raises(GraftError) as refused:
            small(label, **settings)
        assert refused.value.code == "setting_out_of_range"
