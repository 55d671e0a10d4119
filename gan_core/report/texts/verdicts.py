"""The verdicts in detail: differences, ratios, what a patient meets."""

VERDICTS = {
    "details": "Each comparison",
    "details_lead": "A GAN’s arm counts as a help only where its ROC-AUC is better than that of"
    " every way of preparing the same real images without a GAN, after correction for all the"
    " comparisons of this study (Holm), its balanced accuracy is below that of none of them, and"
    " there are at least five subsets of the real images. It counts as a harm where one of the two"
    " is worse than that of the strongest of these ways, after the same correction.",
    "forest_lead": "Change against the strongest arm without a GAN. Right of the line is better;"
    " the bars are 95% intervals. A bar that crosses the line is no finding; one that does not may"
    " still be chance among so many, so what counts is the corrected verdict in the table.",
    "forest_alt": "Differences of {figure} with the {classifier} against the strongest arm without"
    " a GAN. {values}",
    "forest_alt_row": "{arm}, {count} real images: {value}, {between}.",
    "forest_axis": "difference in {figure}",
    "no_interval": "no interval",
    "interval": "{low} to {high}",
    "against": "against {arm}",
    "outcome_column": "verdict",
    "p_column": "p (Holm)",
    "p_plain_column": "p, bootstrap",
    "p_analytic_column": "p, analytic",
    "ratio_column": "ratio",
    "runs_column": "runs",
    "figure_column": "figure",
    "difference_column": "difference",
    "against_column": "against",
    "ratio_value": "{ratio} : 1",
    "comparisons_summary": "All comparisons, sentences and caveats with {count} real images",
    "comparisons_caption": "{arm}, {classifier}",
    "p_small": "< .001",
    "details_note": "p is two-sided and corrected by Holm’s method over all verdicts of this study."
    " Ratio: synthetic images to a real one.",
    "ratios": "How many synthetic images?",
    "ratios_lead": "ROC-AUC of the classifier on image features by synthetic images to a real one."
    " The choice is made on held-out real training images (solid line) by cross-fitting; the test"
    " images (dashed line) are only looked at. A ring marks each ratio that was chosen in a run:"
    " the larger, the more often. Ratio 0 may win: then adding none was the best choice.",
    "ratios_alt": "ROC-AUC by ratio, {gan}. {values}",
    "ratios_alt_count": "With {count} real images, held out: {values}; chosen: {chosen}.",
    "ratios_line_heldout": "held-out real training images",
    "ratios_line_test": "test images",
    "axis_ratio": "synthetic images to a real one",
    "ratio_at": "{value} at {ratio}",
    "patients": "In plain numbers",
    "patients_lead": "If 100 people with “{rare_class}” and 100 without were like the test images."
    " Classifier: {who}; threshold {threshold}. Means over the runs.",
    "threshold_moved": "moved to where held-out training images favour it",
    "threshold_half": "at .5",
    "patients_found": "of 100 with it, found",
    "patients_missed": "of 100 with it, missed",
    "patients_alarm": "of 100 without it, false alarms",
    "patients_sentence": "With {count} real images, {arm}: of 100 with “{rare_class}”, {found}"
    " found; of 100 without, {alarm} wrongly called “{rare_class}”.",
    "patients_example": "Read it so:",
    "roc": "ROC curves and calibration",
    "roc_lead": "The strongest arm without a GAN (dashed), chosen on held-out training images, and"
    " the arm with one of which the answer speaks. Classifier: {classifier}. Curves are means over"
    " the runs at each false-alarm rate; the band is one standard deviation over runs. Dots are the"
    " decisions at the moved threshold.",
    "roc_alt": "ROC curves of the {classifier} with {count} real images: {arms}.",
    "axis_false_alarms": "false alarms (1 − specificity)",
    "axis_found": "found (sensitivity)",
    "calibration": "Can the scores be read as probabilities?",
    "calibration_lead": "Share of images that are “{rare_class}” among those that got about the"
    " same score. On the diagonal a score of .8 means 80%. Arms that change how often the class"
    " occurs in training (weights, oversampling, synthetic images) shift it. Bins with fewer than"
    " {least} images are left out.",
    "calibration_alt": "Calibration of the {classifier} with {count} real images: {arms}.",
    "axis_score": "score",
    "axis_share": "share that is “{rare_class}”",
    "panel_count": "{count} real images",
}
