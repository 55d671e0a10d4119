"""Pictures and tables of figures, and how to read them."""

FIGURES = {
    "picture": "Every arm",
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
    "table": "The table",
    "study_table_lead": "In the form in which such studies print it: accuracy / “AUC”.",
    "study_table_note": "The second number is called “AUC” in the literature that this table"
    " follows, but is computed from yes/no answers: it is balanced accuracy. The true ROC-AUC"
    " stands in the full table below.",
    "study_table_runs": "Means over the runs of each cell.",
    "terminal_heading": "{classifier}: accuracy / balanced accuracy / ROC-AUC",
    "arm_column": "training images",
    "columns:main": "What the scores can do, and the decision at the moved threshold",
    "columns:half": "The decision at the threshold .5",
    "columns:more": "Fixed specificity, and the scores as probabilities",
    "table_of": "{classifier}: {columns}",
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
    "fakes_note_between": "{low} to {high} synthetic added, by run",
    "fakes_note_none": "no synthetic added, by choice",
    "reading": "How to read the figures",
    "reading_threshold": "A classifier gives each image a score between 0 and 1. From .5 on it"
    " says “{rare_class}”.",
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
    "read:pr_auc": "Average precision: how clean the list of images is when it is sorted by score."
    " A classifier that guesses gets the share of the class, {prevalence}.",
    "read:sensitivity_at_90": "The share of “{rare_class}” that is found when the threshold is set"
    " so that at most one other image in ten is a false alarm.",
    "read:sensitivity_at_95": "The same with at most one false alarm in twenty.",
    "read:brier": "Mean squared error of the scores as probabilities; lower is better.",
    "read:calibration_error": "Mean gap between a score and how often it is right (10 bins); lower"
    " is better.",
    "read:moved": "Threshold moved",
    "read:moved_meaning": "With few images of a class most classifiers say its name too rarely at"
    " .5. So the threshold is moved to where balanced accuracy is best on held-out real training"
    " images; the test images have no say. Arms with and without a GAN get the same treatment.",
    "read:interval_name": "95% interval",
    "read:interval": "The range in which the figure falls in 95% of redrawn test sets. It says"
    " nothing about other hospitals, cameras or patients.",
    "read:real-only": "The real images as they are.",
    "read:class-weights": "The same images; a mistake on the rare class counts more. Costs"
    " nothing.",
    "read:oversample": "The real images of the rare class repeated until the classes are equal.",
    "read:classic-augment": "The real images flipped, turned, cropped and recoloured anew each"
    " time.",
    "read:classic-augment+oversample": "Both together: what a GAN has to beat in practice.",
    "read:upscale-control": "Real images brought down to the GAN’s size and up again through the"
    " same upscaler: shows what the upscaler alone does.",
    "read_of:gan": "The rare class filled up with synthetic images of {gan}, which saw the same"
    " real images of it and no others.",
    "read_of:gan+classic-augment": "The same, with all images augmented as above.",
    "read_of:gan@ratio": "As many images of {gan} to a real one as held-out real training images"
    " favour; none is among the choices.",
    "read_of:gan-unscreened": "The first images that {gan} drew, without the screen’s choice.",
    "read_of:synthetic-only": "All images of the rare class are {gan}’s: can they stand in for real"
    " ones?",
    "arms_heading": "The ways to prepare the training images",
    "figures_heading": "The figures",
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
    "curves_more": "Runs that are not drawn: {n}. The table holds them all.",
    "terminal_conclusion": "{count} real images: {sentence}",
}
