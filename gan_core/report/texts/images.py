"""The synthetic images."""

IMAGES = {
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
    " above: the first ones, not the best. Near-copies of real images are not taken out here.",
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
    "gans_more": "Pictures of the first subset of each real count are shown. GANs trained on other"
    " subsets: {n}.",
    "gans_none": "No synthetic images were made in this study.",
}
