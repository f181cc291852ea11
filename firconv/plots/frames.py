"""An animation as HTML that holds everything it shows, with frames in few colours: a third of the bytes."""

from __future__ import annotations

import base64
import io
import re

_FRAME = re.compile(r'data:image/png;base64,([A-Za-z0-9+/=\\\s]+)"')
_COLOURS = 64
_BUTTONS = {  # characters for matplotlib's icons, which are a font on a server
    "minus": "−", "fast-backward": "⇤", "step-backward": "←", "play fa-flip-horizontal": "◀", "pause": "‖", "play": "▶",
    "step-forward": "→", "fast-forward": "⇥", "plus": "+"}


def contained(html: str) -> str:
    """matplotlib's player with its frames inside, no links to elsewhere, and no wider than the page."""
    html = re.sub(r"<link[^>]*>", "", html)
    html = re.sub(r'<i class="fa fa-([^"]*)"></i>', lambda found: _BUTTONS[found[1]], html)
    return smaller(html.replace('<img id="_anim_img', '<img style="max-width: 100%" alt="Animation" id="_anim_img'))


def smaller(html: str) -> str:
    """The same fragment with every PNG frame as a picture of 64 colours.

    Lines, text and greys of `flip_and_slide` look the same; a page of frames is a third as long.
    """
    return _FRAME.sub(lambda found: f'data:image/png;base64,{_quantised(found.group(1))}"', html)


def _quantised(text: str) -> str:
    from PIL import Image

    raw = base64.b64decode(re.sub(r"[\\\s]", "", text))
    file = io.BytesIO()
    with Image.open(io.BytesIO(raw)) as frame:
        few = frame.convert("RGB").quantize(_COLOURS, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    few.save(file, "PNG", optimize=True)
    return base64.b64encode(file.getvalue()).decode()
