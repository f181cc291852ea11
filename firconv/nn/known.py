"""Networks that everyone speaks of, as windows: what their layers read, for `receptive_field` and `effective_field`."""

from __future__ import annotations

from firconv.nn.layer import Layer
from firconv.nn.networks import Add, Sequential
from firconv.nn.windows import Window

__all__ = ["RESNETS", "alexnet", "resnet", "vgg"]

#: Blocks per stage, and whether they are bottlenecks, by depth.
RESNETS = {18: ((2, 2, 2, 2), False), 34: ((3, 4, 6, 3), False), 50: ((3, 4, 6, 3), True), 101: ((3, 4, 23, 3), True),
           152: ((3, 8, 36, 3), True)}
_VGGS = {11: (1, 1, 2, 2, 2), 13: (2, 2, 2, 2, 2), 16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}


def alexnet() -> Sequential:
    """The convolutional part of AlexNet, its first layer unpadded: a field of 195 samples, stride 32.

    Krizhevsky, Sutskever, Hinton, NeurIPS 2012.

    Examples
    --------
    >>> from firconv.nn import receptive_field
    >>> field = receptive_field(alexnet())
    >>> field.size, field.stride, field.padding
    (195, 32, 64)
    """
    pool, three = Window(3, 2), _conv(3)
    return Sequential(Window(11, 4), pool, _conv(5), pool, three, three, three, pool)


def vgg(depth: int = 16) -> Sequential:
    """The convolutional part of VGG-11, 13, 16 or 19: 3×3 windows, and five pools of 2×2.

    Simonyan, Zisserman, ICLR 2015.

    Raises
    ------
    ValueError
        For another depth.

    Examples
    --------
    >>> from firconv.nn import receptive_field
    >>> field = receptive_field(vgg(16))
    >>> field.size, field.stride, field.padding
    (212, 32, 90)
    """
    if depth not in _VGGS:
        raise ValueError(f"vgg({depth!r}): no such network; use {', '.join(map(str, _VGGS))}")
    layers: list[Layer] = []
    for count in _VGGS[depth]:
        layers += [_conv(3)] * count + [Window(2, 2)]
    return Sequential(*layers)


def resnet(depth: int = 50, *, stride_last: bool = False) -> Sequential:
    """The convolutional part of ResNet-18, 34, 50, 101 or 152: stages of residual blocks.

    Parameters
    ----------
    depth : int
    stride_last : bool
        Where a stage halves its map: in its first block, as torchvision has it, or in the last block of the stage
        before, as the first published code had it. The fields differ.

    He, Zhang, Ren, Sun, CVPR 2016.

    Raises
    ------
    ValueError
        For another depth.

    Examples
    --------
    >>> from firconv.nn import receptive_field
    >>> receptive_field(resnet(50)).size, receptive_field(resnet(50, stride_last=True)).size
    (427, 483)
    """
    if depth not in RESNETS:
        raise ValueError(f"resnet({depth!r}): no such network; use {', '.join(map(str, RESNETS))}")
    blocks, bottleneck = RESNETS[depth]
    layers: list[Layer] = [_conv(7, 2), _conv(3, 2)]
    for stage, count in enumerate(blocks):
        for block in range(count):
            halves = block == count - 1 and stage < len(blocks) - 1 if stride_last else block == 0 and stage > 0
            layers.append(_block(2 if halves else 1, bottleneck))
    return Sequential(*layers)


def _block(stride: int, bottleneck: bool) -> Add:
    main = [_conv(1), _conv(3, stride), _conv(1)] if bottleneck else [_conv(3, stride), _conv(3)]
    return Add(main, [_conv(1, stride)] if stride > 1 else [])


def _conv(size: int, stride: int = 1) -> Window:
    return Window(size, stride, size // 2)
