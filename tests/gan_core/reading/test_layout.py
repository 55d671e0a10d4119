"""Where classes and splits are found, and what a person is told when they are not."""

import pytest

from gan_core.reading.archive import Entry
from gan_core.reading.layout import clean_class_name, lay_out
from gan_core.spec.errors import GraftError


def _entries(*names: str) -> list[Entry]:
    return [Entry(number, name) for number, name in enumerate(names, 1)]


def _seen(*names: str) -> set[tuple[str, str | None, int]]:
    layout = lay_out(_entries(*names))
    return {(item.class_name, item.split, item.entry.number) for item in layout.items}


def _refused(*names: str) -> str:
    with pytest.raises(GraftError) as caught:
        lay_out(_entries(*names))
    return caught.value.code


_SPLIT = ("train/a/1.png", "train/b/2.png", "test/a/3.png", "test/b/4.png")
_EXPECTED = {("a", "train", 1), ("b", "train", 2), ("a", "test", 3), ("b", "test", 4)}


def test_train_and_test_folders_are_found() -> None:
    assert _seen(*_SPLIT) == _EXPECTED


def test_one_folder_around_everything_is_looked_through() -> None:
    assert _seen(*(f"my set/{name}" for name in _SPLIT)) == _EXPECTED
    assert _seen("root/a/1.png", "root/b/2.png") == {("a", None, 1), ("b", None, 2)}


def test_split_folders_are_found_in_any_case() -> None:
    renamed = (name.replace("train", "Training").replace("test", "TEST") for name in _SPLIT)
    assert _seen(*renamed) == _EXPECTED


def test_without_split_folders_there_is_no_split() -> None:
    layout = lay_out(_entries("a/1.png", "b/2.png"))
    assert not layout.has_own_split
    assert {item.split for item in layout.items} == {None}


def test_a_train_folder_alone_is_no_split() -> None:
    assert _seen("train/a/1.png", "train/b/2.png") == {("a", None, 1), ("b", None, 2)}


def test_a_test_folder_alone_is_refused() -> None:
    assert _refused("test/a/1.png", "test/b/2.png") == "class_missing_in_train"


def test_validation_images_join_the_training_images_and_that_is_said() -> None:
    layout = lay_out(_entries(*_SPLIT, "val/a/5.png"))
    assert [item.split for item in layout.items if item.entry.number == 5] == ["train"]
    assert [problem.code for problem in layout.problems] == ["validation_merged"]


def test_a_second_copy_beside_train_and_test_is_left_out_and_that_is_said() -> None:
    copies = [f"data/{name}" for name in _SPLIT]
    layout = lay_out(_entries(*_SPLIT, *copies))
    assert len(layout.items) == 4
    assert [problem.code for problem in layout.problems] == ["left_out"]
    assert "4 images" in layout.problems[0].detail


def test_the_order_in_the_archive_does_not_matter() -> None:
    forwards = lay_out(_entries(*_SPLIT))
    backwards = lay_out(_entries(*reversed(_SPLIT)))
    assert [i.entry.name for i in forwards.items] == [i.entry.name for i in backwards.items]


def test_clutter_and_a_readme_are_no_fuss() -> None:
    layout = lay_out(
        _entries(
            *_SPLIT,
            "README.txt",
            "labels.csv",
            "__MACOSX/train/a/._1.png",
            "train/.DS_Store",
            "train/a/Thumbs.db",
            ".git/config.png",
        )
    )
    assert len(layout.items) == 4
    assert layout.problems == []


def test_other_files_among_the_images_are_named_by_number() -> None:
    layout = lay_out(_entries(*_SPLIT, "train/a/notes.txt", "train/b/more.zip"))
    assert [(p.code, p.entry) for p in layout.problems] == [
        ("not_an_image", 5),
        ("nested_archive", 6),
    ]


@pytest.mark.parametrize(
    ("names", "code"),
    [
        (("readme.txt",), "no_images"),
        (("1.png", "2.png"), "no_images"),
        (("train/1.png", "test/2.png"), "no_images"),
        (("a/1.png", "a/2.png"), "one_class_only"),
        (("train/a/1.png", "test/a/2.png"), "one_class_only"),
        (("train/a/1.png", "train/b/2.png", "test/a/3.png"), "class_missing_in_test"),
        (("train/a/1.png", "test/b/2.png", "test/a/3.png"), "class_missing_in_train"),
        (("a/1.png", "!!/2.png"), "bad_class_name"),
        (("a/1.png", "b" * 65 + "/2.png"), "bad_class_name"),
        (("a/1.png", "a?/2.png"), "class_names_clash"),
        (("train/a/1.png", "train/b/2.png", "test/A/3.png"), "class_names_clash"),
        (tuple(f"{k}/1.png" for k in range(101)), "too_many_classes"),
    ],
)
def test_what_is_no_set_of_classes_is_refused(names: tuple[str, ...], code: str) -> None:
    assert _refused(*names) == code


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("malignant", "malignant"),
        ("Melanoma in situ", "Melanoma_in_situ"),
        ("nævus\u202e", "nævus"),
        ("e\u0301ruption", "éruption"),
        ("黒色腫", "黒色腫"),
        ("..a<b>:c..", "a_b_c"),
        ("stage 1+", "stage_1+"),
    ],
)
def test_class_names_become_safe_and_stay_legible(folder: str, name: str) -> None:
    assert clean_class_name(folder) == name
