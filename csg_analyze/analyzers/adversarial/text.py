"""Texts on the detection of adversarial samples and accuracy under attack, for the reader of a report."""

DETECTION_MEASURES = """
The features are the averaged outputs of every convolution. The attacked images are random ones that all compared models
classify correctly; their targets are random classes, never the label or a present prediction. Only attacks that succeed
give adversarial samples; the others are counted.

A detector (a random forest of 100 trees) is trained on images of which half are clean and half are adversarial, and
tested on other images: its error in percent at a threshold of 0.5, its AUROC, and the share of adversarial samples that
it detects at 5 % false alarms (at the best threshold of the test images). All are means over the repeats.
"""
DETECTION_READING = """
Intervals (95 %) are over the attacked images, for fixed detectors. They say nothing about other seeds of training.

`--protocol` says how images are split. With `paired`, the clean and the adversarial image of a source are on the same
side. With `disjoint`, every source gives only one of them. With `random`, images are split without regard to their
sources, which leaks. `paper` is the same with the paper's training sizes, since the paper does not describe its split.

`noise_alarm_percent` is the share of images with noise of the same L2 size that the detector takes for adversarial: a
high share means that it detects noise. With `--negatives clean+noise`, half of the clean training images are replaced
by such images. An adaptive attack (`--adaptive`) follows the losses of the network and of a small detector together;
without it, a detection rate is no evidence of robustness.
"""
ROC_FIGURE = (
    "ROC curves of the detector with the largest training set, means over the repeats with one standard deviation. The "
    "dotted line marks 5 % false alarms."
)
DEPTH_FIGURE = (
    "The depth at which attacks are detected: the share of every convolution's features in the detector's decisions."
)
TRANSFER_FIGURE = "Error (%) of detectors trained on one attack and tested on another."
EXAMPLES_FIGURE = (
    "Clean image, adversarial image, and their difference, stretched to the full range around grey. Above them the "
    "label, the prediction for the adversarial image, and the L2 norm of the difference for pixels in [0, 1]."
)

ROBUSTNESS_MEASURES = """
Of a number of random images, the same
for every compared model, those are attacked that the model classifies correctly. `robust_accuracy` is a share of all of
them: an image counts as robust if it is classified correctly and no attack on it succeeds. An image that is fooled
within a smaller bound is fooled within every larger one, and not attacked again.

Attacks without a bound (C&W) look for the smallest perturbation of each image; the mean and the median of its L2 norm
are over the images that were fooled.
"""
ROBUSTNESS_READING = """
Accuracy under attack is an upper bound: a stronger attack may fool more images. `common_robust_accuracy` is the share
among the images that all compared models classify correctly; paired comparisons of models use these images. `not_moved`
counts the images that no step moved because all gradients were 0: they count as robust, although no perturbation was
tried. Intervals are 95 %: Wilson's for shares, bootstraps for norms.
"""
ROBUSTNESS_FIGURE = (
    "Accuracy under attack by the bound eps, on all images and (dashed) on those that all models classify correctly. "
    "Bars are 95 % Wilson intervals; eps = 0 is the clean accuracy."
)
MINIMAL_FIGURE = (
    "Share of the images that withstand perturbations up to a size: those whose smallest L2 norm is above the value, "
    "among the images that the model classifies correctly. Images that the attack never fooled withstand any size."
)
