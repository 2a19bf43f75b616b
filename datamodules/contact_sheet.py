"""Contact sheets of images."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

_LINE = 14  # pixels per label


def contact_sheet(images: Sequence[np.ndarray], columns: int, labels: Sequence[str] | None = None, gap: int = 2) -> np.ndarray:
    """Arranges images in rows of ``columns``, each with its label below.

    Args:
        images: RGB uint8, all of one (height, width, 3)
        columns: images per row
        labels: one text per image, of one or more lines; text wider than the image is cut off
        gap: white pixels around every image

    Returns:
        RGB uint8.

    Raises:
        ValueError: no images, images of different shapes, or a different number of labels.
    """
    shapes = {image.shape for image in images}
    if len(shapes) != 1:
        raise ValueError(f"a contact sheet needs images of one shape, found {sorted(shapes) or 'no images'}")
    if columns < 1:
        raise ValueError(f"a contact sheet needs at least 1 column, found {columns}")
    if labels is not None and len(labels) != len(images):
        raise ValueError(f"a contact sheet needs one label per image, found {len(labels)} for {len(images)} images")
    height, width, _ = shapes.pop()
    texts = [label.split("\n") for label in labels or ()]
    line = _LINE * max(map(len, texts), default=0)
    rows = -(-len(images) // columns)
    columns = min(columns, len(images))
    step_y, step_x = height + line + gap, width + gap
    sheet = np.full((rows * step_y + gap, columns * step_x + gap, 3), 255, np.uint8)
    for index, image in enumerate(images):
        top, left = gap + index // columns * step_y, gap + index % columns * step_x
        sheet[top : top + height, left : left + width] = image
        if labels is not None:
            strip = np.full((line, width, 3), 255, np.uint8)
            for number, text in enumerate(texts[index], 1):
                cv2.putText(strip, text, (2, _LINE * number - 4), cv2.FONT_HERSHEY_SIMPLEX, 0.36, (40, 40, 40), 1, cv2.LINE_AA)
            sheet[top + height : top + height + line, left : left + width] = strip
    return sheet
