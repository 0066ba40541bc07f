"""What a reader is told of the detection of adversarial samples, and of accuracy under attack."""

DETECTION_MEASURES = """
The features are the averaged outputs of every convolution. The attacked images are random ones that all compared models
classify correctly; their targets are random classes, never the label or a present prediction. Only attacks that succeed
give adversarial samples; the others are counted.

A detector (a random forest of 100 trees) is trained on clean and adversarial images, half and half, and judged on
others: its error in per cent at a threshold of 0.5, its AUROC, and the share of adversarial samples it finds at 5 %
false alarms (at the best threshold of the test images). All are means over the repeats.
"""
DETECTION_READING = """
Intervals (95 %) are over the attacked images, with the detectors kept; they say nothing about other seeds of training.

How images are split (`--protocol`): with `paired`, the clean and the adversarial image of a source are on one side of
the split; with `disjoint`, every source gives only one of them; with `random`, images are dealt without a look at their
sources, which leaks; `paper` is the same with the paper's training sizes, since the paper does not say how it split.

`noise_alarm_percent` is the share of images with noise of the same L2 size that are taken for adversarial: a detector
that raises the alarm there detects noise. With `--negatives clean+noise` half of the clean training images are replaced
by such images. An adaptive attack (`--adaptive`) follows the loss of the network and of a small detector together;
without it a detection rate is no evidence of robustness.
"""
ROC_FIGURE = (
    "ROC curves of the detector with the largest training set, means over the repeats with one standard deviation. The "
    "dotted line marks 5 % false alarms."
)
DEPTH_FIGURE = (
    "Which depth gives an attack away: the share of every convolution's features in what the detector goes by."
)
TRANSFER_FIGURE = "Error (%) of detectors trained on one attack and tested on another."
EXAMPLES_FIGURE = (
    "Clean image, adversarial image, and their difference stretched to the full range around grey. Above them the "
    "label, what the network takes the second for, and the L2 norm of the third for pixels in [0, 1]."
)

ROBUSTNESS_MEASURES = """
Of a number of random images, the same
for every compared model, those are attacked that the model classifies correctly. `robust_accuracy` is a share of all of
them: an image counts as robust if it is classified correctly and no attack on it succeeds. An image that is fooled
within a smaller bound is fooled within every larger one, and not attacked again.

Attacks without a bound (C&W) give the smallest perturbation found for each image; the mean and the median of its L2
norm are over the images that were fooled.
"""
ROBUSTNESS_READING = """
Accuracy under attack is an upper bound: a stronger attack may find more. `common_robust_accuracy` is the share among
the images that every compared model classifies correctly, on which models are compared in pairs. `not_moved` counts the
images for which the attack found no gradient but 0, so that no step moved them: they count as robust, but nothing was
tried on them. Intervals are 95 %: Wilson's for shares, bootstraps for norms.
"""
ROBUSTNESS_FIGURE = (
    "Accuracy under attack by the bound eps, on all images and (dashed) on those that all models classify correctly. "
    "Bars are 95 % Wilson intervals; at eps = 0 stands the clean accuracy."
)
MINIMAL_FIGURE = (
    "How many images withstand the smallest perturbations of the attack: the share whose smallest L2 norm is above the "
    "value, over the images that the model classifies correctly. Those where the attack found nothing withstand at any "
    "size."
)
