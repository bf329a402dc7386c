"""COCO: object instances and key points, as one JSON object.

What the format says: images, categories, annotations with a box
``[x, y, width, height]`` in px, a segmentation (polygons, or a mask as run lengths
column by column), key points. What it does not say: who, when, and whether an
image without annotations was looked at. Exporters renumber ids, and many put
keys of their own beside the standard ones; both are kept (`read`), and the
provenance that has no place in the format stands under ``attributions`` (`write`). How far an image
is, is said by LVIS class by class and by what we wrote (`states`).
"""
