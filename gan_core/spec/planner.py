"""A job's graph under way: what each real count, subset and GAN adds to it."""

from __future__ import annotations

import math
from typing import Any

from gan_core.spec.errors import GraftError
from gan_core.spec.graph import Graph
from gan_core.spec.job import GanSpec, StudySpec
from gan_core.spec.privacy import TIMES_AS_LONG
from gan_core.spec.speeds import (
    SECONDS_PER_FEATURE,
    Speeds,
    Workload,
    generating,
    training,
    upscaling,
)
from gan_core.spec.steps import DatasetFacts, StepInput, folder_name

MAX_STEPS = 5_000
MAX_SYNTHETIC_BYTES = 256 * 2**30

Made = dict[str, str]
"""The steps of one GAN, real count and subset: kind → name. ``generate`` is that whose images are
upscaled: the screen, where there is one."""


def from_step(name: str, soft_group: int | None = None) -> StepInput:
    """Return an input that is another step's outputs."""
    return StepInput(source="step", step=name, soft_group=soft_group)


class Planner(Graph):
    """Adds the steps that make images, and those that look at them.

    Args:
        spec: Resolved.
        dataset: What is known of the data set.
        weights_sha256: Of the operator's own Real-ESRGAN weights; None: the package's.
        speeds: Of the devices at hand.
    """

    def __init__(
        self,
        spec: StudySpec,
        dataset: DatasetFacts,
        weights_sha256: str | None,
        speeds: Speeds | None,
    ) -> None:
        if spec.rare_class is None:
            raise ValueError("resolve the spec first")
        super().__init__(dataset, speeds or Speeds())
        self.spec = spec
        self.weights_sha256 = weights_sha256
        self.rare_class: str = spec.rare_class
        self.train_counts = dataset.train_counts()
        self.available = self.train_counts[self.rare_class]
        self.others = sum(self.train_counts.values()) - self.available
        # Steps of a job that leaves nothing out keep their keys.
        self.leaks = {"leaks": "leave-out"} if spec.leaks == "leave-out" else {}

    def real_count(self, asked: int | str) -> int:
        """Return a real count as a number."""
        return self.available if isinstance(asked, str) else asked

    def fill_to(self) -> int:
        """Return how many images of the rare class there are once it is filled up."""
        if self.spec.balance_to == "full-class":
            return self.available
        if self.spec.balance_to == "majority":
            return max(self.train_counts.values())
        return self.spec.balance_to

    def n_fakes(self, asked: int | str) -> int:
        """Return how many synthetic images fill the class; 0: there is nothing to fill."""
        return max(0, self.fill_to() - self.real_count(asked))

    def dataset_input(self) -> dict[str, StepInput]:
        """Return the input that nearly every step reads."""
        return {"dataset": StepInput(source="dataset")}

    def add_gan(self, gan: GanSpec, asked: int | str, subset: int) -> Made | None:
        """Add train, generate, screen and upscale; None when there is nothing to fill."""
        count, needed = self.real_count(asked), self.n_fakes(asked)
        if not needed:
            return None
        label = f"{gan.name}:{asked}:s{subset}"
        if gan.privacy is not None:
            gan.privacy.delta_for(count)  # refused now, and not hours later
        batch_size, epochs = gan.schedule_for(count)
        size, settings, screen = gan.image_size, gan.own_settings(), self.spec.screen
        train = self.add(
            name=f"train:{label}",
            kind="train",
            queue="gpu",
            params={
                "gan": gan.name,
                "image_size": size,
                "batch_size": batch_size,
                "epochs": epochs,
                "ema_decay": gan.ema_decay,
                "snapshots": gan.snapshots,
                "keep": gan.keep,
                "stop_early": gan.stop_early,
                "near_copy_rms": screen.near_copy_rms,
                "rare_class": self.rare_class,
                "real_count": count,
                "subset": subset,
                "seed": subset,
                **gan.learning_params(),
                **self.leaks,
            },
            inputs=self.dataset_input() | self.start_of(gan, asked, subset),
            # With labels an epoch shows as many images of every class.
            work=training(
                gan.name,
                size,
                batch_size,
                count
                * epochs
                * (1 if gan.conditional == "none" else len(self.train_counts))
                * (1 if gan.privacy is None else TIMES_AS_LONG),
                settings,
            ),
        )
        drawn = math.ceil(needed * screen.draw)
        generate = self.add(
            name=f"generate:{label}",
            kind="generate",
            queue="gpu",
            params={"count": drawn, "first_seed": 0},
            inputs={"train": from_step(train)},
            work=generating(gan.name, size, drawn, settings),
        )
        made = {"train": train, "generate": generate}
        if screen.chooses():
            made |= {"drawn": generate}
            made["generate"] = self.add_screen(gan, asked, subset, made)
        made["upscale"] = self.add_upscale(f"upscale:{label}", made["generate"], size, needed)
        return made

    def add_screen(self, gan: GanSpec, asked: int | str, subset: int, made: Made) -> str:
        """Add the choice of images among those that were drawn."""
        screen, drawn = self.spec.screen, self.steps[made["generate"]].params["count"]
        return self.add(
            name=f"screen:{gan.name}:{asked}:s{subset}",
            kind="screen",
            queue="gpu",
            params={
                "count": self.n_fakes(asked),
                "rare_class": self.rare_class,
                "real_count": self.real_count(asked),
                "subset": subset,
                **screen.model_dump(exclude={"draw"}),
                **self.leaks,
            },
            inputs=self.dataset_input()
            | {
                "generate": from_step(made["generate"]),
                "train": from_step(made["train"]),
                "features": from_step(self.add_features(gan.image_size)),
            },
            work=Workload("screen", drawn, SECONDS_PER_FEATURE),
        )

    def add_upscale(
        self, name: str, images: str, size: int, count: int, *, first: int | None = None
    ) -> str:
        """Add the upscaling of a step's images, of all or of the first so many."""
        return self.add(
            name=name,
            kind="upscale",
            queue="gpu",
            params=self.upscale_params() | ({} if first is None else {"first": first}),
            inputs={"generate": from_step(images)},
            work=upscaling(self.spec.upscale.engine, size, self.spec.upscale.size, count),
        )

    def start_of(self, gan: GanSpec, asked: int | str, subset: int) -> dict[str, StepInput]:
        """Add what a GAN learns before it turns to the rare class, if anything: a train's input.

        From the other classes alone it is one step for all real counts and subsets. With the rare
        class's images it is one for each, for a column's GAN may see that column's images only.
        """
        if gan.pretrain == "none":
            return {}
        params: dict[str, Any] = {
            "gan": gan.name,
            "image_size": gan.image_size,
            "ema_decay": gan.ema_decay,
            "rare_class": self.rare_class,
            "images": gan.pretrain,
            "seed": 0,
            **self.leaks,
        }
        name, count = f"pretrain:{gan.name}", self.others
        # The same GAN may stand twice in a spec, trained in another way for other real counts.
        if number := [other for other in self.spec.gans if other.name == gan.name].index(gan):
            name = f"{name}:{number + 1}"
        if gan.pretrain == "all-classes":
            real_count = self.real_count(asked)
            params |= {"real_count": real_count, "subset": subset, "seed": subset}
            name, count = f"{name}:{asked}:s{subset}", count + real_count
        if settings := gan.own_settings():
            params["settings"] = settings
        batch_size, epochs = gan.schedule_for(count)
        epochs = gan.pretrain_epochs or epochs
        params |= {"batch_size": batch_size, "epochs": epochs}
        step = self.add(
            name=name,
            kind="pretrain",
            queue="gpu",
            params=params,
            inputs=self.dataset_input(),
            work=training(gan.name, gan.image_size, batch_size, count * epochs, settings),
        )
        return {"pretrain": from_step(step)}

    def upscale_params(self) -> dict[str, Any]:
        """Return the upscaler of the spec, as a step is told of it."""
        params = self.spec.upscale.model_dump()
        if params["engine"] == "realesrgan" and self.weights_sha256 is not None:
            params["weights_sha256"] = self.weights_sha256
        return params

    def add_features(self, image_size: int | None = None) -> str:
        """Add the one extraction of the data set's features.

        With an image size it is that of its training images, brought to that size and up again.
        """
        name = "features" if image_size is None else f"features:{image_size}"
        if name in self.steps:
            return name
        images = self.dataset.total()
        if image_size is not None:
            images = sum(self.train_counts.values())
        return self.add(
            name=name,
            kind="features",
            queue="gpu",
            params={} if image_size is None else {"image_size": image_size},
            inputs=self.dataset_input(),
            work=Workload("features", images, SECONDS_PER_FEATURE),
        )

    def add_set_features(self, name: str, upscaled: str, count: int) -> str:
        """Add the extraction of a set of synthetic images' features."""
        return self.add(
            name=name,
            kind="features",
            queue="gpu",
            params={},
            inputs={"images": from_step(upscaled)},
            work=Workload("features", count, SECONDS_PER_FEATURE),
        )

    def add_control(self, image_size: int) -> str:
        """Add real images of the rare class at a GAN's size and up again, with their features."""
        name = f"control:{image_size}"
        if name in self.steps:
            return name
        # All of them, though one column needs fewer: another column then changes nothing.
        images = self.available
        upscale = upscaling(self.spec.upscale.engine, image_size, self.spec.upscale.size, images)
        work = Workload(f"control {upscale.name}", images, upscale.typical + SECONDS_PER_FEATURE)
        return self.add(
            name=name,
            kind="control",
            queue="gpu",
            params={
                "image_size": image_size,
                "rare_class": self.rare_class,
                "upscale": self.upscale_params(),
                **self.leaks,
            },
            inputs=self.dataset_input(),
            work=work,
        )

    def add_inspection(self, gan: GanSpec, asked: int | str, subset: int, made: Made) -> None:
        """Add what is found of one set of images: quality, privacy, shortcuts."""
        needed = self.n_fakes(asked)
        made["inspect"] = self.add(
            name=f"inspect:{gan.name}:{asked}:s{subset}",
            kind="inspect",
            queue="gpu",
            params={
                "gan": gan.name,
                "image_size": gan.image_size,
                "rare_class": self.rare_class,
                "real_count": self.real_count(asked),
                "real_count_label": str(asked),
                "subset": subset,
                "near_copy_rms": self.spec.screen.near_copy_rms,
                **self.leaks,
            },
            inputs=self.dataset_input()
            | {
                "features": from_step(self.add_features()),
                "control": from_step(self.add_control(gan.image_size)),
                "train": from_step(made["train"]),
                "fakes": from_step(made["upscale"]),
                "fakes-features": from_step(made["features"]),
            },
            work=Workload("inspect", needed + self.real_count(asked) + 400, SECONDS_PER_FEATURE),
        )

    def shown_spec(self) -> dict[str, Any]:
        """Return the spec as it is stored with what comes of it."""
        return self.spec.model_dump(mode="json", exclude={"dataset_id", "priority"})

    def packed_size(self) -> int:
        """Return the side of the largest image that is made, in pixels."""
        return max(self.spec.upscale.size, self.spec.output.size or 0)

    def check_size(self) -> None:
        """Refuse what no machine of ours would ever finish.

        Raises:
            GraftError: ``study_too_large``.
        """
        images = sum(s.params["count"] for s in self.steps.values() if s.kind == "generate")
        packed = images * 3 * self.packed_size() ** 2
        if len(self.steps) > MAX_STEPS or packed > MAX_SYNTHETIC_BYTES:
            raise GraftError(
                "study_too_large",
                f"The study asks for {len(self.steps)} steps and {images} synthetic images"
                f" ({packed / 2**30:.0f} GiB); the limits are {MAX_STEPS} steps and"
                f" {MAX_SYNTHETIC_BYTES / 2**30:.0f} GiB.",
                "Ask for fewer real counts, subsets or GANs, a smaller `balance_to`, or smaller"
                " images.",
            )

    def add_report(self, evaluations: list[str], made: list[Made]) -> None:
        """Add the report, which reads every evaluation, training, set and finding.

        It is made of what there is; without a single evaluation (or, where none was asked for,
        without a single set of images) there is nothing to report.
        """
        groups = dict.fromkeys(evaluations, 1)
        for steps in made:
            for kind, name in steps.items():
                groups[name] = 1 if kind == "upscale" and not evaluations else 0
        groups |= dict.fromkeys((s.name for s in self.steps.values() if s.kind == "control"), 0)
        # What the others read, the report has no use for.
        unused = {steps[kind] for steps in made for kind in steps if kind in _NOT_REPORTED}
        unused |= {steps["generate"] for steps in made if "drawn" not in steps}
        inputs = {
            folder_name(name): from_step(name, group)
            for name, group in groups.items()
            if name not in unused
        }
        self.add(
            name="report",
            kind="report",
            queue="cpu",
            params={"spec": self.shown_spec()},
            inputs=self.dataset_input() | inputs,
            work=Workload("report", 1, 10.0),
        )

    def add_package(self, made: list[Made]) -> None:
        """Add the zip, which reads every model and its images, and the verdicts for its card.

        It holds the sets that there are; without a single one there is nothing to pack.
        """
        inputs = {"report": from_step("report")} | {
            folder_name(steps[kind]): from_step(steps[kind], 1 if kind == "upscale" else 0)
            for steps in made
            for kind in ("train", "generate", "upscale", "inspect")
            if kind in steps
        }
        images = sum(s.params["count"] for s in self.steps.values() if s.kind == "generate")
        self.add(
            name="package",
            kind="package",
            queue="cpu",
            params={"spec": self.shown_spec()},
            inputs=self.dataset_input() | inputs,
            work=Workload(f"package {self.packed_size()}px", images, 0.02),
        )


_NOT_REPORTED = ("drawn", "features", "unscreened", "unscreened-features")
