"""Visualization of images with their bounding boxes, segmentation masks and labels."""

from polykeras.visualization.drawing import draw_bounding_boxes, draw_segmentation_masks
from polykeras.visualization.galleries import (
    plot_bounding_box_gallery,
    plot_image_gallery,
    plot_segmentation_mask_gallery,
)

__all__ = [
    "draw_bounding_boxes",
    "draw_segmentation_masks",
    "plot_bounding_box_gallery",
    "plot_image_gallery",
    "plot_segmentation_mask_gallery",
]
