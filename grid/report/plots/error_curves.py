"""Error rates of each cell: the ROC and the DET curve, and FMR and FNMR against the threshold."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from grid.report.plots.canvas import LINE, SOFT, Plot, finish, legend, new, panel_title, panels, stroke, text
from grid.report.plots.scores import Scored, left_out, thinned
from modules.metrics.operating_points import FEW
from modules.metrics.roc import Curve

RATES = (0.0001, 0.001, 0.01, 0.05, 0.2, 0.5)  # ticks of the DET curve
HIGHEST = 0.6  # rate at the end of its axes


def roc_curves(found: Sequence[Scored], more: int, protocol: str) -> Plot:
    """TAR against FAR on a logarithmic axis."""
    figure, ((axes,),) = new(5.4, 4.2 + 0.17 * len(found))
    most = max(int((~one.same).sum()) for one in found)
    for number, one in enumerate(found):
        curve = Curve.of(one.scores, one.same)
        least = 1 / most
        x, y = thinned(np.log10(np.maximum(curve.far, least)), 100 * curve.tar)
        axes.plot(100 * 10**x, y, **stroke(number), label=text(one.title))
    axes.set(xscale="log", xlim=(100 / max(most, 2), 100), ylim=(0, 101), xlabel="FAR [%]", ylabel="TAR [%]")
    ticks = [100 / 10**power for power in range(int(np.log10(max(most, 2))) + 1)]
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.grid(color=LINE, lw=0.6)
    legend(figure, axes, [one.title for one in found])
    words = f"The upper left is better. The axis begins where one of {most:,} impostor pairs is accepted.{left_out(more)}"
    return finish(figure, f"roc {protocol}", f"ROC curves on {protocol}", words, protocol)


def det_curves(found: Sequence[Scored], more: int, protocol: str) -> Plot:
    """FNMR against FMR, both on a scale of normal deviates (Martin et al., Eurospeech 1997)."""
    from scipy.special import ndtri

    figure, ((axes,),) = new(5.4, 4.8 + 0.17 * len(found))
    fewest = min(int((~one.same).sum()) for one in found)
    lowest = 0.5 / max(fewest, 2)
    for number, one in enumerate(found):
        curve = Curve.of(one.scores, one.same)
        least = 0.5 / max(curve.genuine, curve.impostor)
        x, y = (ndtri(np.clip(rate, least, 1 - least)) for rate in (curve.far, 1 - curve.tar))
        axes.plot(*thinned(x, y), **stroke(number), label=text(one.title))
    ticks = [rate for rate in RATES if rate >= lowest]
    ends = ndtri([lowest, HIGHEST])
    for rate in ticks:
        axes.axhline(ndtri(rate), color=LINE, lw=0.6, zorder=0)
        axes.axvline(ndtri(rate), color=LINE, lw=0.6, zorder=0)
    names = [f"{100 * rate:g}" for rate in ticks]
    axes.set_xticks(ndtri(ticks), names)
    axes.set_yticks(ndtri(ticks), names)
    axes.set(xlim=ends, ylim=ends, xlabel="FMR (FAR) [%]", ylabel="FNMR (FRR) [%]", aspect="equal")
    where = "Everywhere here"
    if FEW / fewest < HIGHEST:
        axes.axvspan(ends[0], ndtri(FEW / fewest), color=SOFT, alpha=0.12, lw=0, zorder=0)
        where = "In the shaded part"
    legend(figure, axes, [one.title for one in found])
    words = (
        f"The lower left is better. {where}, fewer than {FEW} of {fewest:,} impostor pairs are accepted: the curves "
        f"are not reliable there.{left_out(more)}"
    )
    return finish(figure, f"det {protocol}", f"DET curves on {protocol}", words, protocol)


def rate_curves(found: Sequence[Scored], more: int, protocol: str) -> Plot:
    """FMR and FNMR of each cell against the threshold."""
    figure, axes = panels(len(found), 3, (2.3, 1.75), (0.4, 0.5), sharey=True)
    for place, one in zip(axes, found, strict=True):
        curve = Curve.of(one.scores, one.same)
        at, fmr, fnmr = curve.thresholds[1:].astype(np.float64), curve.far[1:], 1 - curve.tar[1:]
        floor = 0.5 / max(curve.genuine, curve.impostor)
        for rates, style, name in ((fmr, stroke(1), "FMR (FAR)"), (fnmr, stroke(0) | {"linestyle": "--"}, "FNMR (FRR)")):
            x, y = thinned(at[::-1], np.log10(np.maximum(rates, floor))[::-1])
            place.plot(x, 10**y, **style, label=name)
        rate, threshold = curve.eer()
        if rate > 0:
            place.plot([threshold], [rate], "o", color=SOFT, ms=3)
        place.set(yscale="log", ylim=(floor, 1.3))
        place.minorticks_off()
        place.locator_params(axis="x", nbins=4)
        panel_title(place, one.title)
    figure.supxlabel("threshold", fontsize=9)
    legend(figure, axes[0], ["FMR (FAR)", "FNMR (FRR)"])
    words = f"A higher threshold accepts fewer pairs. Dots mark the equal error rate.{left_out(more)}"
    return finish(figure, f"rates {protocol}", f"FMR and FNMR against the threshold on {protocol}", words, protocol)
