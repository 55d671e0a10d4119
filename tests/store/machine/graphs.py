"""Small graphs of steps, of the shapes that studies have, and some plans of real studies."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from hypothesis import strategies as st

from gan_core.spec import DatasetFacts, Plan, PlannedStep, StepInput, StudySpec, plan_study, resolve
from gan_core.spec.steps import STEP_VERSIONS, folder_name, step_key
from store.doorbell import QUEUES

FACTS = DatasetFacts(
    digest="d" * 64,
    image_size=224,
    classes={"benign": {"train": 20, "test": 5}, "malignant": {"train": 10, "test": 5}},
)
_STUDIES: tuple[dict[str, Any], ...] = (
    {"real_counts": [5]},
    {"real_counts": [5], "benchmark": {"classifiers": []}},
)


class _Graph:
    """Steps with keys as real ones have: equal where work and inputs are equal."""

    def __init__(self, variant: int, *, has_versions: bool) -> None:
        self._variant = variant
        self._has_versions = has_versions
        self._steps: dict[str, PlannedStep] = {}

    def add(
        self,
        name: str,
        needs: Mapping[str, int | None],
        *,
        kind: Any = "train",
        queue: Any = "gpu",
        work: str | None = None,
    ) -> None:
        """Add a step.

        Args:
            name: Unique in the graph.
            needs: What it reads, with the soft group.
            kind: Its kind.
            queue: Its queue.
            work: What it does; null: what no other does.
        """
        params = {"work": work or name, "variant": self._variant}
        inputs = {"dataset": StepInput(source="dataset")} | {
            folder_name(needed): StepInput(source="step", step=needed, soft_group=group)
            for needed, group in needs.items()
        }
        digests = {
            label: FACTS.digest if given.step is None else self._steps[given.step].key
            for label, given in inputs.items()
        }
        self._steps[name] = PlannedStep(
            name=name,
            kind=kind,
            queue=queue,
            params=params,
            inputs=inputs,
            key=step_key(kind, params, digests),
            estimate_seconds=10.0,
            code_version=STEP_VERSIONS[kind] if self._has_versions else 0,
        )

    def plan(self) -> Plan:
        return Plan(steps=list(self._steps.values()))


def _chain(graph: _Graph, draw: Callable[..., Any]) -> None:
    names = "abcd"[: draw(st.integers(1, 4))]
    for index, name in enumerate(names):
        graph.add(name, {names[index - 1]: None} if index else {})


def _diamond(graph: _Graph, draw: Callable[..., Any]) -> None:
    graph.add("a", {})
    graph.add("b", {"a": None})
    graph.add("c", {"a": None}, kind="evaluate", queue="cpu")
    graph.add("d", {"b": None, "c": None}, kind="report", queue="cpu")


def _columns(graph: _Graph, draw: Callable[..., Any]) -> None:
    """Columns that may fail each by itself, a report of what there is, and a zip."""
    columns = range(draw(st.integers(1, 3)))
    for n in columns:
        graph.add(f"train:{n}", {})
        graph.add(f"evaluate:{n}", {f"train:{n}": None}, kind="evaluate")
    reads = {f"train:{n}": 0 for n in columns} | {f"evaluate:{n}": 1 for n in columns}
    graph.add("report", reads, kind="report", queue="cpu")
    packs = {"report": None} | {f"train:{n}": 1 for n in columns}
    graph.add("package", packs, kind="package", queue="cpu")


def _twins(graph: _Graph, draw: Callable[..., Any]) -> None:
    """The same work twice in one job."""
    graph.add("train:10", {}, work="a")
    graph.add("train:all", {}, work="a")
    group = draw(st.sampled_from([None, 1]))
    graph.add("report", {"train:10": group, "train:all": group}, kind="report", queue="cpu")


def _any(graph: _Graph, draw: Callable[..., Any]) -> None:
    names = "abcde"[: draw(st.integers(2, 5))]
    for index, name in enumerate(names):
        needs = draw(
            st.dictionaries(
                st.sampled_from(names[:index]), st.sampled_from([None, 0, 1, 2]), max_size=3
            )
            if index
            else st.just({})
        )
        queue = draw(st.sampled_from(QUEUES))
        graph.add(name, needs, kind="evaluate", queue=queue)


@st.composite
def graphs(draw: Callable[..., Any]) -> Plan:
    """Return plans of one to eight steps, many of which share work with one another."""
    shape = draw(st.sampled_from([_chain, _diamond, _columns, _twins, _any]))
    graph = _Graph(draw(st.integers(0, 1)), has_versions=draw(st.booleans()))
    shape(graph, draw)
    return graph.plan()


@cache
def _planned(number: int) -> Plan:
    fields = {"profile": "quick", "benchmark": {"classifiers": ["probe"]}, **_STUDIES[number]}
    spec = resolve(StudySpec.model_validate(fields), FACTS.train_counts())
    return plan_study(spec, FACTS)


def real_studies() -> st.SearchStrategy[Plan]:
    """Return plans as the planner makes them."""
    return st.integers(0, len(_STUDIES) - 1).map(_planned)
