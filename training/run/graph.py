"""A training step as one CUDA graph: a GPU ends most operations of these networks sooner than Python issues them."""

from collections.abc import Callable, Iterable

import torch

WARMUP = 3
"""Steps before the capture: libraries choose their algorithms and allocate in them."""


class CapturedStep:
    """Forward and backward pass of a batch, recorded once and replayed for every batch of that shape.

    Each replay leaves the gradients where the recorded step left them, so nobody may set them to None.

    Args:
        compute: Takes the inputs, runs forward and backward pass, and returns the loss. It must not look at values.
        inputs: A first batch's, on a CUDA device.
        parameters: Those whose gradients `compute` writes.
    """

    def __init__(
        self,
        compute: Callable[[tuple[torch.Tensor, ...]], torch.Tensor],
        inputs: tuple[torch.Tensor, ...],
        parameters: Iterable[torch.nn.Parameter],
    ) -> None:
        self.inputs = tuple(tensor.clone() for tensor in inputs)
        parameters = list(parameters)
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(WARMUP):
                compute(self.inputs)
        torch.cuda.current_stream().wait_stream(stream)
        for parameter in parameters:
            parameter.grad = None  # so that the recorded backward pass writes instead of adding
        self.graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.graph):
            self.loss = compute(self.inputs)

    def __call__(self, inputs: tuple[torch.Tensor, ...]) -> torch.Tensor:
        """Computes a batch's gradients.

        Args:
            inputs: Tensors of the shapes of the first batch's.

        Returns:
            The loss; the next call overwrites it.
        """
        for mine, new in zip(self.inputs, inputs, strict=True):
            mine.copy_(new)
        self.graph.replay()
        return self.loss
