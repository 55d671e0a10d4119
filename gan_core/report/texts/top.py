"""The head of the page and its answer."""

TOP = {
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
    "conclusion_lead": "One sentence for each number of real images, over all GANs and classifiers"
    " of this study, judged with the classifier that is strongest without synthetic images. All"
    " were tested on the same untouched real images.",
    "conclusion_unit": "real images",
    "conclusion_shortcut": "A classifier can tell these synthetic images from real ones, and may"
    " have learned that in place of the disease: see “{section}”.",
    "headline_lead": "{classifier}, the strongest classifier of this study without synthetic"
    " images. Solid lines are trained with synthetic images, dashed ones without. The shaded floor"
    " is the strongest arm without a GAN at each number of real images (chosen on held-out training"
    " images): what a GAN has to rise above. Bands are 95% intervals over the test images.",
    "headline_bar": "the bar: strongest without a GAN",
    "legend_without": "Without a GAN",
    "legend_with": "With a GAN",
    "headline_rest": "Only the lines that matter most are drawn; the others stand in “{section}”.",
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
    "downloads": "Take the figures along",
    "download_runs": "Every run (CSV)",
    "download_verdicts": "Every comparison (CSV)",
    "download_results": "All results (JSON)",
    "download_results_small": "All results (JSON, gzip)",
    "advice_heading": "Before you rely on this",
}
