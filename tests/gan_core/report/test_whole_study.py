"""The page of a large study: every finding has its place, and it stays small enough to mail."""

from __future__ import annotations

import base64
import csv
import gzip
import io
import re
from dataclasses import replace

import pytest
from whole_study import whole_study

from gan_core.report import ReportData, render_report
from gan_core.spec.results import Results


@pytest.fixture(scope="module")
def study() -> ReportData:
    return whole_study()


@pytest.fixture(scope="module")
def page(study: ReportData) -> str:
    return render_report(study)


def words(page: str) -> str:
    without = re.sub(r"<style>.*?</style>|<[^>]+>", " ", page, flags=re.DOTALL)
    return " ".join(without.split())


def test_the_conclusions_come_before_everything_else(page: str, study: ReportData) -> None:
    text = words(page)
    told = [c.sentence for c in study.results.conclusions]
    places = [text.index(sentence) for sentence in told]
    assert places == sorted(places)
    assert places[-1] < text.index("what a GAN has to rise above") < text.index("The table In the")


def test_every_finding_has_its_section(page: str) -> None:
    sections = ["answer", "table", "details", "ratios", "patients", "roc", "gans", "screening"]
    sections += ["privacy", "shortcuts", "dataset", "limits", "settings"]
    places = [page.find(f'<section id="{name}">') for name in sections]
    assert -1 not in places
    assert places == sorted(places)


def test_it_can_be_sent_by_mail(page: str) -> None:
    assert len(page) < 9_000_000


def test_privacy_is_told_with_what_was_not_shown_and_never_as_anonymous(page: str) -> None:
    privacy = words(page[page.index('id="privacy"') : page.index('id="shortcuts"')])
    assert "What this does not show" in privacy
    assert "whether an image was used can partly be told" in privacy
    assert "no bound (ε)" in privacy
    assert "anonym" not in page.lower()


def test_a_shortcut_that_a_classifier_could_take_is_warned_of(page: str) -> None:
    text = words(page)
    assert "Take any benefit of FastGAN, 10 real with care: ROC-AUC .86" in text
    assert "Take any benefit of FastGAN, 500 real" not in text


def test_an_upscaler_that_loses_to_the_plain_filter_is_named(page: str) -> None:
    assert "Real-ESRGAN ×4 restores the images less well than the plain filter." in words(page)


def test_the_files_inside_are_those_of_the_artifacts(page: str, study: ReportData) -> None:
    files = dict(re.findall(r'<a download="([^"]+)" href="data:[^;]+;base64,([^"]+)"', page))
    assert [name.removesuffix(".gz") for name in files] == [
        "results.csv",
        "verdicts.csv",
        "results.json",
    ]
    opened = {}
    for name, encoded in files.items():
        raw = base64.b64decode(encoded)
        opened[name.removesuffix(".gz")] = gzip.decompress(raw) if name.endswith(".gz") else raw
    assert Results.model_validate_json(opened["results.json"]) == study.results
    runs = list(csv.DictReader(io.StringIO(opened["results.csv"].decode())))
    assert len(runs) == len(study.results.rows)
    comparisons = list(csv.DictReader(io.StringIO(opened["verdicts.csv"].decode())))
    assert len(comparisons) == sum(len(v.comparisons) for v in study.results.verdicts)


def test_leaking_pairs_stand_side_by_side_with_their_entries(page: str) -> None:
    assert "entry 40: training, benign" in words(page)
    assert 'alt="real image, entry 1200"' in page


def test_every_picture_has_words_for_those_who_do_not_see_it(page: str) -> None:
    assert re.search(r"<img(?![^>]* alt=\"[^\"]+\")", page) is None
    for svg in re.findall(r"<svg [^>]*>", page):
        assert 'aria-label="' in svg or 'aria-hidden="true"' in svg


def test_findings_without_any_gan_section_are_still_told(study: ReportData) -> None:
    bare = study.results.model_copy(update={"rows": [], "summaries": [], "verdicts": []})
    few = bare.model_copy(update={"conclusions": [], "ratios": [], "quality": []})
    text = words(render_report(replace(study, results=few, gans=[], curves=[], scores=[])))
    assert "What this does not show" in text
    assert "The full table" not in text


def test_a_help_that_may_be_a_shortcut_says_so_at_once(study: ReportData) -> None:
    conclusions = [
        c.model_copy(update={"outcome": "helps"})
        for c in study.results.conclusions
        if c.real_count in (100, 500)
    ]
    results = study.results.model_copy(
        update={"rows": [], "summaries": [], "verdicts": [], "conclusions": conclusions}
    )
    html = render_report(replace(study, results=results, gans=[], curves=[], scores=[]))
    warned, clear = re.findall(r'<div class="conclusion helps">.*?\n</div>', html, re.DOTALL)
    assert "may have learned that in place of the disease" in warned
    assert "in place of the disease" not in clear
