import numpy as np
import pytest

from datamodules.contact_sheet import contact_sheet

RED, BLUE = (np.full((20, 30, 3), color, np.uint8) for color in ((255, 0, 0), (0, 0, 255)))


def test_images_stand_in_rows_with_gaps():
    sheet = contact_sheet([RED, BLUE, RED], columns=2, gap=3)
    assert sheet.shape == (2 * 23 + 3, 2 * 33 + 3, 3)
    assert (sheet[3:23, 3:33] == RED).all()
    assert (sheet[3:23, 36:66] == BLUE).all()
    assert (sheet[26:46, 3:33] == RED).all()
    assert (sheet[26:46, 36:] == 255).all()


def test_labels_stand_below_and_never_on_the_next_image():
    plain = contact_sheet([RED, BLUE], columns=2, labels=["", ""])
    labeled = contact_sheet([RED, BLUE], columns=2, labels=["a very long label", ""])
    changed = np.argwhere((plain != labeled).any(axis=2))
    assert len(changed) > 0
    assert changed[:, 0].min() >= 22
    assert changed[:, 1].max() < 32


def test_labels_of_several_lines_get_room_in_every_row():
    one, two = (contact_sheet([RED, BLUE], columns=1, labels=["a", label]) for label in ("b", "b\nc"))
    assert two.shape[0] == one.shape[0] + 2 * 14
    assert (two[2:22, 2:32] == RED).all()
    line = two.shape[0] - 14 - 2
    assert (two[line:, 2:32] != 255).any(), "the second line is written"


def test_what_cannot_be_laid_out_is_refused():
    with pytest.raises(ValueError, match="no images"):
        contact_sheet([], columns=2)
    with pytest.raises(ValueError, match="one shape"):
        contact_sheet([RED, RED[:10]], columns=2)
    with pytest.raises(ValueError, match="one label per image"):
        contact_sheet([RED], columns=1, labels=[])
    with pytest.raises(ValueError, match="at least 1 column"):
        contact_sheet([RED], columns=0)
