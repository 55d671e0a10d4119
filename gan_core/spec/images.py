"""``ImagesSpec``: what can be asked of a trained generator."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from gan_core.spec.job import OutputSpec, Priority, ScreenSpec, UpscaleSpec

MAX_IMAGES = 100_000
MAX_SEEDS = 10_000
SMALL = 64
"""Images up to this number are made in one step, and shown on a sheet."""

ImageSeed = Annotated[int, Field(ge=0, lt=2**32)]
Code = Annotated[float, Field(ge=-1.0, le=1.0)]

_DRAWING = ("truncation", "category", "codes", "interpolate")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)


class InterpolateSpec(_Strict):
    """A way from one seed's image to another's, along the sphere on which the noise lies."""

    from_seed: ImageSeed
    to_seed: ImageSeed
    steps: int = Field(default=8, ge=2, le=256)
    """Images, both ends included."""

    @model_validator(mode="after")
    def _leads_somewhere(self) -> Self:
        if self.from_seed == self.to_seed:
            raise ValueError("leads from a seed to itself")
        return self


class ImagesSpec(_Strict):
    """Images from one trained generator. Give a count, or seeds, or a way between two."""

    name: str = Field(default="", max_length=200)
    """A label for people."""
    count: int | None = Field(default=None, ge=1, le=MAX_IMAGES)
    """How many images; null: 16, where neither seeds nor a way are given."""
    first_seed: int = Field(default=0, ge=0, lt=2**32)
    """Of ``count`` images: they have this seed and those that follow. Each seed is one image of
    the model, always the same one."""
    seeds: list[ImageSeed] | None = Field(default=None, min_length=1, max_length=MAX_SEEDS)
    """The seeds of single images."""
    interpolate: InterpolateSpec | None = None
    """A way from one image to another."""
    truncation: float | None = Field(default=None, gt=0.0, le=1.0)
    """How far images may be from the typical one: the smaller, the more alike and the fewer odd
    ones. For StyleGAN2 the share of the way from the mean style, for the others the value at which
    their noise is cut off. null: as the model was trained."""
    category: int | None = Field(default=None, ge=0, lt=1000)
    """Of all images, from 0, for a model with categories; null: each image draws its own."""
    codes: list[Code] | None = Field(default=None, min_length=1, max_length=64)
    """All continuous codes of a model that has such; null: each image draws its own."""
    upscale: UpscaleSpec | None = None
    """How the images get to a larger size; null: they stay as the generator makes them."""
    output: OutputSpec = OutputSpec()
    screen: ScreenSpec = ScreenSpec()
    priority: Priority = "normal"
    """As for a study. Up to 64 images with a plain filter, or none, are somebody at a screen who
    waits: unless it is ``low`` they go before every study."""

    @field_validator("seeds")
    @classmethod
    def _seeds_once(cls, seeds: list[int] | None) -> list[int] | None:
        if seeds is not None and len(set(seeds)) != len(seeds):
            raise ValueError("holds the same seed twice")
        return seeds

    @model_validator(mode="after")
    def _one_choice_of_images(self) -> Self:
        given = [n for n in ("count", "seeds", "interpolate") if getattr(self, n) is not None]
        if len(given) > 1:
            raise ValueError(f"has {' and '.join(given)}, of which only one can be given")
        if "first_seed" in self.model_fields_set and given not in ([], ["count"]):
            raise ValueError(f"has first_seed, which goes with count alone, and {given[0]}")
        if self.first_seed + self.total() > 2**32:
            raise ValueError("would need seeds above 4294967295")
        return self

    def total(self) -> int:
        """Return how many images are asked for."""
        if self.seeds is not None:
            return len(self.seeds)
        return self.interpolate.steps if self.interpolate is not None else (self.count or 16)

    def is_small(self) -> bool:
        """Return whether a person can wait for them at a screen."""
        is_plain = self.upscale is None or self.upscale.engine == "lanczos"
        return is_plain and self.total() <= SMALL


class ModelSource(_Strict):
    """What planning has to know of a trained generator."""

    train_step: str
    """Name of the step that trained it: ``train:infogan:50:s0``."""
    key: str
    """Of that step, as it was carried out."""
    code_version: int = 0
    params: dict[str, Any]
    """Of that step."""
    settings: dict[str, Any] = Field(default_factory=dict)
    """Of the GAN, from the model's card."""

    def categories(self) -> int:
        """Return how many categories can be chosen; 0: it has none."""
        return int(self.settings.get("categories", 0))

    def codes(self) -> int:
        """Return how many continuous codes can be chosen; 0: it has none."""
        return int(self.settings.get("codes", 0))


def drawing_of(spec: dict[str, Any]) -> dict[str, Any]:
    """Return how images are drawn from their seeds, where that is not as the model was trained."""
    return {name: spec[name] for name in _DRAWING if spec.get(name) is not None}
