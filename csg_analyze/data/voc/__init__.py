"""PASCAL VOC: devkits of any year, and the folders that the CSG authors prepare from them."""

from csg_analyze.data.voc.loading import load_voc
from csg_analyze.data.voc.wanted import Wanted, refined

__all__ = ["Wanted", "load_voc", "refined"]
