"""The whole service in one temporary folder: servers, proxies before them, API and workers."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from harness import servers
from harness.clocks import Clock, build, why_no_clocks
from harness.ledger import Ledger
from harness.processes import Managed, Manager, descendants_of, free_port, processes_of, send
from harness.proxy import Proxy

import migrations
from graft.client import Client
from graft.client.flow import Patience
from store.columns import new_id
from store.database import Database
from store.repositories.keys import KeyRepository
from store.settings import Settings, prepare
from store.tables import Workspace

# Short, so that a hundred faults fit into a quarter of an hour. A step may be struck far more often
# than a careful operator would allow.
SHORT = {
    "GRAFT_LEASE_SECONDS": "8",
    "GRAFT_HEARTBEAT_SECONDS": "2",
    "GRAFT_SWEEP_SECONDS": "2",
    "GRAFT_CHECKPOINT_SECONDS": "1",
    "GRAFT_MAX_ATTEMPTS": "100",
    # Of a disk of one GiB.
    "GRAFT_MIN_FREE_BYTES": str(64 << 20),
}
_DISK_BYTES = 1 << 30


@dataclass(frozen=True)
class Plan:
    """What is built.

    Attributes:
        settings: ``GRAFT_…`` variables of every process of the service.
        workers: How many.
        workspaces: How many.
        is_postgres: PostgreSQL; else SQLite in the data folder.
        has_clocks: Whether the processes' clocks can be moved, where there is a C compiler.
        has_disk: Whether the data folder is a small disk of its own, where we may mount one.
    """

    settings: dict[str, str] = field(default_factory=lambda: dict(SHORT))
    workers: int = 2
    workspaces: int = 2
    is_postgres: bool = True
    has_clocks: bool = True
    has_disk: bool = True


class House:
    """A running service that can be hurt.

    Attributes:
        root: The temporary folder; every process of the service has it in its environment.
        data: The service's data folder.
        keys: An API key of each workspace, in order.
        api: The API's process.
        workers: The workers' processes.
        postgres: The database's process; None with SQLite.
        valkey: The broker's process.
        database_line: The proxy before PostgreSQL; None with SQLite.
        broker_line: The proxy before Valkey.
        clocks: By process name; empty where clocks cannot be moved.
        disk: The small disk's mount point; None where there is none.
        no_disk: Why there is none.
        ledger: Looks into the database, past the proxy.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.root = Path(tempfile.mkdtemp(prefix="graft-chaos-"))
        # PostgreSQL, another user when we are root, has to pass through.
        self.root.chmod(0o711)
        self.data = self.root / "data"
        self.logs = self.root / "logs"
        self.logs.mkdir()
        self.data.mkdir(mode=0o700)
        self.disk: Path | None = None
        self.no_disk: str | None = "not asked for"
        self.manager = Manager()
        self.clocks: dict[str, Clock] = {}
        self.postgres: Managed | None = None
        self.database_line: Proxy | None = None
        self.workers: list[Managed] = []
        self.keys: list[str] = []
        self._proxies: list[Proxy] = []
        try:
            self._build()
        except BaseException:
            self.close(keep=False)
            raise

    # --- building ------------------------------------------------------------------------------

    def _build(self) -> None:
        if self.plan.has_disk:
            self._mount()
        has_clocks = self.plan.has_clocks and why_no_clocks() is None
        self._library = build(self.root) if has_clocks else None
        broker_port = free_port()
        self.valkey = servers.make_valkey(self.root / "valkey", broker_port, self._log("valkey"))
        self.manager.add(self.valkey)
        self.broker_port = broker_port
        self.broker_line = self._proxy(broker_port)
        if self.plan.is_postgres:
            port = free_port()
            self.postgres = servers.make_postgres(self.root / "pg", port, self._log("postgresql"))
            self.manager.add(self.postgres)
            servers.wait_for(lambda: servers.postgres_answers(port), "PostgreSQL")
            self.database_line = self._proxy(port)
            self.direct_url = _postgres_url(port)
            self.service_url = _postgres_url(self.database_line.port)
        else:
            self.direct_url = self.service_url = f"sqlite:///{self.data / 'graft.db'}"
        servers.wait_for(lambda: servers.valkey_answers(broker_port), "Valkey")
        migrations.upgrade(self.direct_url)
        self._make_workspaces()
        self.ledger = Ledger(self.direct_url)
        self.api_port = free_port()
        self.api = self._start("api", [sys.executable, "-m", "api"])
        for number in range(1, self.plan.workers + 1):
            name = f"worker-{number}"
            command = [sys.executable, "-m", "graft", "worker", "--name", name]
            self.workers.append(self._start(name, command))
        servers.wait_for(self.is_ready, "the service")

    def _log(self, name: str) -> Path:
        return self.logs / f"{name}.log"

    def _proxy(self, port: int) -> Proxy:
        proxy = Proxy(port)
        self._proxies.append(proxy)
        return proxy

    def _mount(self) -> None:
        if os.geteuid() != 0 or shutil.which("mount") is None:
            self.no_disk = "only root can mount a small disk"
            return
        options = f"size={_DISK_BYTES},mode=0700"
        command = ["mount", "-t", "tmpfs", "-o", options, "graft-chaos", str(self.data)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            self.no_disk = f"a small disk cannot be mounted here: {done.stderr.strip()}"
            return
        self.disk, self.no_disk = self.data, None

    def _start(self, name: str, command: list[str]) -> Managed:
        env = self.environment()
        if self._library is not None:
            self.clocks[name] = Clock(self.root / f"clock-{name}", self._library)
            env |= self.clocks[name].environment()
        return self.manager.add(Managed(name, command, env, self._log(name)))

    def environment(self) -> dict[str, str]:
        """Return the environment of the service's processes, clocks aside."""
        kept = {n: v for n, v in os.environ.items() if not n.startswith("GRAFT_")}
        return kept | {
            "OMP_NUM_THREADS": "1",
            "GRAFT_THREADS": "1",
            "GRAFT_DATA_DIR": str(self.data),
            "GRAFT_DATABASE_URL": self.service_url,
            "GRAFT_REDIS_URL": f"redis://127.0.0.1:{self.broker_line.port}/0",
            "GRAFT_HOST": "127.0.0.1",
            "GRAFT_PORT": str(self.api_port),
            # A name that every child inherits: by it orphans are found.
            "CHAOS_HOUSE": str(self.root),
            **self.plan.settings,
        }

    def _make_workspaces(self) -> None:
        """Make workspaces and their keys, which an operator does before anybody comes."""
        settings = prepare(Settings(data_dir=self.data))
        assert settings.secret_key is not None
        pepper = settings.secret_key.get_secret_value()
        database = Database(self.direct_url)
        with database.write() as session:
            for number in range(self.plan.workspaces):
                workspace = Workspace(id=new_id("ws"), name=f"hospital {number}")
                session.add(workspace)
                session.flush()
                _, text = KeyRepository(session, workspace.id).add("portal", ["admin"], pepper)
                self.keys.append(text)
        database.dispose()

    # --- using ---------------------------------------------------------------------------------

    @property
    def url(self) -> str:
        """The API's address."""
        return f"http://127.0.0.1:{self.api_port}"

    def client(self, workspace: int, retries: int = 12) -> Client:
        """Return a client with a workspace's key."""
        return Client(self.url, key=self.keys[workspace], patience=Patience(retries=retries))

    def answers(self, path: str, workspace: int | None = None) -> bool:
        """Say whether a GET is answered with 200."""
        headers = {} if workspace is None else {"Authorization": f"Bearer {self.keys[workspace]}"}
        try:
            with httpx.Client(timeout=3.0, trust_env=False) as client:
                return client.get(self.url + path, headers=headers).status_code == 200
        except httpx.HTTPError:
            return False

    def is_ready(self) -> bool:
        """Say whether the API says that it and all that it needs are there."""
        return self.answers("/readyz")

    def worker_of(self, worker_id: str) -> Managed | None:
        """Return the worker that a lease names; None when it has been replaced since."""
        for worker in self.workers:
            # <host>-<pid>-<random>
            if worker.is_alive and worker_id.rsplit("-", 2)[-2:-1] == [str(worker.pid)]:
                return worker
        return None

    # --- ending --------------------------------------------------------------------------------

    def stop(self) -> list[int]:
        """Stop the service as an operator does; return who is still there although he should not.

        The servers stay up, so that the ledger can be read.
        """
        self.manager.stop(*self.workers, *([self.api] if hasattr(self, "api") else []))
        up = [p for p in (self.valkey, self.postgres) if p is not None and p.is_alive]
        expected = {pid for p in up for pid in [p.pid, *descendants_of(p.pid)]}
        return [pid for pid in processes_of(self.root) if pid not in expected]

    def close(self, *, keep: bool) -> None:
        """Leave nothing running, and nothing on the disk unless asked to."""
        self.manager.close()
        managed = [*self.workers, *(getattr(self, n, None) for n in ("api", "valkey", "postgres"))]
        for process in managed:
            if process is not None and process.is_alive:
                send(process.pid, signal.SIGCONT)
                # A smart shutdown of PostgreSQL would wait for its clients.
                number = signal.SIGINT if process.name == "postgresql" else signal.SIGTERM
                process.stop(number, seconds=15)
        for pid in processes_of(self.root):
            send(pid, signal.SIGKILL)
        for proxy in self._proxies:
            proxy.close()
        if hasattr(self, "ledger"):
            self.ledger.close()
        if self.disk is not None:
            if keep:
                shutil.copytree(self.disk, self.root / "data-kept")
            subprocess.run(["umount", "--lazy", str(self.disk)], check=False, capture_output=True)
        if not keep:
            shutil.rmtree(self.root, ignore_errors=True)


def _postgres_url(port: int) -> str:
    return f"postgresql://graft@127.0.0.1:{port}/postgres"
