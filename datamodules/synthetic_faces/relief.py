"""The relief of a drawn face, and its lighting.

A head is an ellipsoid with bumps. Each bump is (1 - r^2)^2 inside an ellipse and zero outside, so that its slope has a closed
form and a part changes nothing outside its own ellipse.
"""

from __future__ import annotations

import numpy as np

from datamodules.synthetic_faces.shot import View

Window = tuple[slice, slice]


class Relief:
    """Slopes and stains at each pixel of an image: float32 (size, size) each."""

    def __init__(self, view: View) -> None:
        self.view = view
        self.u, self.v = view.planes()
        self.across = np.zeros_like(self.u)
        self.down = np.zeros_like(self.u)
        self.tone = np.ones_like(self.u)

    def bump(self, at: complex, width: float, height: float, rise: float) -> None:
        """Raises (or lowers) an ellipse with half axes ``width`` and ``height`` around ``at``, both in the upright plane."""
        found = self._ellipse(at, width, height)
        if found is None:
            return
        window, a, b, inside = found
        slope = (-4 * rise) * inside
        self.across[window] += slope * a / np.float32(width)
        self.down[window] += slope * b / np.float32(height)

    def stain(self, at: complex, width: float, height: float, amount: float) -> None:
        """Darkens an ellipse by ``amount`` at its center (brightens it if negative)."""
        found = self._ellipse(at, width, height)
        if found is not None:
            window, _, _, inside = found
            self.tone[window] *= 1 - np.float32(amount) * inside * inside

    def flatten(self, where: np.ndarray) -> None:
        """Removes all bumps and stains added so far at the pixels ``where``, bool (size, size)."""
        for plane, plain in ((self.across, 0), (self.down, 0), (self.tone, 1)):
            plane[where] = plain

    def _ellipse(self, at: complex, width: float, height: float) -> tuple[Window, np.ndarray, np.ndarray, np.ndarray] | None:
        pixel = self.view.center + self.view.scale * self.view.turn * at
        row, column = pixel.imag, pixel.real
        reach = max(width, height) * self.view.scale + 1
        rows = slice(max(0, int(row - reach)), max(0, int(row + reach) + 1))
        columns = slice(max(0, int(column - reach)), max(0, int(column + reach) + 1))
        a = (self.u[rows, columns] - np.float32(at.real)) / np.float32(width)
        if a.size == 0:
            return None
        b = (self.v[rows, columns] - np.float32(at.imag)) / np.float32(height)
        return (rows, columns), a, b, np.maximum(1 - a * a - b * b, 0)

    def light(self) -> tuple[np.ndarray, np.ndarray]:
        """Brightness (1 is the painted color) and gloss (0 to 1, added as white) of a head's surface."""
        shot = self.view.shot
        x, y, z = (np.float32(value) for value in shot.light)
        round_x = self.u / np.float32(1.12 * self.view.width)
        round_y = self.v / np.float32(1.3)
        squared = np.minimum(round_x * round_x + round_y * round_y, np.float32(0.82))
        normal_x, normal_y, normal_z = round_x - self.across, round_y - self.down, np.sqrt(1 - squared)
        length = np.sqrt(normal_x * normal_x + normal_y * normal_y + normal_z * normal_z)
        facing = np.maximum((normal_x * x + normal_y * y + normal_z * z) / length, 0)
        half = np.array([x, y, z + 1], np.float32)
        half /= np.sqrt(np.float32(half[0] * half[0] + half[1] * half[1] + half[2] * half[2]))
        gloss = np.maximum((normal_x * half[0] + normal_y * half[1] + normal_z * half[2]) / length, 0)
        for _ in range(4):
            gloss = gloss * gloss
        return self.tone * (np.float32(shot.ambient) + np.float32(1.18 - shot.ambient) * facing), gloss
