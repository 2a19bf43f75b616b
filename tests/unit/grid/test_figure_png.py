"""Figures as PNG: equal bytes for equal figures, and texts that begin no formula."""

import io

import matplotlib.figure
import pytest
from PIL import Image

from grid.figure_png import figure_png, literal


def figure(title: str) -> matplotlib.figure.Figure:
    made = matplotlib.figure.Figure((2.0, 1.0), layout="constrained")
    made.subplots().set_title(title)
    return made


def test_equal_figures_give_equal_bytes_without_the_name_of_the_software() -> None:
    one, other = figure_png(figure("a"), dpi=60), figure_png(figure("a"), dpi=60)
    assert one == other != figure_png(figure("b"), dpi=60)
    image = Image.open(io.BytesIO(one))
    assert image.size == (120, 60)
    assert "Software" not in image.info


def test_a_dollar_sign_begins_no_formula() -> None:
    with pytest.raises(ValueError, match="Unknown symbol"):
        figure_png(figure("$\\nothing$"))
    assert figure_png(figure(literal("$\\nothing$")))
