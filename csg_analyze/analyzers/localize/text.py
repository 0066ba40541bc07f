"""What a reader is told of the localization analysis."""

MEASURES = """
GradMap is the gradient of a filter's averaged activation with respect to the pixels, of the 30 filters of every class
with the highest mean activation on its images; its L2 norm over the colours is divided by its root mean square over
the image and blurred, and above 1 is the object. ActivMap is every filter's own map, enlarged to the size of the image;
the object is where it reaches the value that the highest 30 % of the filter's activations reach. CAM is the sum of the
maps with the head's weights of the labelled class, cut at the 30 % highest pixels; so are Grad-CAM, maps of captum's
methods, and the baselines (the whole image, a centred disk, smooth noise).
"""
READING = """
`avg_iou` is the mean IoU of these regions with the objects; `ap20` and `ap30` are the shares of images with an IoU of
more than 0.2 and 0.3 (for GradMap: of the mean over the 30 filters, at least that). The total of ActivMap averages
filters, all others images.

From the map scaled to [0, 1], as in Choe et al. (CVPR 2020): `max_box_acc` is the share of images where the box of the
largest connected region has an IoU of at least 0.5 with an object's box; `max_box_acc_v2` is the same of the best box
of any connected region, averaged over 0.3, 0.5 and 0.7, both at one threshold for all images; `pxap` is the average
precision of the pixels. `pointing` is the share of images whose highest pixel is on an object, `energy` the share of
the scaled map's sum on the objects.

In the held-out protocol one half of each class's images decides on filters, their classes and all thresholds, and the
other half is scored. With `--protocol paper` both is done on all images, as in the authors' scripts, which flatters the
methods. Intervals are 95 % percentile bootstraps over images; images cut from one picture are drawn together. Pixels
that tie with the last of the 30 % are in the region, and those at the map's lowest value never are: a map that is the
same everywhere, or holds values that are not finite, has an empty region and an IoU of 0.
"""
MAPS_FIGURE = (
    "Fig. 9: images drawn at random, the objects outlined, and below them every model's maps, each on its own scale "
    "from dark (lowest) to bright (highest), with the IoU of the region it is cut to. Of GradMap and ActivMap the mean "
    "of the maps of the filters of the image's class."
)
CURVES_FIGURE = (
    "Mean IoU with the objects of the region above each threshold of the maps, scaled to [0, 1] one by one. One panel "
    "per method, at most 100 thresholds, evenly spaced; the baselines are grey, the whole image as a level. The peak "
    "of a line is what the best threshold for all images together would reach."
)
