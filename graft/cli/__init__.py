"""The ``graft`` command line."""

from __future__ import annotations

import typer

from graft.cli import (
    artifacts,
    audit,
    datasets,
    jobs,
    keys,
    limits,
    models,
    people,
    service,
    tools,
    uploads,
    webhooks,
    workers,
    workspaces,
)
from graft.cli.group import GraftGroup

app = typer.Typer(
    cls=GraftGroup,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Train GANs on your own images, and learn honestly whether they help a classifier.",
)
app.add_typer(datasets.app, name="datasets")
app.add_typer(jobs.app, name="jobs")
app.add_typer(artifacts.app, name="artifacts")
app.add_typer(models.app, name="models")
app.add_typer(keys.app, name="keys")
app.add_typer(webhooks.app, name="webhooks")
app.add_typer(audit.app, name="audit")
app.add_typer(limits.app, name="limits")
app.command()(limits.usage)
app.command()(people.me)
app.add_typer(people.app, name="people")
app.command()(workers.workers)
app.add_typer(uploads.app, name="uploads")
app.add_typer(workspaces.app, name="workspaces")
service.add_to(app)
tools.add_to(app)

__all__ = ["app"]
