"""What was found of the images: quality, screen, privacy, shortcuts, and images that leak."""

FINDINGS = {
    "set_column": "synthetic images",
    "set_name": "{gan}, {count} real",
    "sets_note": "Means over the subsets of the real images.",
    "figures_of_sets": "How close they come to real images",
    "figures_of_sets_lead": "By {features}, against real images of the rare class: {against}. KID"
    " is the kernel distance, lower is better; “by chance” is that between two halves of the real"
    " images, which no set can be expected to beat. The Fréchet distance depends on the number of"
    " images (n beside it): compare equal numbers only. Precision and density say how many look"
    " real; recall and coverage how many kinds of real image occur; diversity is 1 when synthetic"
    " images differ from one another as real ones do.",
    "against:held-out": "training images that the GAN did not see",
    "against:test": "test images, for want of enough unseen training images",
    "against:training": "the GAN’s own training images, for want of others",
    "quality_figure:kid": "KID",
    "quality_figure:chance_kid": "KID by chance",
    "quality_figure:frechet": "Fréchet (n)",
    "quality_figure:precision": "Precision",
    "quality_figure:recall": "Recall",
    "quality_figure:density": "Density",
    "quality_figure:coverage": "Coverage",
    "quality_figure:diversity": "Diversity",
    "upscaler_heading": "What the upscaler does to this data set’s images",
    "upscaler_lead": "Real images were made small and brought up again, then compared with what"
    " they were. A plain filter (Lanczos) beside it: an upscaler that does not beat it invents"
    " detail.",
    "engine_column": "upscaler",
    "engine:lanczos": "Lanczos filter",
    "engine:realesrgan": "Real-ESRGAN ×4",
    "engine:realesr-compact-x2": "Real-ESRGAN compact ×2",
    "engine:realesr-compact-x4": "Real-ESRGAN compact ×4",
    "engine:realesrgan-original": "Real-ESRGAN, original package",
    "upscaler_sizes": "{engine}, {size_from} → {size_to} px, {n} images",
    "upscaler_figure:psnr": "PSNR, dB",
    "upscaler_figure:psnr_lanczos": "PSNR, Lanczos",
    "upscaler_figure:ssim": "SSIM",
    "upscaler_figure:ssim_lanczos": "SSIM, Lanczos",
    "upscaler_worse": "{engine} restores the images less well than the plain filter.",
    "screening": "What was left out",
    "screening_lead": "More images were drawn than were needed, and the screen chose among them. It"
    " looks at training images only. Every image that was left out is listed with its reason in"
    " the zip (rejected.jsonl).",
    "screening_none": "No screen chose among the images in this study: all that were drawn were"
    " used.",
    "screening_figure:drawn": "Drawn",
    "screening_figure:kept": "Kept",
    "screening_figure:needed": "Needed",
    "rejected:near-copy": "Almost a training image",
    "rejected:off-manifold": "Unlike any real one",
    "rejected:wrong-class": "Taken for another class",
    "rejected:alike": "Like one already picked",
    "rejected:not-needed": "Enough were picked",
    "screening_short": "{name}: fewer images passed than were needed ({kept} of {needed}); the"
    " classifiers saw fewer.",
    "nearest_heading": "Is it a copy?",
    "nearest_lead": "Under each synthetic image the real training images nearest to it, the"
    " nearest first. They should resemble it in kind, and not be it.",
    "row_nearest": "nearest",
    "row_nearest_next": "{n}. nearest",
    "image_alt_nearest": "real training image, {n}. nearest to synthetic image {i}",
    "privacy": "Privacy",
    "privacy_lead": "What the synthetic images tell of the patients whose images the GAN learned"
    " from. These are attempts to find traces, not proof that there are none.",
    "privacy_missing": "No privacy analysis came of this study: it was not asked for, or its step"
    " failed. Treat the synthetic images as you treat the real ones.",
    "privacy_shown": "What was looked at",
    "privacy_not_shown": "What this does not show",
    "privacy_not:attacks": "Attacks other than these two, and any that will be invented later, were"
    " not tried.",
    "privacy_not:models": "The generators themselves were not attacked. Somebody who holds one"
    " can draw far more images than were looked at here.",
    "privacy_not:patients": "Images were compared, not patients: several images of one patient are"
    " several images here.",
    "privacy_not:law": "Whether these images may be shared is a question for your ethics board and"
    " data protection officer. Treat them as you treat the real ones until they have answered.",
    "privacy_copies_none": "No synthetic image almost equals a training image.",
    "privacy_copies_one": "1 synthetic image almost equals a training image. {fate} That it occurs"
    " says that the GAN learned some images by heart.",
    "privacy_copies_many": "{n} synthetic images almost equal a training image. {fate} That they"
    " occur says that the GAN learned some images by heart.",
    "privacy_copies_left_out": "The zip is made without near-copies.",
    "privacy_copies_kept": "The near-copy check was switched off: the zip holds near-copies, too.",
    "privacy_near": "Synthetic images lie {ratio} times as far from the training images as"
    " unseen real ones do, and {share} of them lie closer than all but 1% of the unseen ones:"
    " {judged}.",
    "privacy_judged:close": "closer than new patients would",
    "privacy_judged:usual": "not clearly closer than new patients would",
    "privacy_attack": "A membership attack by {by} told training images from unseen ones"
    " with a ROC-AUC of {auc} ({between}; .50 is chance): {judged}.",
    "privacy_by:distance": "distance to the nearest synthetic image",
    "privacy_by:discriminator": "the discriminator’s scores, which never leave the service,",
    "privacy_attack_judged:found": "whether an image was used can partly be told",
    "privacy_attack_judged:chance": "it could not be told from chance",
    "privacy_attack_judged:open": "too few images to tell either way",
    "privacy_epsilon": "Trained with differential privacy, ε = {epsilon} at δ = {delta}."
    " That bounds what any attack can learn of one training image; it costs quality.",
    "privacy_no_epsilon": "No GAN of this study was trained with differential privacy: there is no"
    " bound (ε) on what an attack could learn.",
    "privacy_table": "The figures",
    "privacy_figure:nearest_ratio": "Nearest, to unseen real",
    "privacy_figure:share": "Below 1st percentile",
    "privacy_figure:near_copies": "Near-copies",
    "privacy_figure:distance": "Attack by distance",
    "privacy_figure:discriminator": "Attack by discriminator",
    "privacy_figure:epsilon": "ε",
    "privacy_figure:members": "Trained on / unseen",
    "privacy_note": "ROC-AUC of the attacks: mean over subsets, with the widest of their 95%"
    " intervals. Near-copies are counted over all subsets. The unseen real images are {others}.",
    "others:held-out": "training images outside the subset",
    "others:test": "test images",
    "copies_heading": "Near-copies side by side",
    "copies_lead": "Synthetic left, the training image that it almost equals right; the difference"
    " is of small versions, in grey levels of 0 to 255. {fate}",
    "copies_alt_synthetic": "synthetic image that almost equals a training image",
    "copies_alt_real": "the training image",
    "copies_caption": "difference {rms}",
    "shortcuts": "Can a classifier see which images are synthetic?",
    "shortcuts_link": "Shortcuts",
    "shortcuts_lead": "If it can, it may learn “looks synthetic” in place of “{rare_class}”, as"
    " only that class has synthetic images. A probe tried to tell real images of “{rare_class}”"
    " from synthetic ones: ROC-AUC, .50 is not at all, 1 is always.",
    "shortcuts_warning": "Take any benefit of {name} with care: ROC-AUC {auc} even after all images"
    " went through the same resizing and encoding. A classifier trained on both can take the easy"
    " way and learn the traces of the generator.",
    "shortcuts_good": "No set stands out: after the same resizing and encoding real and synthetic"
    " images of “{rare_class}” are hard to tell apart.",
    "shortcut_figure:raw": "As they are",
    "shortcut_figure:matched": "As the benchmark sees them",
    "shortcut_figure:at_gan_size": "Real ones at the GAN’s size, too",
    "shortcuts_note": "Mean over subsets, with the widest of their 95% intervals.",
    "leaks": "Images that occur twice",
    "leaks_lead": "The same image in training and test makes every figure look better than it is;"
    " the same image in two classes carries a wrong label.",
    "leaks_training": "{n} training images are the same as a test image, or nearly.",
    "leaks_training_one": "1 training image is the same as a test image, or nearly.",
    "leaks_training_none": "No training image is the same as a test image, or nearly.",
    "leaks_left_out": "They were kept out of everything that learns: GANs, screens, classifiers.",
    "leaks_kept": "They were left in training, in every arm alike. Ask for “leaks: leave-out” to"
    " keep them out.",
    "leaks_incomplete": "There are so many lookalikes that the search for pairs was ended early.",
    "leaks_pairs": "The gravest pairs",
    "leaks_table": "All pairs that are listed ({n})",
    "leaks_kind": "kind",
    "leaks_kind:exact": "equal",
    "leaks_kind:near": "nearly equal",
    "leaks_rms": "difference",
    "leaks_first": "one",
    "leaks_second": "other",
    "leaks_place": "entry {entry}: {split}, {name}",
    "leaks_alt": "real image, entry {entry}",
}
