"""PASCAL VOC: devkits of any year, and the folders that the CSG authors prepare from them."""

from csg_analyze.data.voc.loading import load_voc
from csg_analyze.data.voc.spec import VocSpec, refined

__all__ = ["VocSpec", "load_voc", "refined"]
