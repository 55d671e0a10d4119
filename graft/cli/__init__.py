"""The ``graft`` command line."""

from __future__ import annotations

import typer

from graft.cli import datasets, jobs, keys, models, service, tools, webhooks
from graft.cli.group import GraftGroup

app = typer.Typer(
    cls=GraftGroup,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Train GANs on your own images, and learn honestly whether they help a classifier.",
)
app.add_typer(datasets.app, name="datasets")
app.add_typer(jobs.app, name="jobs")
app.add_typer(models.app, name="models")
app.add_typer(keys.app, name="keys")
app.add_typer(webhooks.app, name="webhooks")
service.add_to(app)
tools.add_to(app)

__all__ = ["app"]
