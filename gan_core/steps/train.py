"""train: one GAN learns from one real subset of the rare class."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from gan_core.benchmark.subsets import nested_subset, training_pool
from gan_core.environment import describe_device
from gan_core.features import NAME, FeatureExtractor
from gan_core.gans.base import Gan
from gan_core.gans.registry import create
from gan_core.generating import codes, sweep
from gan_core.leaks import left_out
from gan_core.progress import Notice, if_slow, part
from gan_core.reading import PackedDataset
from gan_core.screening import thumbnails
from gan_core.spec.privacy import PrivacySpec
from gan_core.steps import pretrain
from gan_core.steps.context import Output, StepContext
from gan_core.steps.live import CourseWriter
from gan_core.training.config import images_digest
from gan_core.training.fit import fit_to_size
from gan_core.training.judging import (
    DEFAULT_NEAR_COPY_RMS,
    LEAST_IMAGES,
    MOST_JUDGED_AGAINST,
    Judge,
)
from gan_core.training.loop import TrainConfig, TrainResult, train
from gan_core.training.membership import discriminator_scores
from gan_core.training.privacy import (
    ACCOUNTANT,
    PrivateTraining,
    private_training,
    rounded_up,
)
from gan_core.training.start import Start
from gan_core.unseen import unseen_images

MOST_OTHERS_COMPARED = 5000
MEMBERSHIP = "membership.npz"
"""Of the discriminator; internal, for the inspect step."""


def run(context: StepContext) -> list[Output]:
    """Write the model, its card, its course, scores of the discriminator, code sweeps."""
    params = context.params
    dataset = PackedDataset.open(context.inputs["dataset"])
    rare_index = dataset.classes.index(params["rare_class"])
    labels, settings = dataset.labels("train"), params.get("settings", {})
    without = left_out(dataset, params)
    chosen = nested_subset(
        labels, rare_index, params["real_count"], params["subset"], without=without
    )
    is_conditional = params.get("conditional", "none") != "none"
    if is_conditional:
        chosen = training_pool(labels, rare_index, chosen, without=without)
        settings = settings | {"classes": len(dataset.classes), "drawn_class": rare_index}
    images = fit_to_size(
        dataset.images("train")[chosen],
        params["image_size"],
        on_progress=if_slow(part(context.on_progress, 0.0, 0.0)),
        should_stop=context.should_stop,
    )
    gan = create(params["gan"], image_size=params["image_size"], **settings)
    begins, pretrained = None, None
    if "pretrain" in context.inputs:
        begins = Start.load(context.inputs["pretrain"] / pretrain.NETWORKS)
        pretrained = context.read_json("pretrain", pretrain.NOTE)
    privacy = _privacy(params)
    config = TrainConfig(
        batch_size=params["batch_size"],
        epochs=params["epochs"],
        seed=params["seed"],
        ema_decay=params["ema_decay"],
        snapshots=params["snapshots"],
        # Not in steps that the version before has planned.
        keep=params.get("keep", "last"),
        stop_early=params.get("stop_early", False),
        checkpoint_seconds=context.settings.checkpoint_seconds,
        freeze_d=params.get("freeze_d", 0),
        privacy=privacy,
        label=f"{params['gan']}, {params['real_count']} real",
    )
    device = context.settings.torch_device()
    context.on_notice(Notice(f"The training runs on {describe_device(device)['name']}."))
    show = CourseWriter(context, config.label)
    result = train(
        gan,
        images,
        config,
        device=device,
        data_digest=dataset.digest,
        # Whatever looks at real images without noise is not covered by what is promised.
        judge=None
        if privacy is not None
        else _judge(
            context, images[labels[chosen] == rare_index], _learnt_from(params, dataset), device
        ),
        begins=begins,
        labels=labels[chosen] if is_conditional else None,
        checkpoint_dir=context.checkpoints,
        on_progress=context.on_progress,
        should_stop=context.should_stop,
        on_course=show,
        on_notice=context.on_notice,
    )
    # Each model of a job has a name of its own, for whoever downloads them all.
    name = f"model-{params['gan']}-{params['real_count']}-s{params['subset']}"
    result.model.save(context.outputs / f"{name}.safetensors")
    card = {**result.model.card(), "training": params, "device": describe_device(device)}
    card |= _quality(result, config.keep)
    card["learnt_from"] = _by_class(dataset, chosen, pretrained)
    if is_conditional:
        card["classes"] = list(dataset.classes)
    if pretrained is not None:
        card["pretrained"] = pretrained
    if privacy is not None:
        card["privacy"] = _promise(privacy, params["privacy"]["epsilon"], result.model.step)
    if result.notices:
        card["notices"] = result.notices
    context.write_json(f"{name}.json", card)
    context.write_json("history.json", result.history)
    context.write_json("judgements.json", [found.as_dict() for found in result.judgements])
    np.savez(
        context.outputs / "snapshots.npz",
        images=np.stack([snapshot.images for snapshot in result.snapshots]),
        epochs=np.array([snapshot.epoch for snapshot in result.snapshots]),
    )
    outputs = [
        Output(f"{name}.safetensors", "model", "application/octet-stream"),
        Output(f"{name}.json", "model-card", "application/json"),
        Output("history.json"),
        Output("judgements.json"),
        Output("snapshots.npz"),
        Output(MEMBERSHIP),
        *show.finish(result.ended),
    ]
    rare = labels[chosen] == rare_index
    _write_membership(
        context, dataset, gan, images=images[rare], members=chosen[rare], without=without
    )
    if (n_codes := codes(result.model)) > 0:
        sweeps = [sweep(result.model, code=code, device=device) for code in range(n_codes)]
        np.save(context.outputs / "sweeps.npy", np.stack(sweeps), allow_pickle=False)
        outputs.append(Output("sweeps.npy"))
    return outputs


def _privacy(params: dict[str, Any]) -> PrivateTraining | None:
    """What the training promises, when it was asked for."""
    asked = params.get("privacy")
    if asked is None:
        return None
    spec = PrivacySpec.model_validate(asked)
    return private_training(
        epsilon=spec.epsilon,
        delta=spec.delta_for(params["real_count"]),
        real_count=params["real_count"],
        batch_size=params["batch_size"],
        epochs=params["epochs"],
        clip=spec.clip,
        discriminator_steps=spec.discriminator_steps,
    )


def _promise(privacy: PrivateTraining, asked: float, steps: int) -> dict[str, Any]:
    """What the card says of differential privacy."""
    return {
        "epsilon": rounded_up(privacy.epsilon(steps)),
        "delta": privacy.delta,
        "asked_epsilon": asked,
        "noise_multiplier": privacy.noise_multiplier,
        "clip": privacy.clip,
        "sample_rate": privacy.sample_rate,
        "steps": steps,
        "discriminator_steps": privacy.discriminator_steps,
        "accountant": ACCOUNTANT,
        "covers": "real images of the rare class",
    }


def _learnt_from(params: dict[str, Any], dataset: PackedDataset) -> NDArray[np.uint8]:
    """Thumbnails of all images that the GAN learns from, or has learnt from; uint8 [L, 32, 32, 3].

    Of other classes at most so many, spread evenly.
    """
    labels = dataset.labels("train")
    rare_index = dataset.classes.index(params["rare_class"])
    rows = nested_subset(
        labels,
        rare_index,
        params["real_count"],
        params["subset"],
        without=left_out(dataset, params),
    )
    if {params.get("pretrain", "none"), params.get("conditional", "none")} != {"none"}:
        others = np.flatnonzero(labels != rare_index)
        stride = max(1, -(-len(others) // MOST_OTHERS_COMPARED))
        rows = np.concatenate([rows, others[::stride]])
    images = dataset.images("train")
    return np.concatenate([thumbnails(images[rows[i : i + 512]]) for i in range(0, len(rows), 512)])


def _write_membership(
    context: StepContext,
    dataset: PackedDataset,
    gan: Gan,
    *,
    images: NDArray[np.uint8],
    members: NDArray[np.int64],
    without: NDArray[np.int64],
) -> None:
    """Write the discriminator's scores of the rare class's images that it learnt from, and others.

    ``members`` and ``others``, float32, and whose the latter are (``source``, see ``Unseen``).

    Args:
        context: Of the step.
        dataset: The data set.
        gan: Just trained.
        images: The members', at its size.
        members: Their training rows.
        without: Training rows that are those of test images.
    """
    params = context.params
    rare_index = dataset.classes.index(params["rare_class"])
    unseen = unseen_images(dataset, rare_index, members, without=without, seed=params["subset"])
    others = fit_to_size(dataset.images(unseen.split)[unseen.rows], gan.image_size)
    scores = discriminator_scores(
        gan,
        np.concatenate([images, others]),
        on_progress=if_slow(part(context.on_progress, 1.0, 1.0)),
        should_stop=context.should_stop,
    )
    np.savez(
        context.outputs / MEMBERSHIP,
        members=scores[: len(images)],
        others=scores[len(images) :],
        source=np.array(unseen.source),
    )


def _judge(
    context: StepContext,
    images: NDArray[np.uint8],
    learnt_from: NDArray[np.uint8],
    device: torch.device,
) -> Judge | None:
    """The judge of the snapshots; None for so few images that nothing can be said."""
    if len(images) < LEAST_IMAGES:
        return None
    if len(images) > MOST_JUDGED_AGAINST:
        some = np.random.default_rng(0).choice(len(images), MOST_JUDGED_AGAINST, replace=False)
        images = images[np.sort(some)]
    extractor = FeatureExtractor(device=device)
    # Kept among the checkpoints: a training that goes on does not compute them again.
    real = extractor.extract_into(
        context.checkpoints / "judged-real.npy",
        images,
        images_digest(images),
        on_progress=if_slow(part(context.on_progress, 0.0, 0.0)),
        should_stop=context.should_stop,
    )
    limit = context.params.get("near_copy_rms", DEFAULT_NEAR_COPY_RMS)
    return Judge(real, extractor.extract, learnt_from, near_copy_rms=float(limit))


def _by_class(
    dataset: PackedDataset, chosen: NDArray[np.int64], pretrained: dict[str, Any] | None
) -> dict[str, int]:
    """Training images of each class that the GAN has learnt from."""
    labels = dataset.labels("train")[chosen]
    first = {} if pretrained is None else pretrained["images"]
    counts = {
        # What was pretrained on of the rare class are the same images.
        name: max(int((labels == index).sum()), int(first.get(name, 0)))
        for index, name in enumerate(dataset.classes)
    }
    return {name: count for name, count in counts.items() if count}


def _quality(result: TrainResult, keep: str) -> dict[str, Any]:
    """What the card says of the generator's samples; nothing where they were not judged."""
    found = next((j for j in result.judgements if j.step == result.model.step), None)
    if found is None:
        return {}
    said = found.as_dict() | {
        "features": NAME,
        "against": "the training images"
        + ("; a snapshot was chosen by these figures" if keep == "best" else ""),
        "judged": len(result.judgements),
    }
    return {"quality": said} | ({"ended_early": result.ended} if result.ended else {})
