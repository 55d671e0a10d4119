from __future__ import annotations

import re
from dataclasses import replace
from io import BytesIO
from xml.etree import ElementTree as ET

import numpy as np
from PIL import Image

from gan_core.report import ReportData, curves_png, plots, samples_png
from gan_core.report.details import forest_svg
from gan_core.report.headline import headline_svg
from gan_core.report.pictures import fitted, sheet
from gan_core.report.styles import line_style, swatch
from gan_core.report.tables import arms
from gan_core.spec.results import Interval, Results


def test_a_plot_says_in_words_what_it_shows(results: Results) -> None:
    svg = str(plots.over_counts_svg(results, "probe", "roc_auc"))
    root = ET.fromstring(svg)  # noqa: S314 - ours
    assert root.get("role") == "img"
    label = root.get("aria-label") or ""
    assert "real + InfoGAN: .62 with 10, .67 with 50." in label


def test_plots_take_their_colours_from_the_page(results: Results) -> None:
    svg = str(plots.over_counts_svg(results, "probe", "roc_auc"))
    assert re.search(r"#[0-9a-f]{6}\b", svg) is None
    assert "var(--ink)" in svg or "var(--faint)" in svg
    assert "var(--line-3)" in svg


def test_letters_stay_letters_in_the_pages_font(results: Results) -> None:
    svg = str(plots.over_counts_svg(results, "probe", "roc_auc"))
    assert "real images of “malignant” in training" in svg
    assert "font-family" not in svg
    assert "<style" not in svg


def test_every_arm_has_its_own_colour_and_marker(results: Results) -> None:
    shown = arms(results)
    styles = [line_style(arm, shown) for arm in shown]
    assert len({style.colour for style in styles}) == len(shown)
    assert len({style.marker for style in styles}) == len(shown)


def test_every_marker_of_the_plots_can_stand_in_a_legend() -> None:
    shown = [f"gan:{i}" for i in range(12)]
    for arm in shown:
        ET.fromstring(str(swatch(arm, shown)))  # noqa: S314 - ours


def test_both_classifiers_share_an_axis_so_that_they_can_be_compared(results: Results) -> None:
    for summary in results.summaries:
        if summary.classifier == "probe":
            interval = summary.figures["roc_auc"]
            summary.figures["roc_auc"] = interval.model_copy(
                update={"mean": 0.95, "low": 0.93, "high": 0.97}
            )

    def numbers(classifier: str) -> list[str]:
        svg = str(plots.over_counts_svg(results, classifier, "roc_auc"))
        return re.findall(r">(\.\d+)</text>", svg)

    assert numbers("probe") == numbers("seed-cnn")


def test_a_forest_of_small_differences_tells_its_ticks_apart(results: Results) -> None:
    small = Interval(mean=-0.0003, low=-0.0031, high=0.0024)
    verdicts = [v.model_copy(update={"differences": {"roc_auc": small}}) for v in results.verdicts]
    svg = str(forest_svg(verdicts, results, "roc_auc"))
    ticks = re.findall(r">([+−]?\.\d+)</text>", svg)
    assert len(set(ticks)) == len(ticks) > 1


def test_at_a_single_real_count_the_arms_of_the_first_picture_stand_side_by_side(
    results: Results,
) -> None:
    single = [s for s in results.summaries if s.real_count_label == "10"]
    for s in single:
        s.figures["roc_auc"] = Interval(mean=0.8, low=0.7, high=0.9)
    svg = str(headline_svg(results.model_copy(update={"summaries": single}), "probe", "roc_auc"))
    markers = re.findall(r'<use [^>]*x="([\d.]+)"[^>]*y="([\d.]+)"', svg)
    assert len({y for _, y in markers}) < len({x for x, _ in markers})


def test_the_curves_picture_is_a_png(data: ReportData) -> None:
    png = curves_png(data)
    assert png is not None
    with Image.open(BytesIO(png)) as image:
        assert image.format == "PNG"
        assert image.width == 1600


def test_there_are_no_pictures_of_what_was_not_done(data: ReportData) -> None:
    empty = Results(rare_class="a", classes={}, rows=[], summaries=[], verdicts=[])
    assert curves_png(replace(data, results=empty)) is None
    assert samples_png(replace(data, gans=[])) is None


def test_the_samples_picture_has_a_row_of_real_and_one_of_synthetic_for_each_gan(
    data: ReportData,
) -> None:
    one, both = samples_png(replace(data, gans=data.gans[:1])), samples_png(data)
    assert one is not None
    assert both is not None
    with Image.open(BytesIO(one)) as a, Image.open(BytesIO(both)) as b:
        assert a.width == b.width
        assert b.height - a.height == 2 * (128 + 24 + 4)


def test_a_sheet_holds_every_image_in_its_place() -> None:
    images = np.random.default_rng(0).integers(0, 256, (2, 3, 4, 4, 3), dtype=np.uint8)
    whole = sheet(images, gap=1)
    assert whole.shape == (9, 14, 3)
    np.testing.assert_array_equal(whole[5:9, 10:14], images[1, 2])
    assert (whole[4] == 255).all()


def test_fitting_averages_when_it_shrinks_and_leaves_the_right_size_alone() -> None:
    images = np.zeros((1, 4, 4, 3), np.uint8)
    images[0, :, ::2] = 100
    np.testing.assert_array_equal(fitted(images, 2), np.full((1, 2, 2, 3), 50))
    assert fitted(images, 4) is images
    assert fitted(images, 9).shape == (1, 9, 9, 3)
