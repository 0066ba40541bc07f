"""Texts on the confusion for the reader of a report."""

MEASURES = """
Filters are removed by multiplying them with zero: those of every class in turn, and those of a chosen set of classes
together. If filters are class-specific, removing those of a class costs this class its
recall and leaves the others theirs.

The filters of a class are those with a gate above 0.5. Without a gate they are the 10 % of all filters with the highest
mean activation on the images of the class, or the highest mutual information with it.
"""
READING = """
`recall_removed` is the mean recall of the classes of the set without their filters, `recall_others` that of the other
classes, and `recall_kept` the share of their recall that the other classes keep.

The other numbers are over all classes, each removed by itself. `indispensability` is the mean difference between the
drop in recall of the removed class and the mean drop of the others (1: only the class is lost; 0: all drop alike).
`mean_single_recall` and `worst_single_recall` are the mean and the highest recall of a removed class,
`mean_single_kept` and `worst_single_kept` the mean and the lowest share of their recall that the others keep.

`own_filters_accuracy` keeps only the filters of the predicted class, `complement_accuracy` removes only these; an image
counts as correct if the new prediction is its label (ACC2 and ACC3 of PICNN, Guo et al., AAAI 2024).
"""
CONFUSION_FIGURE = (
    "Fig. 5: share of the images of each true class by predicted class, before and after filters are removed. Arrows "
    "point at the classes without their filters; a class without images is grey. Of more than 100 classes, the removed "
    "ones and those they are confused with are shown, all others as one."
)
REMOVALS_FIGURE = (
    "The filters of every class removed in turn: one dot per class; the large marks are means. In the upper left "
    "corner are classes whose filters are indispensable for them, and for no other class."
)
