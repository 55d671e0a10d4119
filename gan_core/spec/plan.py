"""From a spec to the graph of steps that carries it out."""

from __future__ import annotations

import itertools
from typing import Any

from gan_core.spec.errors import GraftError
from gan_core.spec.graph import Graph
from gan_core.spec.job import GanSpec, StudySpec
from gan_core.spec.recommend import FEW_REAL_IMAGES
from gan_core.spec.speeds import (
    SECONDS_PER_CNN_IMAGE,
    SECONDS_PER_FEATURE,
    START_SECONDS,
    Speeds,
    Workload,
    generating,
    training,
    upscaling,
)
from gan_core.spec.steps import (
    STEP_VERSIONS,
    DatasetFacts,
    Plan,
    PlannedStep,
    StepInput,
    folder_name,
    step_key,
)

MAX_STEPS = 5_000
MAX_SYNTHETIC_BYTES = 256 * 2**30


def plan_ingest(upload_sha256: str, size_bytes: int, image_size: int) -> Plan:
    """Plan the one step that turns an upload into a data set."""
    params: dict[str, Any] = {"image_size": image_size}
    step = PlannedStep(
        name="ingest",
        kind="ingest",
        queue="cpu",
        params=params,
        inputs={"upload": StepInput(source="upload")},
        key=step_key("ingest", params, {"upload": upload_sha256}),
        estimate_seconds=START_SECONDS + size_bytes / 10e6,
        code_version=STEP_VERSIONS["ingest"],
    )
    return Plan(steps=[step])


class _Planner(Graph):
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

    def real_count(self, asked: int | str) -> int:
        return self.available if isinstance(asked, str) else asked

    def fill_to(self) -> int:
        if self.spec.balance_to == "full-class":
            return self.available
        if self.spec.balance_to == "majority":
            return max(self.train_counts.values())
        return self.spec.balance_to

    def add_gan(self, gan: GanSpec, asked: int | str, subset: int) -> dict[str, str] | None:
        """Add train, generate and upscale; None when there is nothing to fill."""
        count = self.real_count(asked)
        n_fakes = self.fill_to() - count
        if n_fakes <= 0:
            return None
        label = f"{gan.name}:{asked}:s{subset}"
        batch_size, epochs = gan.schedule_for(count)
        size = gan.image_size
        settings = gan.own_settings()
        train = self.add(
            name=f"train:{label}",
            kind="train",
            queue="gpu",
            params={
                "gan": gan.name,
                "image_size": gan.image_size,
                "batch_size": batch_size,
                "epochs": epochs,
                "ema_decay": gan.ema_decay,
                "snapshots": gan.snapshots,
                "keep": gan.keep,
                "stop_early": gan.stop_early,
                "near_copy_rms": self.spec.screen.near_copy_rms,
                "rare_class": self.rare_class,
                "real_count": count,
                "subset": subset,
                "seed": subset,
                **gan.learning_params(),
            },
            inputs={"dataset": StepInput(source="dataset")} | self.start_of(gan, asked, subset),
            # With labels an epoch shows as many images of every class.
            work=training(
                gan.name,
                size,
                batch_size,
                count * epochs * (1 if gan.conditional == "none" else len(self.train_counts)),
                settings,
            ),
        )
        generate = self.add(
            name=f"generate:{label}",
            kind="generate",
            queue="gpu",
            params={"count": n_fakes, "first_seed": 0},
            inputs={"train": StepInput(source="step", step=train)},
            work=generating(gan.name, size, n_fakes, settings),
        )
        upscale = self.add(
            name=f"upscale:{label}",
            kind="upscale",
            queue="gpu",
            params=self.upscale_params(),
            inputs={"generate": StepInput(source="step", step=generate)},
            work=upscaling(self.spec.upscale.engine, size, self.spec.upscale.size, n_fakes),
        )
        return {"train": train, "generate": generate, "upscale": upscale}

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
            inputs={"dataset": StepInput(source="dataset")},
            work=training(gan.name, gan.image_size, batch_size, count * epochs, settings),
        )
        return {"pretrain": StepInput(source="step", step=step)}

    def upscale_params(self) -> dict[str, Any]:
        params = self.spec.upscale.model_dump()
        if params["engine"] == "realesrgan" and self.weights_sha256 is not None:
            params["weights_sha256"] = self.weights_sha256
        return params

    def add_evaluation(
        self, asked: int | str, subset: int, features: str | None, gan: str, upscale: str | None
    ) -> str:
        """Add the arms without a GAN (``gan`` is "real") or those of one GAN."""
        bench = self.spec.benchmark
        count = self.real_count(asked)
        arms = bench.base_arms() if upscale is None else [f"gan:{gan}"]
        n_fakes = 0 if upscale is None else self.fill_to() - count
        runs = len(bench.seeds) * len(arms)
        work = Workload("evaluate probe", n_fakes, SECONDS_PER_FEATURE)
        if "seed-cnn" in bench.classifiers:
            # Beside it the probe's features take little.
            images = (self.others + count + n_fakes) * bench.seed_cnn.epochs * runs
            name = f"evaluate seed-cnn batch {bench.seed_cnn.batch_size}"
            work = Workload(name, images, SECONDS_PER_CNN_IMAGE)
        inputs = {"dataset": StepInput(source="dataset")}
        if features is not None:
            inputs["features"] = StepInput(source="step", step=features)
        if upscale is not None:
            inputs["fakes"] = StepInput(source="step", step=upscale)
        return self.add(
            name=f"evaluate:{gan}:{asked}:s{subset}",
            kind="evaluate",
            queue="gpu" if "seed-cnn" in bench.classifiers else "cpu",
            params={
                "arms": arms,
                "rare_class": self.rare_class,
                "real_count": count,
                "real_count_label": str(asked),
                "subset": subset,
                "seeds": list(bench.seeds),
                "classifiers": list(bench.classifiers),
                "seed_cnn": bench.seed_cnn.model_dump(),
            },
            inputs=inputs,
            work=work,
        )

    def add_features(self) -> str:
        """Add the one extraction of the probe's features."""
        return self.add(
            name="features",
            kind="features",
            queue="gpu",
            params={},
            inputs={"dataset": StepInput(source="dataset")},
            work=Workload("features", self.dataset.total(), SECONDS_PER_FEATURE),
        )

    def shown_spec(self) -> dict[str, Any]:
        return self.spec.model_dump(mode="json", exclude={"dataset_id", "priority"})

    def packed_size(self) -> int:
        """Return the side of the largest image that is made, in pixels."""
        return max(self.spec.upscale.size, self.spec.output.size or 0)

    def check_size(self, made: dict[str, dict[str, str]]) -> None:
        """Refuse what no machine of ours would ever finish."""
        images = sum(self.steps[m["generate"]].params["count"] for m in made.values())
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

    def add_report(self, evaluations: list[str], made: dict[str, dict[str, str]]) -> None:
        """Add the report, which reads every evaluation, training and upscaled set.

        It is made of what there is; without a single evaluation (or, where none was asked for,
        without a single set of images) there is nothing to report.
        """
        groups = dict.fromkeys(evaluations, 1)
        for steps in made.values():
            groups[steps["train"]] = 0
            groups[steps["upscale"]] = 0 if evaluations else 1
        inputs = {
            folder_name(name): StepInput(source="step", step=name, soft_group=group)
            for name, group in groups.items()
        }
        self.add(
            name="report",
            kind="report",
            queue="cpu",
            params={"spec": self.shown_spec()},
            inputs={"dataset": StepInput(source="dataset")} | inputs,
            work=Workload("report", 1, 10.0),
        )

    def add_package(self, made: dict[str, dict[str, str]]) -> None:
        """Add the zip, which reads every model and its images, and the verdicts for its card.

        It holds the sets that there are; without a single one there is nothing to pack.
        """
        inputs = {"report": StepInput(source="step", step="report")} | {
            folder_name(name): StepInput(
                source="step", step=name, soft_group=1 if kind == "upscale" else 0
            )
            for steps in made.values()
            for kind, name in steps.items()
        }
        images = sum(self.steps[m["generate"]].params["count"] for m in made.values())
        self.add(
            name="package",
            kind="package",
            queue="cpu",
            params={"spec": self.shown_spec()},
            inputs={"dataset": StepInput(source="dataset")} | inputs,
            work=Workload(f"package {self.packed_size()}px", images, 0.02),
        )

    def advice(self) -> list[str]:
        few = [
            c
            for c in self.spec.real_counts
            if self.real_count(c) < FEW_REAL_IMAGES and any(g.is_for(c) for g in self.spec.gans)
        ]
        advice: list[str] = list(self.spec.chosen_because)
        if few:
            counts = ", ".join(str(c) for c in few)
            advice.append(
                f"With fewer than about {FEW_REAL_IMAGES} real images (here: {counts}) the"
                " literature finds that GANs harm a classifier as often as they help it. Compare"
                " with class weights and oversampling before using such images."
            )
        subsets = len(self.spec.benchmark.subsets)
        if self.spec.benchmark.classifiers and self.spec.gans and subsets < 5:
            advice.append(
                "With fewer than five subsets of the real images the table can show the way but"
                " carries no claim: a difference may come from the one choice of real images and"
                " the one training of the GAN."
            )
        if self.spec.profile == "quick":
            advice.append(
                "The profile “quick” trains for minutes, to show that everything works. Its"
                " images and its table say little about what a GAN can do."
            )
        return advice


def plan_study(
    spec: StudySpec,
    dataset: DatasetFacts,
    *,
    weights_sha256: str | None = None,
    speeds: Speeds | None = None,
) -> Plan:
    """Plan a resolved study.

    Args:
        spec: A spec that ``resolve`` has filled in for this data set.
        dataset: What is known of the data set.
        weights_sha256: Digest of the operator's own Real-ESRGAN weights, which change its images
            and so the step's key; None: those of the package.
        speeds: What was measured on the devices at hand, for the estimates alone; None: nothing.

    Returns:
        Steps in an order in which they can be carried out, with keys and estimates.

    Raises:
        GraftError: ``nothing_to_do`` when no GAN has anything to fill and no benchmark is asked;
            ``study_too_large`` above ``MAX_STEPS`` or ``MAX_SYNTHETIC_BYTES``.
    """
    planner = _Planner(spec, dataset, weights_sha256, speeds)
    bench = spec.benchmark
    features = planner.add_features() if "probe" in bench.classifiers else None
    made: dict[str, dict[str, str]] = {}
    evaluations: list[str] = []
    for asked, subset in itertools.product(spec.real_counts, bench.subsets):
        if bench.classifiers and bench.base_arms():
            evaluations.append(planner.add_evaluation(asked, subset, features, "real", None))
        for gan in (gan for gan in spec.gans if gan.is_for(asked)):
            steps = planner.add_gan(gan, asked, subset)
            if steps is None:
                continue
            made[f"{gan.name}:{asked}:s{subset}"] = steps
            if bench.classifiers:
                evaluations.append(
                    planner.add_evaluation(asked, subset, features, gan.name, steps["upscale"])
                )
    if not made and not evaluations:
        raise GraftError(
            "nothing_to_do",
            "No GAN has anything to fill at these real counts, and no benchmark was asked for.",
            "Choose a smaller real count, a larger `balance_to`, or a classifier.",
        )
    planner.check_size(made)
    planner.add_report(evaluations, made)
    if made:
        planner.add_package(made)
    return Plan(steps=list(planner.steps.values()), advice=planner.advice())
