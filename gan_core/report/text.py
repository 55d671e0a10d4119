"""Every text of the report in one place, so that another language can follow.

A translation is another ``Text`` with the same keys.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Text:
    """The report's texts in one language.

    Attributes:
        language: BCP 47 tag for the page's ``lang``.
        messages: Key → text, with ``str.format`` placeholders.
    """

    language: str
    messages: Mapping[str, str]

    def __call__(self, key: str, /, **values: object) -> str:
        """Return the text of a key, filled in.

        Raises:
            KeyError: There is no such text: a mistake in the report itself.
        """
        return self.messages[key].format(**values)

    def named(self, kind: str, name: str) -> str:
        """Return the name that people use for an arm, GAN, classifier or loss, or the name itself.

        New GANs and arms bring names that no translation knows yet.
        """
        return self.messages.get(f"{kind}:{name}", name)

    def arm(self, arm: str) -> str:
        """Return the label of an arm ("gan:infogan" → "+ InfoGAN")."""
        if arm.startswith("gan:"):
            return self("arm_gan", gan=self.named("gan", arm.removeprefix("gan:")))
        return self.named("arm", arm)

    def count(self, label: str, real_count: int) -> str:
        """Return the heading of a real count ("all" → "all (963)")."""
        return label if label == str(real_count) else f"{self.named('count', label)} ({real_count})"

    def phrase(self, label: str, real_count: int) -> str:
        """Return a real count as it stands in a sentence ("all" → "all 963")."""
        return label if label == str(real_count) else f"{self.named('count', label)} {real_count}"


_NAMES = {
    "arm:real-only": "real images only",
    "arm:class-weights": "real, class weights",
    "arm:oversample": "real, oversampled",
    "arm_gan": "real + {gan}",
    "gan:infogan": "InfoGAN",
    "classifier:seed-cnn": "Plain CNN",
    "classifier:probe": "ImageNet features with logistic regression",
    "classifier_short:seed-cnn": "plain CNN",
    "classifier_short:probe": "ImageNet features",
    "count:all": "all",
    "figure:accuracy": "Accuracy",
    "figure:balanced_accuracy": "Balanced accuracy",
    "figure:sensitivity": "Sensitivity",
    "figure:specificity": "Specificity",
    "figure:roc_auc": "ROC-AUC",
    "figure:pr_auc": "PR-AUC",
    "outcome:helps": "Helps",
    "outcome:harms": "Harms",
    "outcome:no-significant-difference": "No clear difference",
    "outcome:not-tested": "Not tested",
    "stage:features": "image features",
    "stage:pretrain": "training ahead",
    "stage:train": "training",
    "stage:generate": "drawing images",
    "stage:upscale": "upscaling",
    "stage:evaluate": "testing",
    "loss:discriminator": "discriminator",
    "loss:generator": "generator",
    "loss:information": "information",
}

_TOP = {
    "title": "Synthetic images of “{rare_class}”: do they help?",
    "kicker": "Graft study report",
    "synthetic_banner": "All images marked synthetic are computer-made.",
    "synthetic_tag": "synthetic",
    "real_tag": "real",
    "phantom_banner": "This data set holds phantoms: pictures drawn by a program, not photographs"
    " of any patient. Nothing here says anything about a disease.",
    "meta_version": "Graft {version}",
    "meta_digest": "data set {digest}",
    "contents": "Contents",
    "answer": "The answer",
    "answer_lead": "Each sentence compares a classifier trained with synthetic images added to the"
    " best one trained on the same real images without them. Both were tested on the same real"
    " images, the test images of the data set.",
    "no_verdict_no_gan": "No synthetic images were made in this study, so there are none to judge.",
    "no_verdict_no_benchmark": "No classifier was part of this study: the synthetic images were"
    " made, but whether they help was not tested.",
    "at_count": "With {count} real images",
    "difference_interval": "95% interval {low} to {high}",
    "differences_lead": "Change against the best without synthetic images, figure by figure:",
    "runs_one": "1 run",
    "runs_many": "{n} runs",
    "failed_heading": "Not computed",
    "failed_lead": "These columns are missing from what follows. Everything else is as if they had"
    " not been asked for.",
    "failed_column": "{name}, {count} real images, subset {subset}: {stage} failed",
    "failed_real": "Without a GAN",
    "failed_fact": "failed",
    "cell_failed": "failed",
    "cell_lost": " ({n} failed)",
    "advice_heading": "Before you rely on this",
}

_PICTURE = {
    "picture": "The picture",
    "picture_lead": "Higher is better. Each line is one way to prepare the training images; the"
    " whiskers show the 95% interval over the test images. Where whiskers overlap widely, the"
    " difference may be chance.",
    "axis_real_count": "real images of “{rare_class}” in training",
    "axis_epoch": "epoch",
    "axis_loss": "loss",
    "axis_accuracy": "accuracy",
    "chance": "chance",
    "line_train": "training",
    "line_val": "held out",
    "plot_alt": "{figure} of the {classifier} against the number of real images. {values}",
    "plot_alt_arm": "{arm}: {values}.",
    "plot_alt_value": "{value} with {count}",
    "more_figures": "Sensitivity and specificity as pictures",
}

_TABLES = {
    "table": "The table",
    "study_table_lead": "In the form in which such studies print it: accuracy / “AUC”.",
    "study_table_note": "The second number is called “AUC” in the literature that this table"
    " follows, but is computed from yes/no answers: it is balanced accuracy. The true ROC-AUC"
    " stands in the full table below.",
    "study_table_runs": "Means over the runs of each cell.",
    "terminal_heading": "{classifier}: accuracy / balanced accuracy / ROC-AUC",
    "arm_column": "training images",
    "full_table": "The full table",
    "full_table_lead": "Accuracy alone can hide a classifier that calls everything by the common"
    " class’s name. Read sensitivity and specificity together, and ROC-AUC for what the classifier"
    " could do at its best threshold.",
    "interval_note": "Small figures: 95% bootstrap interval over the test images.",
    "sd_note": "± is the standard deviation over runs.",
    "best_note": "A dot marks the best value where its interval lies clear of all others’.",
    "best_mark": "best, clear of the others",
    "group_note": "“{rare_class}” {n_real}, other classes {n_other}",
    "fakes_note": "{n_fake} synthetic added",
    "reading": "How to read the figures",
    "reading_threshold": "A classifier gives each image a score between 0 and 1. From .5 on it"
    " says “{rare_class}”.",
}

_READING = {
    "read:accuracy": "Share of all test images that were named correctly. Of {n_test} images,"
    " saying “not {rare_class}” every time would already give {always_no}.",
    "read:balanced_accuracy": "Mean of sensitivity and specificity. Guessing, or giving every image"
    " the same name, gives .50.",
    "read:sensitivity": "Of the {n_rare} test images of “{rare_class}”, the share that was found."
    " What is missing to 1 was overlooked.",
    "read:specificity": "Of the {n_other} other test images, the share that was rightly not called"
    " “{rare_class}”. What is missing to 1 was a false alarm.",
    "read:roc_auc": "The chance that an image of “{rare_class}” gets a higher score than one that"
    " is not, whatever the threshold. .50 is guessing, 1 is perfect. When it is high and"
    " sensitivity is low, the threshold is wrong, not the classifier.",
    "read:interval_name": "95% interval",
    "read:interval": "The range in which the figure falls in 95% of redrawn test sets. It says"
    " nothing about other hospitals, cameras or patients.",
    "read:real-only": "The real images as they are.",
    "read:class-weights": "The same images; a mistake on the rare class counts more. Costs"
    " nothing.",
    "read:oversample": "The real images of the rare class repeated until the classes are equal.",
    "read:gan": "The rare class filled up with synthetic images of {gan}, which saw the same real"
    " images of it and no others.",
    "arms_heading": "The ways to prepare the training images",
    "figures_heading": "The figures",
}

_CURVES = {
    "curves": "How the classifier learned",
    "curves_lead": "A fifth of the training images, real and synthetic, was held out of training."
    " The curves “held out” are of the real ones among them, which are few of “{rare_class}” where"
    " the real count is small. Nothing was chosen by them.",
    "curves_last_epoch": "After {epochs}: too few for a curve.",
    "epochs_one": "1 epoch",
    "epochs_many": "{n} epochs",
    "curve:train_loss": "Loss, training",
    "curve:val_loss": "Loss, held out",
    "curve:train_accuracy": "Accuracy, training",
    "curve:val_accuracy": "Accuracy, held out",
    "curves_heading": "{classifier}, {count} real images",
    "curves_alt": "Loss and accuracy by epoch of the {classifier}: {arm}, {count} real images.",
    "curves_more": "{n} more runs were made; the table holds them all.",
}

_GANS = {
    "gans": "The synthetic images",
    "gans_lead": "For each number of real images a GAN was trained. Of the rare class it saw those"
    " images alone; what it learnt from other classes stands beside it. Look for variety (or the"
    " same picture again and again), for structure that real images have, and for copies of the"
    " real images beside them.",
    "gan_heading": "{gan}, {count} real images",
    "gan_subset": "subset {subset}",
    "training_heading": "During training",
    "training_lead": "Real images at the GAN’s own size ({size} pixels), then the same seeds at"
    " moments of the training.",
    "final_heading": "As they leave the upscaler",
    "final_lead": "Synthetic images as the upscaler left them, at {size} pixels, with real images"
    " above. Near-copies of real images are not taken out here.",
    "sweep_heading": "What the codes do",
    "sweep_lead": "One synthetic image varied: each row is one of the GAN’s {categories}"
    " categories,"
    " from left to right a continuous code goes from −1 to +1. Rows that differ, and changes that"
    " mean something, say that the GAN has found structure; equal rows say that it has not.",
    "sweep_code": "Continuous code {code}",
    "sweep_rows": "{categories} categories",
    "sweep_alt": "Synthetic images: {categories} rows of categories, {steps} columns from −1 to"
    " +1.",
    "quality_heading": "Quality over the training",
    "quality_lead": "Samples compared with the training images at each snapshot. KID is the kernel"
    " distance on EfficientNet-Lite0 features: 0 for images of the same kind, about .06 for benign"
    " against malignant lesions, .4 for flat colour; the band is one standard deviation. Coverage"
    " is the share of training images that have a sample near them: higher is better."
    " Authenticity is the share of samples that are farther from any training image than that"
    " one's own neighbour: about .65 for new real images, near 0 for copies. Noise resembles"
    " nothing and is wholly authentic, so high authenticity means something only where coverage is"
    " high, too. Near-copies should be none.",
    "quality_chosen": "The generator after epoch {epoch} was kept (the dotted line). It was chosen"
    " by these figures, so they say which is best, not how good it is.",
    "quality_last": "The last generator was kept, whatever these figures say.",
    "quality_ended:plateau": "The training ended after epoch {epoch}, since it got no better.",
    "quality_ended:copying": "The training ended after epoch {epoch}, since it was learning its"
    " images by heart.",
    "quality_alt": "Kernel distance, coverage, authenticity and copies over the training of {gan},"
    " {count} real images, subset {subset}.",
    "quality:coverage": "coverage",
    "quality:authenticity": "authenticity",
    "quality:copy_rate": "near-copies",
    "axis_kid": "KID",
    "snapshot_chosen": "{when} (kept)",
    "losses_heading": "Losses of the GAN",
    "losses_lead": "The two networks work against each other, so these need not fall. Curves that"
    " run away or stand at zero are a bad sign.",
    "losses_alt": "Losses of {gan} over {epochs} epochs, {count} real images, subset {subset}.",
    "image_alt_real": "real image {n}",
    "image_alt_synthetic": "synthetic image {n}, {when}",
    "row_real": "Real",
    "row_final": "Final",
    "gans_more": "Pictures of the first subset of each real count are shown; {n} more GANs were"
    " trained on other subsets.",
    "gans_none": "No synthetic images were made in this study.",
}

_DATASET = {
    "dataset": "The data set",
    "dataset_lead": "Every image was brought to {size} × {size} pixels, and its metadata (camera,"
    " place, dates) was left out.",
    "class_column": "class",
    "split:train": "training",
    "split:test": "test",
    "split:total": "all",
    "rare_mark": "the rare class",
    "problems_heading": "Skipped or mended",
    "problems_none": "No image was skipped.",
    "problems_more": "and {n} more",
    "entry": "entry {entry}",
    "exact_duplicates": "Exact duplicates",
    "near_duplicates": "Near-duplicates",
    "pairs_one": "1 pair",
    "pairs_many": "{n} pairs",
    "pairs_across": "{n} of these pairs lie between training and test: on those the test is easier"
    " than it should be.",
    "pairs_across_classes": "{n} of these pairs lie between classes: one of each pair may carry the"
    " wrong label.",
    "pairs_across_none": "None of these pairs lies between training and test.",
    "digest": "Digest",
}

_LIMITS = {
    "limits": "Limits",
    "limit_runs": "Each arm was run {runs}. Differences between arms are then partly chance; at"
    " least five subsets of the real images are needed before a difference is worth publishing.",
    "times_once": "once",
    "times_many": "{n} times",
    "limit_few_real": "With fewer than about {few} real images (here: {counts}) the literature"
    " finds that GANs harm a classifier as often as they help it.",
    "limit_few_test": "“{rare_class}” has {n} test images. One image more or less moves sensitivity"
    " by {step}.",
    "limit_quick": "The profile “quick” trains for minutes, to show that everything works. Its"
    " images and its table say little about what a GAN can do.",
    "limit_phantom": "The data set holds phantoms (drawn pictures). The figures say"
    " nothing about any disease.",
    "limit_privacy_screened": "No privacy analysis was made beyond the near-copy check, which"
    " leaves"
    " out synthetic images that almost equal a training image. Images that pass it may still carry"
    " traces of the patients whose images were used: treat them as you treat the real ones.",
    "limit_privacy_unscreened": "No privacy analysis was made, and the near-copy check was switched"
    " off: images in the zip may be copies of real ones. Treat them as you treat the real ones.",
    "limit_shift": "The test images come from the same source as the training images. Other"
    " clinics, cameras and patients were not tested.",
    "limit_shortcut": "Only synthetic images passed through the upscaler, and only"
    " “{rare_class}” has"
    " synthetic images. A classifier can learn the upscaler’s texture instead of the disease.",
    "limit_use": "This is research. It is no medical device and no ground for a diagnosis.",
}

_METHOD = {
    "settings": "Settings",
    "settings_lead": "What was asked for, with every default filled in.",
    "reproduce": "How to make this again",
    "reproduce_lead": "Give the settings above to the same version of Graft with the same data set;"
    " its digest must begin with {digest}. All randomness comes from the seeds in the settings. On"
    " CPUs of one kind that gives the same images; a GPU rounds a training differently each time,"
    " so that its images and figures differ a little from run to run.",
    "reproduce_zip": "“graft verify synthetic.zip” checks the checksums and labels in the zip,"
    " makes a sample of its images again from their seeds when it is given the models, and compares"
    " them pixel by pixel.",
    "method_heading": "Machine and method",
    "steps_heading": "Steps and their keys",
    "step_column": "step",
    "key_column": "key",
    "footer": "Made by Graft {version}. This file is complete in itself: it opens without a"
    " network.",
}

ENGLISH = Text(
    language="en",
    messages={
        **_NAMES,
        **_TOP,
        **_PICTURE,
        **_TABLES,
        **_READING,
        **_CURVES,
        **_GANS,
        **_DATASET,
        **_LIMITS,
        **_METHOD,
    },
)
