"""Where the fast runtime computes: under its own device, without waiting for what the host hands over."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor


@contextmanager
def computing_on(device: torch.device) -> Iterator[None]:
    """What runs in the `with` block runs as `under` says, and keeps no gradients."""
    with torch.inference_mode(), under(device):
        yield


@contextmanager
def under(device: torch.device) -> Iterator[None]:
    """On CUDA, what runs in the `with` block runs under `device` and without cuDNN's attention.

    Without the guard a second GPU would compute while the graphs are recorded on the first, and hold nothing. cuDNN
    plans its attention anew for every shape, half a second each; the other kernels take any shape.
    """
    if device.type != "cuda":
        yield
        return
    cudnn = torch.backends.cuda.cudnn_sdp_enabled()
    torch.backends.cuda.enable_cudnn_sdp(False)
    try:
        with torch.cuda.device(device):
            yield
    finally:
        torch.backends.cuda.enable_cudnn_sdp(cudnn)


def placed(values: Any, device: torch.device) -> Tensor:
    """A tensor of `values` (numbers in lists, or an array) on the device, which the host does not wait for."""
    tensor = torch.as_tensor(values)
    if device.type == "cuda":
        tensor = tensor.pin_memory()
    return tensor.to(device, non_blocking=True)
