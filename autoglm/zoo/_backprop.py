"""Training passes of the network: gradients by hand in buffers made once, and Adam."""

from __future__ import annotations

import numpy as np

from autoglm.zoo._members import Floats, Members, split

_BETA1, _BETA2, _EPSILON = 0.9, 0.95, np.float32(1e-8)
_HALF = np.float32(0.5)
#: Numbers drawn once, from which every dropout mask is a piece.
_POOL = 1 << 17


class Backprop:
    """Forward and backward passes for batches of one size.

    Parameters
    ----------
    net
        The network; its parameters are read at every pass.
    batch
        Rows of a batch.
    drop
        Share of the hidden values that are dropped.
    rng
        Source of the masks.
    """

    def __init__(self, net: Members, batch: int, drop: float, rng: np.random.Generator) -> None:
        shape = net.shape
        k, p, f = shape.members, len(shape.numeric), shape.frequencies
        self.net, self.rng, self.batch = net, rng, batch
        self.gradient = np.zeros_like(net.flat)
        self.slope = split(self.gradient, shape)
        self._pool = _masks(rng, drop, batch * k * max(shape.hidden)) if drop else None

        def room(*size: int) -> Floats:
            return np.empty(size, dtype=np.float32)

        self._angle, self._cos, self._back = room(p, batch, f), room(p, batch, f), room(p, batch, f)
        self._input = room(batch, shape.width)
        self._first, self._first_slope = (room(shape.width, k, shape.hidden[0]) for _ in range(2))
        self._out = [room(batch, k, h) for h in shape.hidden]
        self._gate = [room(batch, k, h) for h in shape.hidden]
        self._error = [room(batch, k, h) for h in shape.hidden]

    def forward(self, X: Floats, numbers: Floats) -> Floats:
        """Return the raw scores (members, batch, outputs) with dropout.

        Parameters
        ----------
        X
            (batch, inputs).
        numbers
            (p, batch): the columns with periodic features.
        """
        shape, part = self.net.shape, self.net.part
        self._input[:, : shape.inputs] = X
        if len(numbers):
            self._embed(numbers)
        self.net.first(self._first)
        first = self._first.reshape(shape.width, -1)
        np.matmul(self._input, first, out=self._error[0].reshape(self.batch, -1))
        self._activate(0)
        for i in range(1, len(shape.hidden)):
            np.matmul(_rows(self._out[i - 1]), part[f"weight{i}"], out=_rows(self._error[i]))
            self._activate(i)
        last: Floats = np.matmul(self._out[-1].transpose(1, 0, 2), part["head"])
        return last + part["offset"][:, None, :]

    def backward(self, error: Floats, numbers: Floats) -> None:
        """Write the gradient for the derivative `error` of the loss in the scores."""
        part, slope = self.net.part, self.slope
        np.matmul(self._out[-1].transpose(1, 2, 0), error, out=slope["head"])
        error.sum(axis=1, out=slope["offset"])
        head = part["head"].transpose(0, 2, 1)
        if head.shape[1] == 1:
            np.multiply(error.transpose(1, 0, 2), head[:, 0], out=self._error[-1])
        else:
            self._error[-1][...] = np.matmul(error, head).transpose(1, 0, 2)
        for i in range(len(self._out) - 1, 0, -1):
            now, before = self._error[i], self._error[i - 1]
            now *= self._gate[i]
            now.sum(axis=0, out=slope[f"bias{i}"])
            np.matmul(_rows(self._out[i - 1]).T, _rows(now), out=slope[f"weight{i}"])
            np.matmul(_rows(now), part[f"weight{i}"].T, out=_rows(before))
        self._backward_first(numbers)

    def _embed(self, numbers: Floats) -> None:
        part, shape = self.net.part, self.net.shape
        np.multiply(numbers[:, :, None], part["wave"][:, None, :], out=self._angle)
        self._angle += part["phase"][:, None, :]
        np.cos(self._angle, out=self._cos)
        sums = np.matmul(self._cos, part["mix"])
        sums += part["shift"][:, None, :]
        waves = self._input[:, shape.inputs :].reshape(self.batch, len(numbers), -1)
        waves[...] = sums.transpose(1, 0, 2)

    def _activate(self, i: int) -> None:
        """Turn sums into x * sigmoid(x) and keep the derivative; drop some of both."""
        # The sums lie where the backward pass will put its errors.
        raw, out, gate = self._error[i], self._out[i], self._gate[i]
        raw += self.net.part[f"bias{i}"]
        np.multiply(raw, _HALF, out=gate)
        np.tanh(gate, out=gate)
        gate += 1
        gate *= _HALF
        np.multiply(raw, gate, out=out)
        # d/dx x s(x) = s + x s (1 - s) = s (1 + x - x s)
        raw -= out
        raw += 1
        gate *= raw
        if self._pool is not None:
            at = int(self.rng.integers(0, _POOL))
            mask = self._pool[at : at + out.size].reshape(out.shape)
            out *= mask
            gate *= mask

    def _backward_first(self, numbers: Floats) -> None:
        part, slope, shape = self.net.part, self.slope, self.net.shape
        error = self._error[0]
        error *= self._gate[0]
        error.sum(axis=0, out=slope["bias0"])
        flat = error.reshape(self.batch, -1)
        np.matmul(self._input.T, flat, out=self._first_slope.reshape(shape.width, -1))
        own = (part["adapter"] * part["scale"]).T
        np.einsum("dkh,dk->dh", self._first_slope, own, out=slope["weight0"])
        share = np.einsum("dkh,dh->kd", self._first_slope, part["weight0"])
        np.multiply(share, part["scale"], out=slope["adapter"])
        np.einsum("kd,kd->d", share, part["adapter"], out=slope["scale"])
        if len(numbers):
            waves = self._first[shape.inputs :].reshape(shape.width - shape.inputs, -1)
            self._backward_waves(flat @ waves.T, numbers)

    def _backward_waves(self, error: Floats, numbers: Floats) -> None:
        part, slope = self.net.part, self.slope
        error = error.reshape(self.batch, len(numbers), -1).transpose(1, 0, 2)
        error = np.ascontiguousarray(error)
        np.matmul(self._cos.transpose(0, 2, 1), error, out=slope["mix"])
        error.sum(axis=1, out=slope["shift"])
        np.matmul(error, part["mix"].transpose(0, 2, 1), out=self._back)
        np.sin(self._angle, out=self._angle)
        self._back *= self._angle
        np.negative(self._back.sum(axis=1), out=slope["phase"])
        np.negative(np.matmul(numbers[:, None, :], self._back)[:, 0], out=slope["wave"])


def _rows(layer: Floats) -> Floats:
    """Put the members of a layer (batch, members, width) below each other."""
    return layer.reshape(-1, layer.shape[2])


def _masks(rng: np.random.Generator, drop: float, size: int) -> Floats:
    kept = rng.random(_POOL + size, dtype=np.float32) >= drop
    return kept * np.float32(1 / (1 - drop))


class Adam:
    """Adam with decoupled decay of weights, on one vector of parameters.

    Matrices learn at a rate that falls with the square root of their inputs, frequencies
    slowly, scales of columns fast. The mean of recent parameters is kept beside them.

    Parameters
    ----------
    net
        Its parameters are moved.
    decay
        Decay of matrices, times the learning rate a step.
    memory
        Weight of the past in the mean of parameters.
    """

    def __init__(self, net: Members, decay: float, memory: float = 0.99) -> None:
        self.net, self.steps, self.memory = net, 0, memory
        self.mean, self.square = np.zeros_like(net.flat), np.zeros_like(net.flat)
        self._move, self._fall = np.zeros_like(net.flat), np.zeros_like(net.flat)
        self.average = net.flat.copy()
        self._decay, self._rate = np.zeros_like(net.flat), np.ones_like(net.flat)
        for name, view in split(self._decay, net.shape).items():
            if name.startswith("weight") or name in ("head", "mix"):
                view[...] = decay
        for name, view in split(self._rate, net.shape).items():
            if name.startswith("weight") or name == "head":
                view[...] = np.sqrt(128 / max(1, view.shape[-2]))
            elif name in _RATES:
                view[...] = _RATES[name]
        self._decay *= self._rate

    def step(self, gradient: Floats, learning_rate: float) -> None:
        """Move the parameters against `gradient`."""
        self.steps += 1
        move, fall, flat = self._move, self._fall, self.net.flat
        np.subtract(gradient, self.mean, out=move)
        move *= np.float32(1 - _BETA1)
        self.mean += move
        np.multiply(gradient, gradient, out=move)
        move -= self.square
        move *= np.float32(1 - _BETA2)
        self.square += move
        np.sqrt(self.square, out=move)
        move += _EPSILON
        np.divide(self.mean, move, out=move)
        move *= self._rate
        fix = np.sqrt(1 - _BETA2**self.steps) / (1 - _BETA1**self.steps)
        move *= np.float32(learning_rate * fix)
        np.multiply(self._decay, flat, out=fall)
        fall *= np.float32(learning_rate)
        flat -= fall
        flat -= move
        np.subtract(flat, self.average, out=move)
        move *= np.float32(1 - min(self.memory, self.steps / (self.steps + 10)))
        self.average += move


_RATES = {"wave": 0.6, "phase": 0.6, "scale": 6.0}
