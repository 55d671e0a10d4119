"""What a GAN learnt from beside its real images of the rare class, in words for the report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def how_it_learnt(card: Mapping[str, Any]) -> dict[str, str]:
    """Say what a model's card tells of its training beyond the usual; empty for a usual one.

    Args:
        card: What the train step wrote beside the model.
    """
    told: dict[str, str] = {}
    training = card["training"]
    if "pretrained" in card:
        first = card["pretrained"]
        counts = [f"{count} {name}" for name, count in first["images"].items() if count]
        told["first trained on"] = f"{', '.join(counts)}; {first['step']} steps"
        if first["training"]["images"] == "other-classes":
            # Its chance is in no spread over subsets.
            told["first trained on"] += ", once for all subsets and real counts"
    if training.get("freeze_d"):
        told["frozen blocks of the discriminator"] = str(training["freeze_d"])
    if "privacy" in card:
        promise = card["privacy"]
        told["differential privacy"] = (
            f"ε = {promise['epsilon']:.4f} at δ = {promise['delta']:g}, for the"
            f" {promise['covers']} that it was trained on; the pictures and figures here are"
            " computed from real images and not covered"
        )
    if "classes" in card:
        told["trained with the labels"] = ", ".join(card["classes"])
    if training.get("settings"):
        settings = training["settings"]
        told["own settings"] = ", ".join(f"{name} {settings[name]}" for name in sorted(settings))
    return told
