"""The laws of convolution, executable against this library or any other implementation."""

from firconv.identities.implementation import Implementation, of

__all__ = ["Implementation", "of"]
