"""Where the steps of a big study stand in its picture: the page's own code, in a browser."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from gan_core.spec import DatasetFacts, JobSpec, plan_study, resolve

pytestmark = [pytest.mark.browser, pytest.mark.timeout(1500)]

_LAY_OUT = """async (steps) => {
  const main = document.querySelector('script[type=module]').src;
  const { graphOf, place } = await import(main.replace('app.js', 'views/job/layout.js'));
  const graph = graphOf(steps);
  const heightOf = (node) => 20 + node.names.length;
  const sizes = { width: 100, heightOf, columnGap: 30, rowGap: 10 };
  const { places, paths, width, height } = place(graph, sizes);
  const plain = ([id, { x, y, height }]) => [id, { x, y, height }];
  const placed = Object.fromEntries([...places].map(plain));
  return { ...graph, placed, paths, width, height };
}"""


def steps_of_a_big_study() -> list[dict[str, Any]]:
    """Return the steps of what the project recommends, with what each needs."""
    facts = DatasetFacts(
        digest="0" * 64,
        image_size=128,
        classes={
            "benign": {"train": 3000, "test": 500},
            "malignant": {"train": 900, "test": 200},
        },
    )
    asked = JobSpec(dataset_id="ds_1", profile="best", rare_class="malignant")
    spec = resolve(asked, facts.train_counts(), data_size=128)
    return [{"name": step.name, "needs": step.needs()} for step in plan_study(spec, facts).steps]


def reached_by(edges: list[list[str]]) -> dict[str, set[str]]:
    """Return what can be reached from each node."""
    after: dict[str, set[str]] = {}
    for begin, end in edges:
        after.setdefault(begin, set()).add(end)
        after.setdefault(end, set())
    has_changed = True
    while has_changed:
        has_changed = False
        for found in after.values():
            more = set().union(*(after[one] for one in found)) if found else set()
            has_changed = has_changed or not more <= found
            found.update(more)
    return after


def test_a_big_study_is_lanes_from_left_to_right(clinic: Any, visit: Any) -> None:
    steps = steps_of_a_big_study()
    assert len(steps) > 100
    page = visit(clinic.url).open("/sign-in")
    page.get_by_label("API key").wait_for()
    graph = page.evaluate(_LAY_OUT, steps)

    # Every step is in one node, and there are few of these.
    home = {name: node["id"] for node in graph["nodes"] for name in node["names"]}
    assert sorted(home) == sorted(step["name"] for step in steps)
    assert len(graph["nodes"]) < 30

    # What comes later stands further right, and nothing stands on anything else.
    placed = graph["placed"]
    assert all(placed[begin]["x"] < placed[end]["x"] for begin, end in graph["edges"])
    for column in {one["x"] for one in placed.values()}:
        stack = sorted((one["y"], one["height"]) for one in placed.values() if one["x"] == column)
        for (y, height), (below, _) in pairwise(stack):
            assert y + height + 10 <= below + 1e-6
    assert all(0 <= one["x"] <= graph["width"] - 100 for one in placed.values())
    assert all(0 <= one["y"] <= graph["height"] - one["height"] + 1e-6 for one in placed.values())

    # Lines that follow from others are left out, and nothing else is.
    all_edges = [[home[need], home[step["name"]]] for step in steps for need in step["needs"]]
    assert reached_by(graph["edges"]) == reached_by(all_edges)
    reached = reached_by(graph["edges"])
    for begin, end in graph["edges"]:
        direct = [two for one, two in graph["edges"] if one == begin and two != end]
        assert not any(end in reached[other] for other in direct)


def test_few_steps_are_shown_one_by_one_whatever_they_need(clinic: Any, visit: Any) -> None:
    page = visit(clinic.url).open("/sign-in")
    page.get_by_label("API key").wait_for()
    steps = [
        {"name": "train:a:10:s0", "needs": []},
        {"name": "train:b:10:s0"},  # of a service that does not say what it needs
        {"name": "report", "needs": ["train:a:10:s0", "not there"]},
    ]
    graph = page.evaluate(_LAY_OUT, steps)
    assert [node["depth"] for node in graph["nodes"]] == [0, 0, 1]
    assert graph["edges"] == [["train:a:10:s0", "report"]]
    assert graph["width"] == 230
