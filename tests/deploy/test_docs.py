"""What the pages say is true: their links, their commands, their examples, their tables."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml

from gan_core.spec import DatasetFacts, StudySpec, plan_study, resolve
from store.settings import Settings

ROOT = Path(__file__).parents[2]
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "CHANGELOG.md",
    *sorted((ROOT / "docs").rglob("*.md")),
]
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]
each_page = pytest.mark.parametrize("page", PAGES, ids=NAMES)


def blocks(page: Path, *languages: str) -> list[str]:
    """Return the fenced blocks of a page that are in one of these languages."""
    text = page.read_text(encoding="utf-8")
    found = re.findall(r"^```(\w*)\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    return [body for language, body in found if language in languages]


def commands(page: Path) -> list[str]:
    """Return every command line that a page shows, in blocks and in running text."""
    text = page.read_text(encoding="utf-8")
    lines = []
    for body in blocks(page, "console", "bash"):
        lines += re.sub(r"\\\n\s*", " ", body).splitlines()
    prose = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    lines += re.findall(r"`([^`\n]+)`", prose)
    without_notes = (re.sub(r"\s+#.*", "", line).strip() for line in lines)
    return [line.removeprefix(".venv/bin/") for line in without_notes if line]


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    heads = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


@each_page
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if target.startswith("https://"):
            continue
        path, _, anchor = target.partition("#")
        there = (page.parent / path).resolve() if path else page
        assert there.exists(), f"{target} is not there"
        assert there.is_relative_to(ROOT)
        if anchor:
            assert anchor in anchors(there), f"{target} has no such heading"


@each_page
def test_every_make_target_exists(page: Path) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z][\w-]*):", makefile, re.MULTILINE))
    for line in commands(page):
        if match := re.match(r"make ([a-z-]+)", line):
            assert match[1] in targets, line


@each_page
def test_every_graft_command_is_understood_by_the_command_line(page: Path) -> None:
    from typer.main import get_command

    from graft.cli import app

    for line in commands(page):
        if not re.match(r"graft [a-z]", line):
            continue
        command: Any = get_command(app)
        words = shlex.split(line)[1:]
        named = []
        while words and hasattr(command, "commands") and not words[0].startswith("-"):
            named.append(words.pop(0))
            assert named[-1] in command.commands, f"{line}: no command {named[-1]!r}"
            command = command.commands[named[-1]]
        if words:
            # Parses the arguments and options as the command would, and runs nothing.
            command.make_context(" ".join(named), words)


@each_page
def test_every_python_module_that_is_run_exists(page: Path) -> None:
    for line in commands(page):
        for module in re.findall(r"python3? -m ([a-z_.]+)", line):
            path = ROOT.joinpath(*module.split("."))
            assert path.with_suffix(".py").exists() or (path / "__main__.py").exists(), line
        for script in re.findall(r"python3? ([a-z_/]+\.py)", line):
            assert (ROOT / script).exists(), line


@each_page
def test_every_setting_that_is_named_exists(page: Path) -> None:
    fields = {f"GRAFT_{name.upper()}" for name in Settings.model_fields}
    compose = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    client = (ROOT / "graft" / "cli" / "connecting.py").read_text(encoding="utf-8")
    known = fields | set(re.findall(r"\$\{(GRAFT_[A-Z0-9_]+)", compose))
    # What the command line reads, which is no setting of the service.
    known |= set(re.findall(r"\"(GRAFT_[A-Z0-9_]+)\"", client))
    named = set(re.findall(r"\b(GRAFT_[A-Z0-9_]+)\b", page.read_text(encoding="utf-8")))
    assert named <= known


@each_page
def test_every_service_that_compose_is_told_of_exists(page: Path) -> None:
    services = set(yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))["services"])
    for line in commands(page):
        if match := re.match(r"docker compose exec (?:-T )?([a-z-]+)", line):
            assert match[1] in services, line
        for scaled in re.findall(r"--scale ([a-z-]+)=", line):
            assert scaled in services, line


def test_the_images_to_carry_into_a_closed_network_are_those_of_the_compose_file() -> None:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))
    images = {service["image"] for service in compose["services"].values()}
    used = {re.sub(r"\$\{[A-Z_]+:-(.*)\}", r"\1", image) for image in images}
    (line,) = (
        line for line in commands(ROOT / "docs" / "deploying.md") if line.startswith("docker save ")
    )
    assert set(line.split(" | ", maxsplit=1)[0].split()[2:]) == used


def test_the_table_of_settings_holds_every_setting_with_its_default() -> None:
    text = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")
    shown = dict(re.findall(r"^\| `(GRAFT_[A-Z0-9_]+)` \| (.*?) \|", text, re.MULTILINE))
    expected = {}
    for name, field in Settings.model_fields.items():
        value = field.default
        if field.default_factory is not None:
            shown_as = "the user's data directory"
        elif value is None:
            shown_as = "–"
        else:
            secret = getattr(value, "get_secret_value", None)
            shown_as = f"`{secret() if secret else value}`"
        expected[f"GRAFT_{name.upper()}"] = shown_as
    assert shown == expected


def test_every_spec_on_the_spec_page_can_be_planned() -> None:
    page = ROOT / "docs" / "job-spec.md"
    facts = DatasetFacts(
        digest="d" * 64,
        image_size=224,
        classes={"benign": {"train": 1144, "test": 296}, "malignant": {"train": 963, "test": 234}},
    )
    examples = [json.loads(body) for body in blocks(page, "json")]
    examples += [yaml.safe_load(body) for body in blocks(page, "yaml")]
    assert len(examples) >= 6
    for fields in examples:
        fields.pop("dataset_id", None)
        spec = resolve(StudySpec.model_validate(fields), facts.train_counts())
        assert plan_study(spec, facts).steps


def test_the_profiles_table_is_true() -> None:
    text = (ROOT / "docs" / "job-spec.md").read_text(encoding="utf-8")
    for profile in ("quick", "seed", "best"):
        spec = resolve(StudySpec(profile=profile), {"benign": 1440, "malignant": 1197})  # type: ignore[arg-type]
        (row,) = re.findall(rf"^\| `{profile}` \|.*$", text, re.MULTILINE)
        assert f"{spec.gans[0].image_size} px" in row
        assert f"`{spec.upscale.engine}`" in row
        runs = len(spec.benchmark.subsets) * len(spec.benchmark.seeds)
        assert f"| {runs}" in row


def test_every_decision_is_listed() -> None:
    folder = ROOT / "docs" / "decisions"
    index = (folder / "README.md").read_text(encoding="utf-8")
    for page in folder.glob("0*.md"):
        assert f"({page.name})" in index
        number = page.name.split("-", maxsplit=1)[0]
        assert page.read_text(encoding="utf-8").startswith(f"# {number}: ")


def test_the_api_page_walks_through_calls_that_exist() -> None:
    contract = json.loads((ROOT / "openapi.json").read_text(encoding="utf-8"))
    page = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    walked = set(re.findall(r"\$GRAFT(/v1/(?:\$\{[^}]*\}|[^\"? ])+)", page))
    assert len(walked) >= 6
    for path in walked:
        # An id that is shown, or one that the shell puts in.
        numbered = "|".join(rf"(?<=/{name}/)[0-9]+" for name in ("parts", "snapshots", "preview"))
        shown = rf"[a-z]+_01…|{numbered}|train:[a-z0-9:]+"
        pattern = re.sub(rf"{shown}|\$\{{?[a-z#* ]+\}}?", "[^/]+", path)
        assert any(re.fullmatch(pattern, known) for known in contract["paths"]), path
