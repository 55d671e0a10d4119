from __future__ import annotations

import base64
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from io import BytesIO
from typing import Any

import pytest
from PIL import Image

from gan_core.report import DatasetSection, GanSection, LearningCurve, ReportData, render_report
from gan_core.report import render as render_module
from gan_core.spec.results import Results

FILES = ("data:text/csv;", "data:application/json;", "data:application/gzip;")
VOID = {"meta", "img", "br", "input", "link", "hr"}


class Page(HTMLParser):
    """Reads a page as a browser would, and checks that every element is closed."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: Counter[str] = Counter()
        self.attributes: list[tuple[str, str]] = []
        self.words: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] != "style":
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def test_the_page_is_whole_and_every_id_is_used_once(whole_page: str) -> None:
    assert whole_page.lstrip().startswith("<!doctype html>")
    page = Page(whole_page)
    assert page.open == []
    ids = [value for name, value in page.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    targets = [v[1:] for n, v in page.attributes if n == "href" and v.startswith("#")]
    assert set(targets) <= set(ids)


def test_it_needs_no_network_and_no_script(whole_page: str) -> None:
    page = Page(whole_page)
    assert page.tags["script"] == page.tags["link"] == page.tags["iframe"] == 0
    for name, value in page.attributes:
        if name in ("src", "href"):
            assert value.startswith(("data:image/", "#", *FILES))
    assert "@import" not in whole_page
    assert re.search(r"url\((?!#)", whole_page) is None


def test_the_verdicts_come_first_with_the_picture_then_the_table(whole_page: str) -> None:
    text = Page(whole_page[whole_page.index("<main>") : whole_page.index("<footer>")]).text
    order = [
        "With 10 real images it harms.",
        "With 50 real images it helps.",
        "what a GAN has to rise above",
        "accuracy / “AUC”",
        "it is balanced accuracy",
        "The full table",
        "Higher is better",
        "Each comparison",
        "In plain numbers",
        "How to read the figures",
        "How the classifier learned",
        "InfoGAN, 10 real images",
        "Privacy No privacy analysis came of this study",
        "The data set Every image",
        "No privacy analysis was made beyond the near-copy check",
        "profile: quick",
        "How to make this again",
    ]
    places = [text.find(part) for part in order]
    assert -1 not in places
    assert places == sorted(places)


def test_the_differences_stand_beside_the_verdict_with_their_intervals(whole_page: str) -> None:
    text = Page(whole_page).text
    assert (
        "Change against the best without synthetic images, figure by figure:"
        " ROC-AUC −.04 95% interval −.06 to .00" in text
    )


def test_a_caveat_that_the_sentence_says_already_is_not_said_twice(data: ReportData) -> None:
    spoken = [
        v.model_copy(update={"sentence": f"{v.sentence} Two runs only."})
        for v in data.results.verdicts
    ]
    results = data.results.model_copy(update={"verdicts": spoken})
    text = Page(render_report(replace(data, results=results))).text
    assert text.count("Two runs only.") == len(spoken)


def test_the_held_out_curves_are_said_to_be_of_real_images(whole_page: str) -> None:
    assert "The curves “held out” are of the real ones among them" in Page(whole_page).text


def test_it_never_calls_the_images_anonymous(whole_page: str) -> None:
    assert "anonym" not in whole_page.lower()


def test_every_picture_is_a_readable_image_and_every_synthetic_row_is_marked(
    whole_page: str,
) -> None:
    pictures = re.findall(r'src="data:image/jpeg;base64,([^"]+)"', whole_page)
    # Two GANs, each: real 8 twice, 2 snapshots of 8, 8 upscaled, 2 sweeps.
    assert len(pictures) == 2 * (16 + 16 + 8 + 2)
    for picture in pictures:
        with Image.open(BytesIO(base64.b64decode(picture))) as image:
            image.load()
    for strip in re.findall(r'<div class="strip synthetic">.*?</span>', whole_page, re.DOTALL):
        assert ">synthetic</span>" in strip


def test_the_same_data_give_the_same_page(data: ReportData, whole_page: str) -> None:
    assert render_report(data) == whole_page


def test_names_from_a_data_set_cannot_become_markup(data: ReportData) -> None:
    evil = '<script>alert("x")</script>'
    results = data.results.model_copy(
        update={
            "rare_class": evil,
            "classes": {evil: {"train": 3, "test": 2}},
            "failed": [{"gan": evil, "code": "diverged", "detail": evil}],
        }
    )
    section = replace(
        data.dataset, classes=results.classes, problems=[{"code": "x", "detail": evil}]
    )
    html = render_report(
        replace(
            data,
            results=results,
            dataset=section,
            title=evil,
            spec={"rare_class": evil},
            environment={evil: evil},
            steps={evil: evil},
            advice=[evil],
        )
    )
    assert "<script" not in html
    assert Page(html).open == []
    assert "&lt;script&gt;" in html


def test_a_study_without_a_gan_says_so(data: ReportData, results: Results) -> None:
    without = results.model_copy(
        update={
            "verdicts": [],
            "rows": [r for r in results.rows if r.gan is None],
            "summaries": [s for s in results.summaries if s.gan is None],
        }
    )
    page = Page(render_report(replace(data, results=without, gans=[])))
    assert page.open == []
    assert "No synthetic images were made in this study" in page.text
    assert "No synthetic images were made" in page.text
    assert "computer-made" not in page.text


def test_a_study_without_a_classifier_says_that_nothing_was_tested(untested: ReportData) -> None:
    page = Page(render_report(untested))
    assert page.open == []
    assert "whether they help was not tested" in page.text
    assert "The full table" not in page.text


def test_the_barest_report_is_whole(data: ReportData) -> None:
    bare = ReportData(
        results=Results(rare_class="a", classes={}, rows=[], summaries=[], verdicts=[]),
        spec={},
        dataset=DatasetSection(digest="", image_size=8, classes={}),
        version="0",
    )
    assert Page(render_report(bare)).open == []


def test_missing_parts_of_a_gan_leave_only_their_part_out(
    untested: ReportData, gan_section: Callable[..., GanSection]
) -> None:
    whole = gan_section(10)
    changes: list[dict[str, Any]] = [
        {"real": None},
        {"snapshots": []},
        {"upscaled": None},
        {"history": []},
        {"sweeps": []},
        {"facts": {}},
    ]
    headings = {
        "During training": "snapshots",
        "As they leave the upscaler": "upscaled",
        "Losses of the GAN": "history",
        "What the codes do": "sweeps",
    }
    for change in changes:
        page = Page(render_report(replace(untested, gans=[replace(whole, **change)])))
        assert page.open == []
        for heading, part in headings.items():
            assert (heading in page.text) == (part not in change)


def test_a_single_real_count_and_a_single_run_are_enough(
    data: ReportData, results: Results
) -> None:
    one = results.model_copy(
        update={
            "rows": [r for r in results.rows if r.real_count == 10 and r.subset == 0],
            "summaries": [
                s.model_copy(
                    update={
                        "n_runs": 1,
                        "figures": {
                            name: i.model_copy(update={"sd": None, "low": None, "high": None})
                            for name, i in s.figures.items()
                        },
                    }
                )
                for s in results.summaries
                if s.real_count == 10
            ],
            "verdicts": results.verdicts[:1],
        }
    )
    page = Page(render_report(replace(data, results=one)))
    assert page.open == []
    assert "standard deviation over runs" not in page.text
    assert "Each arm was run once" in page.text


def test_phantoms_are_named_on_the_first_screen_and_under_limits(untested: ReportData) -> None:
    section = replace(untested.dataset, is_phantom=True)
    text = Page(render_report(replace(untested, dataset=section))).text
    assert text.count("phantoms") == 2
    assert text.index("phantoms") < text.index("The answer")


def test_few_epochs_make_a_table_in_place_of_curves(untested: ReportData, data: ReportData) -> None:
    curves = [replace(curve, points=curve.points[:1]) for curve in data.curves]
    text = Page(render_report(replace(untested, curves=curves))).text
    assert "After 1 epoch: too few for a curve." in text
    assert "Loss, held out" in text


def test_with_many_subsets_the_first_of_each_real_count_is_shown(
    untested: ReportData, gan_section: Callable[..., GanSection]
) -> None:
    gans = [gan_section(count, subset) for count in (10, 50) for subset in range(3)]
    text = Page(render_report(replace(untested, gans=gans))).text
    assert text.count("What the codes do") == 2
    assert "GANs trained on other subsets: 4." in text


def test_a_report_that_would_grow_too_large_compresses_its_pictures(
    untested: ReportData, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = len(render_report(untested))
    monkeypatch.setattr(render_module, "_MAX_BYTES", usual - 1)
    assert len(render_report(untested)) < usual


def test_problems_beyond_twenty_are_counted(untested: ReportData) -> None:
    problems = [{"code": "x", "detail": f"number {i}", "entry": str(i)} for i in range(25)]
    section = replace(untested.dataset, problems=problems, problems_not_listed=100)
    text = Page(render_report(replace(untested, dataset=section))).text
    assert "number 19" in text
    assert "number 20" not in text
    assert "and 105 more" in text


def test_curves_of_arms_without_results_are_drawn_too(
    untested: ReportData, data: ReportData
) -> None:
    odd = LearningCurve(
        classifier="seed-cnn",
        arm="gan:unheard-of",
        real_count=10,
        real_count_label="10",
        subset=0,
        seed=0,
        points=data.curves[0].points,
    )
    assert "real + unheard-of" in render_report(replace(untested, curves=[*data.curves, odd]))
