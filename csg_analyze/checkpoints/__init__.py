"""Any checkpoint file, or a module in hand -> a `Classifier`: reading, recognising, preprocessing."""

from csg_analyze.checkpoints.classifier import Classifier, PixelNetwork, Preprocessing
from csg_analyze.checkpoints.in_hand import classifier_of
from csg_analyze.checkpoints.loading import load_classifier
from csg_analyze.checkpoints.writing import save_checkpoint

__all__ = ["Classifier", "PixelNetwork", "Preprocessing", "classifier_of", "load_classifier", "save_checkpoint"]
