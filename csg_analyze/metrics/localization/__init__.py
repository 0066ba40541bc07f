"""How well maps localize objects (Sec. 5.1): regions, boxes, scores, intervals. Arrays in, numbers out."""
