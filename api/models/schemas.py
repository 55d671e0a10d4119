"""What is answered about models."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Self

from pydantic import BaseModel, ConfigDict

from gan_core.spec import ModelSource
from store.repositories.models import TrainedModel


class ModelView(BaseModel):
    """A trained generator."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    id: str
    """Also that of the artifact which holds its weights."""
    job_id: str
    dataset_id: str
    gan: str
    image_size: int
    """Side in pixels of the images that it makes."""
    rare_class: str
    """The class whose images it makes."""
    real_count: int
    """Real images that it was trained on."""
    subset: int
    """Seed of the subset of real images that it was trained on."""
    name: str
    """Of its file."""
    size: int
    """Bytes."""
    sha256: str
    """Of its file, hex: equal for a model that two studies share."""
    created_at: datetime
    """When its job had it: trained it, or took it over from a study before."""
    removed_at: datetime | None
    """When its file was deleted because it had been kept for long enough; null: it is there."""
    links: dict[str, str]

    @classmethod
    def of(cls, model: TrainedModel) -> Self:
        """Return the view of a model."""
        return cls(**_facts(model))


class ModelDetailView(ModelView):
    """A trained generator with its card."""

    categories: int
    """Values of `category` that can be chosen, from 0; 0: it has none."""
    codes: int
    """Continuous codes that can be chosen, each from -1 to 1; 0: it has none."""
    data_digest: str
    """Of the data that it was trained on."""
    settings: dict[str, Any]
    """Of the GAN."""
    training: dict[str, Any]
    """How it was trained."""
    quality: dict[str, Any] | None
    """Figures of its images' quality and of near-copies among them; null: none were taken."""
    card: dict[str, Any]
    """The whole card, as the training left it."""

    @classmethod
    def with_card(cls, model: TrainedModel, card: dict[str, Any]) -> Self:
        """Return the view of a model and its card."""
        source = source_of(model, card)
        quality = card.get("quality")
        return cls(
            **_facts(model),
            categories=source.categories(),
            codes=source.codes(),
            data_digest=str(card.get("data_digest", "")),
            settings=source.settings,
            training=model.step.params,
            quality=quality if isinstance(quality, dict) else None,
            card=card,
        )


def source_of(model: TrainedModel, card: dict[str, Any]) -> ModelSource:
    """Return what planning has to know of a model."""
    return ModelSource(
        train_step=model.step.name,
        key=model.step.key,
        code_version=model.step.code_version or 0,
        params=model.step.params,
        settings=card.get("settings", {}),
    )


def _facts(model: TrainedModel) -> dict[str, Any]:
    artifact, params = model.artifact, model.step.params
    here = f"/v1/models/{artifact.id}"
    return {
        "id": artifact.id,
        "job_id": artifact.job_id,
        "dataset_id": model.dataset_id,
        **{name: params[name] for name in ("gan", "image_size", "rare_class", "real_count")},
        "subset": params["subset"],
        "name": artifact.name,
        "size": artifact.size,
        "sha256": artifact.sha256,
        "created_at": artifact.created_at,
        "removed_at": artifact.removed_at,
        "links": {
            "self": here,
            "images": f"{here}/images",
            "content": f"/v1/artifacts/{artifact.id}/content",
            "job": f"/v1/jobs/{artifact.job_id}",
            "dataset": f"/v1/datasets/{model.dataset_id}",
        },
    }
