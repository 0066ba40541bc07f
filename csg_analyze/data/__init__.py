"""Any dataset -> images, labels, boxes, masks; the embedded scenes."""

from csg_analyze.data.dataset import Dataset, Images
from csg_analyze.data.specs import load_dataset

__all__ = ["Dataset", "Images", "load_dataset"]
