"""train: one GAN learns from one real subset of the rare class."""

from __future__ import annotations

import numpy as np

from gan_core.benchmark.subsets import nested_subset, training_pool
from gan_core.environment import describe_device
from gan_core.gans.registry import create
from gan_core.generating import codes, sweep
from gan_core.progress import if_slow, part
from gan_core.reading import PackedDataset
from gan_core.steps import pretrain
from gan_core.steps.context import Output, StepContext
from gan_core.training.fit import fit_to_size
from gan_core.training.loop import TrainConfig, train
from gan_core.training.start import Start


def run(context: StepContext) -> list[Output]:
    """Write the model, its card, the losses, the snapshots and the code sweeps."""
    params = context.params
    dataset = PackedDataset.open(context.inputs["dataset"])
    rare_index = dataset.classes.index(params["rare_class"])
    labels, settings = dataset.labels("train"), params.get("settings", {})
    chosen = nested_subset(labels, rare_index, params["real_count"], params["subset"])
    is_conditional = params.get("conditional", "none") != "none"
    if is_conditional:
        chosen = training_pool(labels, rare_index, chosen)
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
    config = TrainConfig(
        batch_size=params["batch_size"],
        epochs=params["epochs"],
        seed=params["seed"],
        ema_decay=params["ema_decay"],
        snapshots=params["snapshots"],
        checkpoint_seconds=context.settings.checkpoint_seconds,
        freeze_d=params.get("freeze_d", 0),
        label=f"{params['gan']}, {params['real_count']} real",
    )
    device = context.settings.torch_device()
    result = train(
        gan,
        images,
        config,
        device=device,
        data_digest=dataset.digest,
        begins=begins,
        labels=labels[chosen] if is_conditional else None,
        checkpoint_dir=context.checkpoints,
        on_progress=context.on_progress,
        should_stop=context.should_stop,
    )
    # Each model of a job has a name of its own, for whoever downloads them all.
    name = f"model-{params['gan']}-{params['real_count']}-s{params['subset']}"
    result.model.save(context.outputs / f"{name}.safetensors")
    card = {**result.model.card(), "training": params, "device": describe_device(device)}
    if is_conditional:
        card["classes"] = list(dataset.classes)
    if pretrained is not None:
        card["pretrained"] = pretrained
    if result.notices:
        card["notices"] = result.notices
    context.write_json(f"{name}.json", card)
    context.write_json("history.json", result.history)
    np.savez(
        context.outputs / "snapshots.npz",
        images=np.stack([snapshot.images for snapshot in result.snapshots]),
        epochs=np.array([snapshot.epoch for snapshot in result.snapshots]),
    )
    outputs = [
        Output(f"{name}.safetensors", "model", "application/octet-stream"),
        Output(f"{name}.json", "model-card", "application/json"),
        Output("history.json"),
        Output("snapshots.npz"),
    ]
    if (n_codes := codes(result.model)) > 0:
        sweeps = [sweep(result.model, code=code, device=device) for code in range(n_codes)]
        np.save(context.outputs / "sweeps.npy", np.stack(sweeps), allow_pickle=False)
        outputs.append(Output("sweeps.npy"))
    return outputs
