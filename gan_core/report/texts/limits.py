"""The data set, the limits, and how to make it all again."""

LIMITS = {
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
    "pairs_across": "Of these pairs between training and test: {n}. On those the test is easier"
    " than it should be.",
    "pairs_across_classes": "Of these pairs between classes: {n}. One of each pair may carry the"
    " wrong label.",
    "pairs_across_none": "None of these pairs lies between training and test.",
    "digest": "Digest",
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
    "limit_privacy_measured": "Traces of patients were looked for in the synthetic images, by a few"
    " methods; see “Privacy” for what that shows and what not. Treat them as you treat the real"
    " ones.",
    "limit_shortcut_measured": "Only “{rare_class}” has synthetic images. All images went through"
    " the same resizing and encoding, yet a classifier may still see which are synthetic: see"
    " “Can a classifier see which images are synthetic?”.",
    "limit_shift": "The test images come from the same source as the training images. Other"
    " clinics, cameras and patients were not tested.",
    "limit_shortcut": "Only synthetic images passed through the upscaler, and only"
    " “{rare_class}” has"
    " synthetic images. A classifier can learn the upscaler’s texture instead of the disease.",
    "limit_use": "This is research. It is no medical device and no ground for a diagnosis.",
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
