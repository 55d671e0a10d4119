from __future__ import annotations

import csv
import io

import pytest

from gan_core.report import results_csv, results_text
from gan_core.report.honest import best_arms, figure_groups, honest_table
from gan_core.report.tables import (
    classifiers,
    columns,
    difference,
    share,
    study_table,
)
from gan_core.spec.results import ArmSummary, Interval, ResultRow, Results


@pytest.mark.parametrize(
    ("value", "printed"),
    [(0.0, ".00"), (0.834, ".83"), (0.999, "1.00"), (1.0, "1.00"), (None, "–")],
)
def test_shares_are_printed_as_journals_do(value: float | None, printed: str) -> None:
    assert share(value) == printed


@pytest.mark.parametrize(
    ("value", "printed"),
    [(0.021, "+.02"), (-0.1, "−.10"), (0.004, ".00"), (-0.004, ".00"), (-1.0, "−1.00")],
)
def test_differences_carry_their_sign_unless_they_are_nothing(value: float, printed: str) -> None:
    assert difference(value) == printed


def test_a_difference_of_thousandths_keeps_its_sign_where_three_decimals_are_shown() -> None:
    assert [difference(v, 3) for v in (-0.0032, 0.0004, 0.02)] == ["−.003", ".000", "+.020"]


def test_the_study_table_has_arms_down_and_real_counts_across(results: Results) -> None:
    table = study_table(results, "seed-cnn")
    assert [column.heading for column in table.columns] == ["10", "50", "all (120)"]
    assert [arm for arm, _ in table.rows] == [
        "real-only",
        "class-weights",
        "oversample",
        "gan:infogan",
    ]
    assert table.rows[0][1] == [".60/.60", ".65/.65", ".70/.70"]
    assert table.rows[3][1][2] == "–"


def test_the_studys_second_number_is_balanced_accuracy_not_roc_auc(results: Results) -> None:
    for summary in results.summaries:
        summary.figures["balanced_accuracy"] = Interval(mean=0.11)
        summary.figures["roc_auc"] = Interval(mean=0.99)
    assert study_table(results, "probe").rows[0][1][0] == ".60/.11"


def test_the_studys_own_classifier_comes_first(results: Results) -> None:
    assert classifiers(results) == ["seed-cnn", "probe"]


def test_a_number_that_equals_all_stands_before_all(results: Results) -> None:
    extra = results.summaries[0].model_copy(update={"real_count": 120, "real_count_label": "120"})
    both = results.model_copy(update={"summaries": [*results.summaries, extra]})
    assert [column.label for column in columns(both)] == ["10", "50", "120", "all"]


def test_the_honest_table_gives_spread_and_interval_of_every_figure(results: Results) -> None:
    groups = honest_table(results, "probe", figure_groups(results)["half"])
    assert [group.column.label for group in groups] == ["10", "50", "all"]
    row = groups[0].rows[0]
    assert len(row.cells) == 4
    assert (row.cells[0].value, row.cells[0].interval) == (".60", ".57–.63")
    assert row.cells[0].spread.endswith(".01")
    assert groups[0].rows[3].note == "110 synthetic added"
    assert groups[0].note == "“malignant” 10, other classes 200"


def summary(arm: str, mean: float, half: float | None) -> ArmSummary:
    low, high = (None, None) if half is None else (mean - half, mean + half)
    return ArmSummary(
        arm=arm,
        real_count=10,
        real_count_label="10",
        classifier="probe",
        n_runs=5,
        figures={"roc_auc": Interval(mean=mean, low=low, high=high)},
    )


def test_a_best_value_is_marked_only_when_its_interval_is_clear_of_all_others() -> None:
    clear = [summary("a", 0.9, 0.02), summary("b", 0.8, 0.02), summary("c", 0.7, 0.02)]
    assert best_arms(clear, "roc_auc") == {"a"}
    assert best_arms([clear[0], summary("b", 0.88, 0.02)], "roc_auc") == set()
    assert best_arms([clear[0], summary("b", 0.1, None)], "roc_auc") == set()
    assert best_arms(clear[:1], "roc_auc") == set()


def test_the_csv_has_a_line_a_run_and_every_field(results: Results) -> None:
    lines = list(csv.DictReader(io.StringIO(results_csv(results))))
    assert len(lines) == len(results.rows)
    assert list(lines[0]) == list(ResultRow.model_fields)
    assert [ResultRow.model_validate(numbers(line)) for line in lines] == results.rows


def numbers(line: dict[str, str]) -> dict[str, str | None]:
    return {name: value or None for name, value in line.items()}


def test_undefined_figures_are_empty_in_the_csv_and_dashes_in_the_tables(
    results: Results,
) -> None:
    row = results.rows[0].model_copy(update={"roc_auc": None})
    first = results.summaries[0]
    bare = first.model_copy(update={"figures": {}})
    thin = results.model_copy(update={"rows": [row], "summaries": [bare]})
    line = next(csv.DictReader(io.StringIO(results_csv(thin))))
    assert line["roc_auc"] == ""
    assert study_table(thin, first.classifier).rows[0][1] == ["–/–"]
    assert honest_table(thin, first.classifier, ["roc_auc"])[0].rows[0].cells[0].value == "–"


def test_the_terminals_table_lines_up(results: Results) -> None:
    blocks = results_text(results).split("\n\n")
    assert len(blocks) == 2
    heading, *lines = blocks[0].split("\n")
    assert heading == "Plain CNN: accuracy / balanced accuracy / ROC-AUC"
    assert len({len(line) for line in lines}) == 1
    assert lines[1].split() == [
        "real",
        "images",
        "only",
        ".60/.60/.60",
        ".65/.65/.65",
        ".70/.70/.70",
    ]


def test_where_runs_chose_how_many_to_add_the_table_says_between_which(results: Results) -> None:
    def note(*counts: int) -> str:
        added = iter(counts)
        rows = [
            row.model_copy(update={"n_fake": next(added, counts[-1])})
            for row in results.rows
            if (row.classifier, row.arm, row.real_count) == ("probe", "gan:infogan", 10)
        ]
        chosen = results.model_copy(update={"rows": rows})
        of_gan = honest_table(chosen, "probe", ["roc_auc"])[0].rows[3]
        assert of_gan.is_gan
        return of_gan.note

    assert note(0, 20) == "0 to 20 synthetic added, by run"
    assert note(20) == "20 synthetic added"
    assert note(0).startswith("no synthetic added")
