"""The Celery app's settings, and what its processes import."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from store.doorbell import TASK_NAME
from store.settings import Settings
from worker.app import make_app


def test_the_worker_imports_neither_torch_nor_numpy() -> None:
    code = "import worker.app, sys; print(sorted({'torch', 'numpy', 'timm'} & set(sys.modules)))"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"


def test_the_app_is_set_as_the_faults_demand(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, max_step_seconds=7200)
    app = make_app(settings)
    assert app.conf.task_acks_late is True
    assert app.conf.task_reject_on_worker_lost is True
    assert app.conf.worker_prefetch_multiplier == 1
    assert app.conf.task_ignore_result is True
    assert app.conf.result_backend is None
    assert app.conf.accept_content == ["json"]
    assert app.conf.worker_soft_shutdown_timeout == 60
    assert app.conf.worker_cancel_long_running_tasks_on_connection_loss is False
    options = app.conf.broker_transport_options
    assert options["visibility_timeout"] == 7200 + 3600
    assert options["socket_keepalive"] is True
    assert options["health_check_interval"] == 30


def test_the_only_task_is_the_one_that_the_doorbell_names(tmp_path: Path) -> None:
    app = make_app(Settings(data_dir=tmp_path))
    assert [name for name in app.tasks if not name.startswith("celery.")] == [TASK_NAME]
