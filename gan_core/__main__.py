"""``python -m gan_core``: the science's own command line.

``run STEP_DIR`` runs one step of a job (what a worker starts), ``study DATA --out DIR`` a whole
study without the service, ``verify ZIP`` checks a synthetic.zip and makes some of its images again,
``measure`` times what the profiles train on this machine.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import tempfile
import time
from pathlib import Path

from gan_core.progress import Progress, Stopped
from gan_core.spec.errors import GraftError

_PROGRESS_SECONDS = 1.0


class _Terminal:
    """A progress line that is rewritten in place on a terminal, and printed anew elsewhere."""

    def __init__(self) -> None:
        self.started = time.monotonic()
        self.last = -_PROGRESS_SECONDS

    def __call__(self, progress: Progress) -> None:
        now = time.monotonic()
        if now - self.last < _PROGRESS_SECONDS and progress.fraction < 1.0:
            return
        self.last = now
        spent = now - self.started
        left = spent * (1 - progress.fraction) / progress.fraction if progress.fraction else None
        eta = "" if left is None else f", about {left:.0f} s left"
        line = f"{progress.fraction:6.1%}  {progress.detail}{eta}"
        if sys.stderr.isatty():
            print(f"\r\x1b[K{line}", end="", file=sys.stderr, flush=True)
        else:
            print(line, file=sys.stderr, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m gan_core", description="Graft's science, without the service."
    )
    commands = parser.add_subparsers(dest="command", required=True)

    run = commands.add_parser("run", help="run the step that a folder describes")
    run.add_argument("dir", type=Path, nargs="?", help="a folder with step.json or study.yaml")
    run.add_argument(
        "--wait",
        action="store_true",
        help="load first, and fork for each folder that is told on standard input, a socket",
    )
    run.add_argument(
        "--die-with-parent", type=int, metavar="PID", help="end when that parent process ends"
    )

    study = commands.add_parser("study", help="run a whole study on a zip or folder of classes")
    study.add_argument("data", type=Path)
    study.add_argument("--out", type=Path, required=True)
    study.add_argument("--profile", choices=["quick", "seed", "best"])
    study.add_argument("--spec", type=Path, help="YAML or JSON; its fields win over the profile")
    study.add_argument("--image-size", type=int, default=224)
    study.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto")
    study.add_argument("--cache-dir", type=Path, help="for converted weights; default OUT/cache")

    verify = commands.add_parser("verify", help="check a synthetic.zip")
    verify.add_argument("zip", type=Path)
    verify.add_argument(
        "--models",
        type=Path,
        help="folder with the job's models (default: the zip's, and models/ in it)",
    )
    verify.add_argument("--sample", type=int, default=8, help="images to make again")
    verify.add_argument("--cache-dir", type=Path, help="for converted weights")
    verify.add_argument("--realesrgan-weights", type=Path, help="the weights the job was run with")
    verify.add_argument("--device", choices=["cpu", "cuda"], default="cpu")

    measure = commands.add_parser("measure", help="time a few training steps; prints JSON")
    measure.add_argument("--gan", action="append", help="only this one; may be repeated")
    measure.add_argument("--seconds", type=float, default=10.0, help="for each training")
    measure.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto")
    return parser


def _measure(args: argparse.Namespace) -> int:
    from gan_core.measuring import described, measure_tasks, tasks_of
    from gan_core.steps.context import StepSettings
    from gan_core.steps.protocol import StopRequest

    # The directory is for weights of upscalers, which are not measured.
    device = StepSettings(device=args.device, cache_dir=Path()).torch_device()
    tasks = [task for task in tasks_of(device) if args.gan is None or task.gan in args.gan]
    found = list(measure_tasks(tasks, device, seconds=args.seconds, should_stop=StopRequest()))
    print(json.dumps(described(found, device), indent=1))
    return 0


def _study(
    data: Path,
    out: Path,
    spec: dict[str, object],
    *,
    image_size: int = 224,
    cache_dir: Path | None = None,
    device: str = "auto",
) -> int:
    from pydantic import ValidationError

    from gan_core.spec.job import StudySpec
    from gan_core.steps.context import StepSettings
    from gan_core.steps.protocol import StopRequest
    from gan_core.study import run_study

    try:
        study = StudySpec.model_validate(spec)
        settings = StepSettings.model_validate(
            {"device": device, "cache_dir": (cache_dir or out / "cache").absolute()}
        )
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise GraftError("invalid_spec", f"The spec's {where or 'body'}: {first['msg']}.") from None
    results = run_study(
        data,
        study,
        out,
        settings=settings,
        image_size=image_size,
        on_progress=_Terminal(),
        should_stop=StopRequest(),
    )
    print(file=sys.stderr)
    for conclusion in results.conclusions:
        print(" ".join([conclusion.sentence, *conclusion.caveats]))
    return 0


def _run(args: argparse.Namespace) -> int:
    from gan_core.study import read_spec

    if args.wait:
        from gan_core.steps.waiting import wait_and_fork

        return wait_and_fork(parent=args.die_with_parent)
    if args.dir is None:
        raise GraftError("not_a_step", "Which folder is to be run was not said.")
    for name in ("study.yaml", "study.json"):
        if (path := args.dir / name).exists():
            spec = read_spec(path)
            data = Path(str(spec.pop("data", "data")))
            return _study(args.dir / data, args.dir / "out", spec)
    from gan_core.steps.protocol import main as run_child

    return run_child(args.dir, parent=args.die_with_parent, confines=True)


def _verify(args: argparse.Namespace) -> int:
    from gan_core.packaging import models_in, regenerator, verify_zip
    from gan_core.steps.protocol import StopRequest

    should_stop = StopRequest()
    folders = [args.models] if args.models else [args.zip.parent, args.zip.parent / "models"]
    models = {sha256: path for folder in folders for sha256, path in models_in(folder).items()}
    with tempfile.TemporaryDirectory() as scratch:
        report = verify_zip(
            args.zip,
            models=models,
            sample=args.sample,
            regenerate=regenerator(
                cache_dir=args.cache_dir or Path(scratch),
                device=args.device,
                realesrgan_weights=args.realesrgan_weights,
            ),
            on_progress=_Terminal(),
            should_stop=should_stop,
        )
    print(file=sys.stderr)
    for check in report.checks:
        print(f"{check.outcome:8} {check.name}: {check.detail}")
    return 0 if report.is_sound else 1


def main() -> int:
    """Parse the command line and run what it asks for."""
    args = _parser().parse_args()
    try:
        if args.command == "run":
            return _run(args)
        if args.command == "study":
            from gan_core.study import read_spec

            spec = read_spec(args.spec) if args.spec else {}
            if args.profile:
                spec["profile"] = args.profile
            return _study(
                args.data,
                args.out,
                spec,
                image_size=args.image_size,
                cache_dir=args.cache_dir,
                device=args.device,
            )
        return _measure(args) if args.command == "measure" else _verify(args)
    except GraftError as error:
        print(f"error: {error.detail} {error.hint}".rstrip(), file=sys.stderr)
        return 1
    except Stopped:
        print("stopped; run the same command again to go on", file=sys.stderr)
        return 4


if __name__ == "__main__":
    exit_code = main()
    # While Python shuts down it puts the default handlers back: a request to stop that comes now
    # would turn work that is done into a process that was killed.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.exit(exit_code)
