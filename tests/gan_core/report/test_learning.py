from gan_core.report.learning import how_it_learnt


def test_a_model_that_learnt_from_the_rare_class_alone_has_nothing_to_tell() -> None:
    assert how_it_learnt({"training": {"epochs": 3}}) == {}


def test_other_images_labels_frozen_blocks_and_settings_are_told() -> None:
    card = {
        "training": {"freeze_d": 2, "settings": {"width": 8, "loss": "hinge"}},
        "pretrained": {
            "images": {"benign": 40, "malignant": 0},
            "step": 90,
            "training": {"images": "other-classes"},
        },
        "classes": ["benign", "malignant"],
    }
    assert how_it_learnt(card) == {
        "first trained on": "40 benign; 90 steps, once for all subsets and real counts",
        "frozen blocks of the discriminator": "2",
        "trained with the labels": "benign, malignant",
        "own settings": "loss hinge, width 8",
    }
