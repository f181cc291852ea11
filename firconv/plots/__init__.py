"""Figures of filters and of what they do, as matplotlib objects.

One-call figures return a `matplotlib.figure.Figure`: `overview`, `compare`, `kernel2d`, `before_after`, `sequences`,
`lines`, `exponential`, `extensions`, `gallery`, `filtered`, `costs`, `overlap_save`, `footprint`, and for convolution
by hand `five_ways`, `matrices`, `shifted_impulses`, `shifted_images` and `flip_and_slide_frames`;
``figure.savefig("filter.svg")`` writes it. The panels they are made of draw on the `Axes` given as `ax`, or on a new
one, and return it: `impulse`, `step`, `magnitude`, `pass_band`, `phase`, `delay`, `zeros_poles`, `taps_image`,
`magnitude_plane`, `radial_profile`, `angular_profile`, `matrix`. `flip_and_slide` is an animation.

Of layers of networks: the figure `layer_bank`, and the panels `layer_gain`, `layer_aliasing` and `field_growth`.

Nothing here touches global state: no style, no rcParams, no pyplot (a notebook shows the figures after ``%matplotlib
inline``). Lines differ in dash and marker, not by hue alone; colour maps have even lightness, and the one for taps is
centred at zero. Frequencies are in Hz, or in cycles/sample where fs = 1.
"""

from firconv.plots.choices import costs, footprint, overlap_save
from firconv.plots.figures import compare, overview
from firconv.plots.hand import five_ways, matrices, matrix, shifted_images, shifted_impulses
from firconv.plots.layers import field_growth, layer_aliasing, layer_bank, layer_gain
from firconv.plots.lessons import exponential, extensions, lines, sequences
from firconv.plots.panels import delay, impulse, magnitude, pass_band, phase, step
from firconv.plots.pictures import filtered, gallery
from firconv.plots.planes import angular_profile, kernel2d, magnitude_plane, radial_profile, taps_image
from firconv.plots.sliding import FlipAndSlide, flip_and_slide, flip_and_slide_frames
from firconv.plots.traces import before_after
from firconv.plots.zplane import zeros_poles

__all__ = ["FlipAndSlide", "angular_profile", "before_after", "compare", "costs", "delay", "exponential",
           "extensions", "field_growth", "filtered", "five_ways", "flip_and_slide", "flip_and_slide_frames",
           "footprint", "gallery", "impulse", "kernel2d", "layer_aliasing", "layer_bank", "layer_gain", "lines",
           "magnitude", "magnitude_plane", "matrices", "matrix", "overlap_save", "overview", "pass_band", "phase",
           "radial_profile", "sequences", "shifted_images", "shifted_impulses", "step", "taps_image", "zeros_poles"]
