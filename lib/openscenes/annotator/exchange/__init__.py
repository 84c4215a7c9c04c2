"""Import and export: COCO, VOC, PNG."""
