"""Texts on the localization for the reader of a report."""

MEASURES = """
GradMap is the gradient of a filter's averaged activation with respect to the pixels, of the 30 filters of every class
with the highest mean activation on its images; its L2 norm over the colours is divided by its root mean square over
the image and blurred, and above 1 is the object. ActivMap is every filter's own map, enlarged to the size of the image;
the object is where it reaches the value that the highest 30 % of the filter's activations reach. CAM is the sum of the
maps with the head's weights of the labelled class, cut at the 30 % highest pixels; so are Grad-CAM, maps of captum's
methods, and the baselines (the whole image, a centred disk, smooth noise).
"""
READING = """
`avg_iou` is the mean IoU of these regions with the objects; `ap20` and `ap30` are the shares of images
with an IoU of more than 0.2 and 0.3 (for GradMap: a mean IoU over the 30 filters of at least that). The total of
ActivMap is an average over filters, all other totals are averages over images.

The other numbers come from the map scaled to [0, 1], as in Choe et al. (CVPR 2020). `max_box_acc` is the share of
images where the box of the largest connected region has an IoU of at least 0.5 with an object's box. `max_box_acc_v2`
is the same for the best box of any connected region, averaged over 0.3, 0.5 and 0.7; both use one threshold for all
images. `pxap` is the average precision of the pixels. `pointing` is the share of images whose highest pixel is on an
object, `energy` the share of the scaled map's sum on the objects.

In the held-out protocol, filters, their classes and all thresholds are chosen on one half of each class's images, and
the other half is scored. With `--protocol paper` both are done on all images, as in the authors' scripts; this makes
the methods look better. Intervals are 95 % percentile bootstraps over images; images cut from one picture are drawn
together. Pixels that tie with the last of the 30 % are in the region, pixels at the map's lowest value never are. A map
that is the same everywhere, or has values that are not finite, has an empty region and an IoU of 0.
"""
MAPS_FIGURE = (
    "Fig. 9: images drawn at random, with the objects outlined, and below them the maps of every model, each on its "
    "own scale from dark (lowest) to bright (highest), with the IoU of its region. For GradMap and ActivMap: the mean "
    "map of the filters of the image's class."
)
CURVES_FIGURE = (
    "Mean IoU of the region above each threshold with the objects; every map is scaled to [0, 1]. One panel per "
    "method, at most 100 thresholds, evenly spaced; the baselines are grey, the whole image is a horizontal line. The "
    "peak of a line is the mean IoU at the best single threshold for all images."
)
