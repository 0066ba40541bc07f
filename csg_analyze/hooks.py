"""Forward hooks: what a layer gives is seen or replaced while a context is open, and never a moment longer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, TypeAlias

from torch import nn

Watch: TypeAlias = "Callable[[Any], Any]"
"""Gets a layer's output; what it returns takes the output's place, None leaves it.

A watcher that keeps the output copies it, since an in-place operation further on would change what it kept, and never
writes to it, since the layer may have given it to others as well.
"""


@contextmanager
def watched(layers: Iterable[tuple[nn.Module, Watch]]) -> Iterator[None]:
    """Within it, every forward pass shows each layer's output to its watcher; the hooks come off whatever happens."""
    with ExitStack() as stack:
        for layer, watch in layers:
            handle = layer.register_forward_hook(_hook(watch))
            stack.callback(handle.remove)
        yield


def _hook(watch: Watch) -> Callable[[nn.Module, Any, Any], Any]:
    return lambda _module, _inputs, output: watch(output)
