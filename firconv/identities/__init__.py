"""The laws of convolution, executable against this library or any other implementation.

>>> from firconv import identities
>>> print(identities.law("associates"))
associates: (x * g) * h = x * (g * h) (all outputs)
>>> identities.check(["associates"], trials=5).ok
True

`check` runs laws on random problems and returns a report that prints as a table; `laws` lists them; `Implementation`
says what another library's functions support (`firconv.interop` has those of NumPy, SciPy, torch and OpenCV).
"""

from firconv.identities.checking import Report, Result, check
from firconv.identities.implementation import Implementation, of
from firconv.identities.law import Law, Outcome, law
from firconv.identities.law import every as laws
from firconv.identities.values import Value

__all__ = ["Implementation", "Law", "Outcome", "Report", "Result", "Value", "check", "law", "laws", "of"]
