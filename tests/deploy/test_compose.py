"""The compose file: its schema, and what a deployment must not lose by an edit."""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import subprocess
import sys
import tomllib
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml

from store.settings import Settings

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = ("migrations", "api", "worker-gpu", "worker-cpu", "worker-screen")
LASTING = ("database", "broker", "objects", *OURS[1:])


def seconds(duration: str) -> int:
    """Return the seconds of a compose duration such as ``120s`` or ``2m``."""
    number, unit = re.fullmatch(r"(\d+)([smh])", duration).groups()  # type: ignore[union-attr]
    return int(number) * {"s": 1, "m": 60, "h": 3600}[unit]


@pytest.mark.skipif(
    find_spec("check_jsonschema") is None,
    reason="check-jsonschema, which carries the Compose specification's schema, is not installed",
)
def test_the_file_keeps_to_the_compose_specification() -> None:
    import jsonschema

    spec = find_spec("check_jsonschema")
    assert spec is not None
    assert spec.origin is not None
    schema = Path(spec.origin).parent / "builtin_schemas" / "vendor" / "compose-spec.json"
    jsonschema.validate(COMPOSE, json.loads(schema.read_text(encoding="utf-8")))


def test_it_holds_every_part_of_the_deployed_form() -> None:
    assert set(SERVICES) == {"database", "broker", "objects", *OURS}


def test_every_image_is_pinned_to_a_version() -> None:
    for name, service in SERVICES.items():
        image = re.sub(r"\$\{[A-Z_]+:-(.*)\}", r"\1", service["image"])
        tag = image.rsplit(":", 1)[-1]
        assert re.search(r"\d+\.\d+", tag), f"{name} runs {image}"


def test_no_secret_has_a_default() -> None:
    variables = re.findall(r"\$\{([A-Z0-9_]+)([^}]*)\}", TEXT)
    secret = re.compile(r"PASSWORD|SECRET|ACCESS_KEY")
    found = {name for name, _ in variables if secret.search(name)}
    assert found >= {
        "POSTGRES_PASSWORD",
        "REDIS_PASSWORD",
        "GRAFT_SECRET_KEY",
        "GARAGE_RPC_SECRET",
        "S3_ACCESS_KEY_ID",
        "S3_SECRET_ACCESS_KEY",
    }
    # Without it the page is a public client of the issuer, and nothing is open that was not.
    optional = {"GRAFT_OIDC_CLIENT_SECRET"}
    for name, rest in variables:
        if secret.search(name):
            allowed = rest == ":-" if name in optional else rest.startswith(":?")
            assert allowed, f"{name} may be empty, or has a default"


def test_no_secret_stands_in_a_command() -> None:
    for name, service in SERVICES.items():
        said = json.dumps([service.get("command"), service.get("healthcheck")])
        # $$ is left to the container's shell, which reads its own environment.
        assert not re.search(r"(?<!\$)\$\{?[A-Z_]*(PASSWORD|SECRET)", said), name


@pytest.mark.parametrize("name", LASTING)
def test_every_lasting_service_has_a_health_check_and_starts_again(name: str) -> None:
    assert SERVICES[name]["healthcheck"]["test"][0] in {"CMD", "CMD-SHELL"}
    assert SERVICES[name]["restart"] == "unless-stopped"


@pytest.mark.parametrize("name", OURS)
def test_nothing_of_ours_starts_before_what_it_needs(name: str) -> None:
    waits = SERVICES[name]["depends_on"]
    assert waits["database"] == {"condition": "service_healthy"}
    if name != "migrations":
        assert waits["broker"] == {"condition": "service_healthy"}
        assert waits["objects"] == {"condition": "service_healthy"}
        assert waits["migrations"] == {"condition": "service_completed_successfully"}


def test_the_migrations_are_run_once() -> None:
    assert SERVICES["migrations"]["restart"] == "no"


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_every_container_is_hardened(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in service


@pytest.mark.parametrize("name", OURS)
def test_nothing_of_ours_runs_as_root(name: str) -> None:
    uid = SERVICES[name]["user"].split(":")[0]
    assert int(uid) >= 1000
    dockerfile = (ROOT / "Dockerfile.gpu").read_text(encoding="utf-8")
    assert f"USER {SERVICES[name]['user']}" in dockerfile
    assert f"useradd --uid {uid}" in dockerfile


@pytest.mark.parametrize("name", ["worker-gpu", "worker-cpu", "worker-screen"])
def test_a_worker_has_longer_to_stop_than_it_takes_to_hand_its_step_back(name: str) -> None:
    soft_shutdown = 60
    assert seconds(SERVICES[name]["stop_grace_period"]) > soft_shutdown


def test_the_gpu_is_reserved_for_the_gpu_worker_alone() -> None:
    (device,) = SERVICES["worker-gpu"]["deploy"]["resources"]["reservations"]["devices"]
    assert device["driver"] == "nvidia"
    assert device["capabilities"] == ["gpu"]
    assert [name for name in SERVICES if "deploy" in SERVICES[name]] == ["worker-gpu"]


def test_the_queues_of_the_workers_are_those_that_plans_use() -> None:
    assert SERVICES["worker-gpu"]["command"][-1] == "gpu"
    assert SERVICES["worker-cpu"]["command"][-1] == "${GRAFT_CPU_QUEUES:-cpu}"
    assert SERVICES["worker-screen"]["command"][-1] == "interactive"


def test_only_the_api_is_published_and_only_on_loopback_unless_told() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert published == {"api": ["${GRAFT_LISTEN:-127.0.0.1}:${GRAFT_PUBLISHED_PORT:-8000}:8000"]}


def test_the_stores_and_workers_have_no_way_out() -> None:
    assert COMPOSE["networks"]["stores"] == {"internal": True}
    for name, service in SERVICES.items():
        assert service["networks"] == (["front", "stores"] if name == "api" else ["stores"])


def test_every_volume_that_is_mounted_is_declared_and_the_other_way_round() -> None:
    mounted = {
        volume.split(":")[0]
        for service in SERVICES.values()
        for volume in service.get("volumes", [])
        if not volume.startswith("./")
    }
    assert mounted == set(COMPOSE["volumes"])


def test_the_broker_keeps_its_log_and_evicts_nothing() -> None:
    script = SERVICES["broker"]["command"][-1]
    for line in ("appendonly yes", "maxmemory-policy noeviction", "requirepass $$REDIS_PASSWORD"):
        assert f'"{line}"' in script
    # Without exec the shell would stand between the container's SIGTERM and the server.
    assert script.rstrip().splitlines()[-1].startswith("exec valkey-server")


@pytest.mark.parametrize("name", OURS)
def test_every_setting_that_is_passed_is_one_that_the_service_knows(name: str) -> None:
    environment = SERVICES[name]["environment"]
    known = {f"GRAFT_{field.upper()}" for field in Settings.model_fields}
    given = {variable for variable in environment if variable.startswith("GRAFT_")}
    assert given
    assert given <= known


def test_the_settings_of_the_api_are_accepted_by_the_service(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / ".env"
    subprocess.run([sys.executable, ROOT / "deploy" / "make_env.py", path], check=True)
    values = dict(
        line.split("=", 1)
        for line in path.read_text(encoding="utf-8").splitlines()
        if line and not line.startswith("#")
    )

    def filled(match: re.Match[str]) -> str:
        name, rest = match.groups()
        return str(values.get(name, rest.removeprefix(":-")))

    for name, value in SERVICES["api"]["environment"].items():
        monkeypatch.setenv(name, re.sub(r"\$\{([A-Z0-9_]+)([^}]*)\}", filled, value))
    settings = Settings()
    assert settings.database_url == (
        f"postgresql+psycopg://graft:{values['POSTGRES_PASSWORD']}@database:5432/graft"
    )
    assert values["REDIS_PASSWORD"] in settings.redis_url.get_secret_value()
    assert settings.presigned_downloads is False
    assert settings.secret_key is not None
    assert settings.secret_key.get_secret_value() == values["GRAFT_SECRET_KEY"]
    assert not settings.is_loopback()


def test_fresh_secrets_are_private_and_never_written_over(tmp_path: Path) -> None:
    script = ROOT / "deploy" / "make_env.py"
    path = tmp_path / ".env"
    subprocess.run([sys.executable, script, path], check=True)
    first = path.read_text(encoding="utf-8")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    again = subprocess.run([sys.executable, script, path], check=False, capture_output=True)
    assert again.returncode == 1
    assert path.read_text(encoding="utf-8") == first
    subprocess.run([sys.executable, script, tmp_path / "other"], check=True)
    assert (tmp_path / "other").read_text(encoding="utf-8") != first
    required = set(re.findall(r"\$\{([A-Z0-9_]+):\?", TEXT))
    assert required == {
        line.split("=")[0]
        for line in first.splitlines()
        if re.match(r"[A-Z0-9_]+=[A-Z]{0,2}[0-9a-f]{24,}$", line)
    }
    # Garage takes no other form.
    assert re.search(r"^S3_ACCESS_KEY_ID=GK[0-9a-f]{24}$", first, re.MULTILINE)
    assert re.search(r"^GARAGE_RPC_SECRET=[0-9a-f]{64}$", first, re.MULTILINE)


def test_the_object_store_is_configured_as_the_service_expects_it() -> None:
    garage = tomllib.loads((ROOT / "deploy" / "garage.toml").read_text(encoding="utf-8"))
    environment = SERVICES["api"]["environment"]
    port = garage["s3_api"]["api_bind_addr"].rsplit(":", 1)[-1]
    assert environment["GRAFT_S3_ENDPOINT"] == f"http://objects:{port}"
    assert environment["GRAFT_S3_REGION"] == garage["s3_api"]["s3_region"]
    bucket = SERVICES["objects"]["environment"]["GARAGE_DEFAULT_BUCKET"]
    assert environment["GRAFT_OBJECT_STORE_URL"] == f"s3://{bucket}"
    assert SERVICES["objects"]["healthcheck"]["test"][-1] == bucket
    # What only the node itself uses listens on loopback only.
    assert garage["rpc_bind_addr"].startswith("127.0.0.1:")
    assert not any("secret" in key for key in garage)


def test_the_brokers_script_starts_a_server_that_asks_for_the_password(tmp_path: Path) -> None:
    server = shutil.which("valkey-server") or shutil.which("redis-server")
    cli = shutil.which("valkey-cli") or shutil.which("redis-cli")
    if server is None or cli is None:
        pytest.skip("neither valkey-server nor redis-server is installed")
    # The compose file's own script, with only the places and the server's name changed.
    script = SERVICES["broker"]["command"][-1].replace("$$", "$")
    script = script.replace("/tmp/", f"{tmp_path}/").replace("dir /data", f"dir {tmp_path}")
    socket = tmp_path / "s"
    script = script.replace("exec valkey-server", f"exec {server}")
    script = script.rstrip() + f" --port 0 --unixsocket {socket}\n"
    environment = os.environ | {"REDIS_PASSWORD": "0123456789abcdef"}
    process = subprocess.Popen(["/bin/sh", "-c", script], env=environment, stdout=subprocess.PIPE)

    def ask(*words: str, password: str | None) -> str:
        told = {} if password is None else {"REDISCLI_AUTH": password}
        return subprocess.run(
            [cli, "-s", socket, *words],
            capture_output=True,
            text=True,
            check=False,
            env=os.environ | told,
        ).stdout

    try:
        assert process.stdout is not None
        for line in process.stdout:
            if b"eady to accept connections" in line:
                break
        assert "NOAUTH" in ask("ping", password=None)
        assert "PONG" in ask("ping", password="0123456789abcdef")
        kept = ask("config", "get", "appendonly", password="0123456789abcdef")
        assert kept.split() == ["appendonly", "yes"]
        policy = ask("config", "get", "maxmemory-policy", password="0123456789abcdef")
        assert policy.split() == ["maxmemory-policy", "noeviction"]
        assert stat.S_IMODE((tmp_path / "valkey.conf").stat().st_mode) == 0o600
    finally:
        process.terminate()
        process.communicate(timeout=20)
    # The signal reached the server itself, which left in order.
    assert process.returncode == 0
