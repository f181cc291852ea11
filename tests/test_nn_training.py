"""The way back through the layers against finite differences and torch; learning a task that has a known answer."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from firconv import nn
from firconv.nn import training
from firconv.nn.backward import backward

torch = pytest.importorskip("torch")
RNG = np.random.default_rng(5)


def normal(*shape):
    return RNG.standard_normal(shape)


LAYERS = {
    "conv": nn.Conv(normal(4, 2, 3, 3), normal(4), padding=1),
    "strided, grouped": nn.Conv(normal(4, 1, 3, 2), stride=(2, 1), padding=(1, 0), groups=2),
    "circular": nn.Conv(normal(3, 2, 3, 3), normal(3), padding=1, boundary="wrap"),
    "mirrored": nn.Conv(normal(3, 2, 5, 5), padding=2, boundary="reflect"),
    "flipped": nn.FlippedConv(normal(4, 1, 3, 2), normal(4), stride=(2, 1), padding=((1, 0), (0, 2)), groups=2),
    "flipped, dilated": nn.FlippedConv(normal(2, 2, 3, 3), dilation=2, padding=2, boundary="symmetric"),
    "max": nn.MaxPool(2),
    "max, overlapping": nn.MaxPool(3, stride=2),
    "max, dilated": nn.MaxPool(2, stride=1, dilation=2),
    "average": nn.AvgPool(2),
    "average, padded": nn.AvgPool(3, stride=2, padding=1),
    "blur": nn.BlurPool(3),
    "blur of 4": nn.BlurPool(4, boundary="wrap"),
    "global average": nn.GlobalAvgPool(),
    "global average, flat": nn.GlobalAvgPool(keepdims=False),
    "relu": nn.ReLU(),
    "leaky": nn.ReLU(0.1),
    "relu6": nn.ReLU(top=1.0),
    "flatten": nn.Flatten(),
    "identity": nn.Identity(),
}


@pytest.mark.parametrize("name", ["flipped", "flipped, dilated"])
def test_a_flipped_layer_is_a_layer_with_flipped_weights(name):
    layer, x = LAYERS[name], normal(3, 2, 7, 8)
    assert_allclose(layer(x), layer.reversed()(x), atol=1e-12)
    assert layer.summary((2, 7, 8)).rows == layer.reversed().summary((2, 7, 8)).rows


def derivative(f, x, direction, step=1e-6):
    return (f(x + step * direction) - f(x - step * direction)) / (2 * step)


@pytest.mark.parametrize("name", LAYERS)
def test_the_gradient_is_the_derivative(name):
    """⟨gy, layer(x + εv) − layer(x − εv)⟩/2ε = ⟨gx, v⟩, to the square of ε."""
    layer, x = LAYERS[name], normal(3, 2, 7, 8)
    gy, v = normal(*layer(x).shape), normal(*x.shape)
    gx, own = backward(layer, x, gy)
    assert gx.shape == x.shape
    assert_allclose((gx * v).sum(), derivative(lambda x: (gy * layer(x)).sum(), x, v), rtol=1e-6, atol=1e-7)
    if isinstance(layer, nn.Conv):
        gw, gb = own
        u = normal(*layer.w.shape)
        changed = derivative(lambda w: (gy * training.replace(layer, w=w)(x)).sum(), layer.w, u)
        assert_allclose((gw * u).sum(), changed, rtol=1e-6, atol=1e-7)
        assert (gb is None) == (layer.bias is None)


@pytest.mark.parametrize("name", ["conv", "max", "max, overlapping", "average, padded", "relu6"])
def test_layers_agree_with_torch(name):
    layer, x = LAYERS[name], np.round(normal(2, 2, 7, 8), 1)  # ties: the first of equal samples gets the gradient
    t = torch.tensor(x, requires_grad=True)
    f = torch.nn.functional
    y = {"conv": lambda: f.conv2d(t, torch.tensor(layer.w), torch.tensor(layer.bias), padding=1),
         "max": lambda: f.max_pool2d(t, 2), "max, overlapping": lambda: f.max_pool2d(t, 3, 2),
         "average, padded": lambda: f.avg_pool2d(t, 3, 2, 1), "relu6": lambda: torch.clamp(t, 0, 1)}[name]()
    gy = normal(*y.shape)
    y.backward(torch.tensor(gy))
    if name == "relu6":
        inside = (x != 0) & (x != 1)  # at the corners any slope between the two is right
        gy, t.grad = np.where(inside, gy, 0), t.grad * torch.tensor(inside)
    assert_allclose(backward(layer, x, gy)[0], t.grad.numpy(), atol=1e-12)


def network(seed=0):
    return nn.Sequential(nn.Conv(nn.initial((4, 1, 3, 3), seed), np.zeros(4), padding=1), nn.ReLU(), nn.MaxPool(2),
                         nn.Sequential(nn.Conv(nn.initial((4, 4, 3, 3), seed + 1), padding=1), nn.ReLU(), nn.Flatten()),
                         nn.Dense(nn.initial((3, 64), seed + 2), np.zeros(3)))


def test_gradients_of_a_network_are_torchs():
    net, x, labels = network(), normal(5, 1, 8, 8), RNG.integers(0, 3, 5)
    found = nn.loss_gradients(net, x, labels)
    conv, _, _, (second, _, _), dense = net
    w = [torch.tensor(v, requires_grad=True) for v in (conv.w, conv.bias, second.w, dense.w, dense.bias)]
    f = torch.nn.functional
    maps = f.max_pool2d(f.relu(f.conv2d(torch.tensor(x), w[0], w[1], padding=1)), 2)
    scores = f.relu(f.conv2d(maps, w[2], padding=1)).flatten(1) @ w[3].T + w[4]
    loss = f.cross_entropy(scores, torch.tensor(labels))
    loss.backward()
    mine = [found.layers[0][0], found.layers[0][1], found.layers[3][0], found.layers[6][0], found.layers[6][1]]
    assert found.layers[3][1] is None and found.layers[1] is None
    assert_allclose(found.loss, loss.item(), rtol=1e-12)
    for ours, theirs in zip(mine, w, strict=True):
        assert_allclose(ours, theirs.grad.numpy(), atol=1e-12)


def test_steps_are_torchs():
    """Two epochs of momentum on one batch each: the same weights as torch.optim.SGD."""
    x, labels = normal(6, 4), RNG.integers(0, 3, 6)
    start = nn.Dense(normal(3, 4), normal(3))
    w, b = (torch.tensor(v, requires_grad=True) for v in (start.w, start.bias))
    optimizer = torch.optim.SGD([w, b], lr=0.3, momentum=0.8)
    losses = []
    for _ in range(3):
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(torch.tensor(x) @ w.T + b, torch.tensor(labels))
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    trained = nn.fit([start], x, labels, epochs=3, batch=6, rate=0.3, momentum=0.8)
    assert_allclose(trained.net[0].w, w.detach().numpy(), rtol=1e-12)
    assert_allclose(trained.net[0].bias, b.detach().numpy(), rtol=1e-12)
    assert_allclose(trained.losses, losses, rtol=1e-12)


def test_a_network_learns_which_way_edges_run():
    """Bars down or across, at random places, with noise: a task that one layer of filters solves."""
    rng = np.random.default_rng(1)
    x = 0.3 * rng.standard_normal((120, 1, 8, 8))
    labels = rng.integers(0, 2, 120)
    for image, label, at in zip(x[:, 0], labels, rng.integers(0, 8, 120), strict=True):
        (image if label else image.T)[at] += 1
    net = nn.Sequential(nn.Conv(nn.initial((4, 1, 3, 3)), np.zeros(4), padding=1), nn.ReLU(),
                        nn.GlobalAvgPool(keepdims=False), nn.Dense(nn.initial((2, 4), 1), np.zeros(2)))
    seen = []
    trained = nn.fit(net, x[:90], labels[:90], epochs=30, rate=0.1, progress=lambda epoch, loss: seen.append(loss))
    assert seen == trained.losses.tolist() and len(seen) == 30
    assert nn.accuracy(trained.net, x[90:], labels[90:]) > 0.9 > nn.accuracy(net, x[90:], labels[90:])
    again = nn.fit(net, x[:90], labels[:90], epochs=30, rate=0.1)
    assert (again.net[0].w == trained.net[0].w).all()


def test_learned_by_convolution_is_learned_by_correlation_flipped():
    x, labels, w = normal(40, 1, 6, 6), RNG.integers(0, 2, 40), nn.initial((3, 1, 3, 3))
    rest = [nn.ReLU(), nn.AvgPool(2), nn.Flatten(), nn.Dense(nn.initial((2, 27), 1))]
    one = nn.fit([nn.Conv(w, padding=1), *rest], x, labels, epochs=5)
    other = nn.fit([nn.FlippedConv(np.flip(w, (2, 3)), padding=1), *rest], x, labels, epochs=5)
    assert abs(one.net[0].w - w).max() > 1e-3
    assert_allclose(np.flip(other.net[0].w, (2, 3)), one.net[0].w, atol=1e-10)


@pytest.mark.parametrize("net, size, stride", [
    (nn.alexnet(), 195, 32), (nn.vgg(16), 212, 32), (nn.resnet(50, stride_last=True), 483, 32),
    (nn.resnet(101, stride_last=True), 1027, 32), (nn.resnet(152, stride_last=True), 1507, 32),
    (nn.resnet(50), 427, 32), (nn.resnet(18), 435, 32), (nn.resnet(34), 899, 32)])
def test_known_networks_have_the_published_fields(net, size, stride):
    field = nn.receptive_field(net)
    assert (field.size, field.stride) == (size, stride)


def test_float32_stays_float32():
    layer, x = nn.Conv(normal(2, 1, 3, 3).astype("f4"), padding=1), normal(2, 1, 4, 4).astype("f4")
    gx, (gw, _) = backward(layer, x, layer(x))
    assert gx.dtype == gw.dtype == np.float32
    for pool in (nn.MaxPool(2), nn.AvgPool(2), nn.BlurPool(3), nn.GlobalAvgPool()):
        assert backward(pool, x, pool(x))[0].dtype == np.float32


@pytest.mark.parametrize("call, kind, message", [
    (lambda: backward(nn.Pointwise("tanh"), normal(1, 1, 2), normal(1, 1, 2)), TypeError,
     r"backward\(Pointwise\): no gradient is written for this layer"),
    (lambda: backward(nn.MaxPool(2, padding=1), normal(1, 1, 4), normal(1, 1, 3)), ValueError,
     "windows over the ends have no gradient here"),
    (lambda: backward(nn.AvgPool(2, padding=1, count_include_pad=False), normal(1, 1, 4), normal(1, 1, 3)), ValueError,
     "windows with fewer samples have no gradient here"),
    (lambda: training.cross_entropy(np.zeros((2, 3)), [0, 3]), ValueError,
     r"labels of shape \(2,\) and dtype int64; give one integer in 0 … 2 for each of the 2 rows"),
    (lambda: nn.vgg(17), ValueError, r"vgg\(17\): no such network; use 11, 13, 16, 19"),
    (lambda: nn.resnet(20), ValueError, r"resnet\(20\): no such network; use 18, 34, 50, 101, 152"),
    (lambda: nn.fit([nn.Flatten()], np.zeros((2, 1)), [0]), ValueError, "2 inputs, 1 labels"),
    (lambda: nn.fit([nn.Flatten()], np.zeros((2, 1)), None), ValueError, r"labels has shape \(\): give one class"),
    (lambda: nn.accuracy(nn.Flatten(), np.zeros((2, 1)), "x"), ValueError, "for each of the 2 inputs"),
    (lambda: nn.accuracy(None, np.zeros((2, 1)), [0, 0]), TypeError, r"accuracy\(layers\): None is no layer"),
    (lambda: nn.initial(3), TypeError, r"initial\(shape\): shape=3 is not a tuple of ints"),
    (lambda: nn.from_onnx(3), TypeError, r"from_onnx\(model\): 3 is no model; give a path"),
    (lambda: nn.fit([nn.Flatten()], np.zeros((1, 1)), [0], momentum=1), ValueError, "0 ≤ momentum < 1"),
])
def test_errors(call, kind, message):
    with pytest.raises(kind, match=message):
        call()
