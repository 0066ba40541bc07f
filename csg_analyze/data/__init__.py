"""Any dataset -> images, labels, boxes, masks; the embedded scenes."""

from csg_analyze.data.dataset import Dataset, Images
from csg_analyze.data.in_hand import DataInHand
from csg_analyze.data.specs import load_dataset

__all__ = ["DataInHand", "Dataset", "Images", "load_dataset"]
