"""Any checkpoint file -> a `Classifier`: reading it safely, recognising the architecture, preprocessing."""

from csg_analyze.checkpoints.classifier import Classifier, PixelNetwork, Preprocessing
from csg_analyze.checkpoints.loading import load_classifier
from csg_analyze.checkpoints.writing import save_checkpoint

__all__ = ["Classifier", "PixelNetwork", "Preprocessing", "load_classifier", "save_checkpoint"]
