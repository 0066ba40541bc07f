"""Forward hooks as a context: layers' outputs are watched or replaced while it is open."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, TypeAlias

from torch import nn

Watch: TypeAlias = "Callable[[Any], Any]"
"""A function of a layer's output. Its result replaces the output, except None.

A watcher that keeps the output copies it, since a later in-place operation may change it. It never writes to the
output, which other modules may hold too.
"""


@contextmanager
def watched(layers: Iterable[tuple[nn.Module, Watch]]) -> Iterator[None]:
    """While open, all forward passes call the watchers of these layers. The hooks are removed on any exit."""
    with ExitStack() as stack:
        for layer, watch in layers:
            handle = layer.register_forward_hook(_hook(watch))
            stack.callback(handle.remove)
        yield


def _hook(watch: Watch) -> Callable[[nn.Module, Any, Any], Any]:
    return lambda _module, _inputs, output: watch(output)
