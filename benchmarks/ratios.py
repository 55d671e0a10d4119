"""What the benchmarks of one run found, as one table: ours, the other way, ratio and target.

    python benchmarks/ratios.py FILE

Each benchmark appends a line to FILE (its option --ratios). A target that is missed is told, and
is no error: a measurement has succeeded when it has measured.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Ratio:
    """One comparison.

    Attributes:
        what: What was compared ("fastgan, 64 px, batch 4").
        other: With what ("lightweight-gan 1.2.1").
        device: Where ("cpu").
        unit: Of the next two, of which more is better ("images/s").
        ours: Our speed.
        theirs: The other's.
        target: The ratio to reach; None for a comparison that has none.
    """

    what: str
    other: str
    device: str
    unit: str
    ours: float
    theirs: float
    target: float | None = None

    @property
    def ratio(self) -> float:
        """How many times as fast ours is."""
        return self.ours / self.theirs


def record(ratio: Ratio, file: Path | None) -> None:
    """Print a comparison, and append it to ``file``."""
    print(table([ratio]).splitlines()[-1], flush=True)
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("a") as lines:
            lines.write(json.dumps(asdict(ratio)) + "\n")


def table(ratios: list[Ratio]) -> str:
    """Comparisons as a Markdown table."""
    lines = [
        "| what | against | device | ours | theirs | ratio | target | |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for found in ratios:
        wanted, verdict = "–", ""
        if found.target is not None:
            wanted = f"≥ {found.target:g}"
            verdict = "holds" if found.ratio >= found.target else "**missed**"
        lines.append(
            f"| {found.what} | {found.other} | {found.device} | {found.ours:.3g} {found.unit} "
            f"| {found.theirs:.3g} {found.unit} | {found.ratio:.2f} | {wanted} | {verdict} |"
        )
    return "\n".join(lines)


def main() -> None:
    file = Path(sys.argv[1])
    if not file.exists():
        sys.exit(f"{file} holds no measurements yet.")
    print(table([Ratio(**json.loads(line)) for line in file.read_text().splitlines()]))


if __name__ == "__main__":
    main()
