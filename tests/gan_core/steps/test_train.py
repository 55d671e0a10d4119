"""What a training leaves of its discriminator: scores of its images and of unseen ones."""

from pathlib import Path

import numpy as np
import pytest

from gan_core.benchmark.subsets import nested_subset
from gan_core.gans.base import Gan
from gan_core.phantoms import draw_phantoms
from gan_core.progress import ignore_progress, never_stop
from gan_core.reading import PackedDataset, pack
from gan_core.steps import StepContext, StepSettings, run_step
from gan_core.steps import train as train_step
from gan_core.training.fit import fit_to_size
from gan_core.training.membership import discriminator_scores
from gan_core.unseen import unseen_images

MEMBERS = 5


@pytest.mark.parametrize(("train_images", "source"), [(30, "held-out"), (7, "test")])
def test_members_and_unseen_images_are_scored_and_no_weight_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, train_images: int, source: str
) -> None:
    counts = {
        "train": {"benign": 4, "malignant": train_images},
        "test": {"benign": 2, "malignant": 6},
    }
    draw_phantoms(tmp_path / "phantoms", counts=counts, image_size=48)
    pack(tmp_path / "phantoms", tmp_path / "packed", image_size=48)
    trained: list[Gan] = []

    def scored(gan: Gan, *rest: np.ndarray, **more: object) -> np.ndarray:
        trained.append(gan)
        return discriminator_scores(gan, *rest)

    monkeypatch.setattr(train_step, "discriminator_scores", scored)
    monkeypatch.setattr(train_step, "_judge", lambda *_: None)
    for name in ("outputs", "checkpoints"):
        (tmp_path / name).mkdir()
    made = run_step(
        StepContext(
            name="train:dcgan:5:s3",
            kind="train",
            key="k",
            params={
                "gan": "dcgan",
                "image_size": 32,
                "batch_size": 4,
                "epochs": 1,
                "ema_decay": None,
                "snapshots": 1,
                "rare_class": "malignant",
                "real_count": MEMBERS,
                "subset": 3,
                "seed": 3,
                "settings": {"width": 4, "latent_dim": 8},
            },
            inputs={"dataset": tmp_path / "packed"},
            outputs=tmp_path / "outputs",
            checkpoints=tmp_path / "checkpoints",
            settings=StepSettings(device="cpu", cache_dir=tmp_path / "cache"),
            job={},
            on_progress=ignore_progress,
            should_stop=never_stop,
        )
    )
    (output,) = [file for file in made if file["name"] == "membership.npz"]
    assert output["kind"] == "internal"
    found = np.load(tmp_path / "outputs" / "membership.npz", allow_pickle=False)
    assert sorted(found.files) == ["members", "others", "source"]
    assert str(found["source"]) == source

    dataset = PackedDataset.open(tmp_path / "packed")
    members = nested_subset(dataset.labels("train"), 1, MEMBERS, 3)
    unseen = unseen_images(dataset, 1, members, without=np.empty(0, np.int64), seed=3)
    assert unseen.source == source
    assert not (source == "held-out" and np.isin(unseen.rows, members).any())
    for name, split, rows in (
        ("members", "train", members),
        ("others", unseen.split, unseen.rows),
    ):
        expected = discriminator_scores(trained[0], fit_to_size(dataset.images(split)[rows], 32))
        np.testing.assert_allclose(found[name], expected, rtol=1e-4)
    assert len(found["others"]) == (train_images - MEMBERS if source == "held-out" else 6)
