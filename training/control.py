"""Controls: what frozen heads do to filters without any gate.

A CSG training changes the gate, and with it the head. A control changes the head alone: it begins and learns as its CSG
twin does, with a head that is prescribed instead of learnt with a gate. An effect that a control has too does not come
from the gate.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from csg_analyze.errors import UsageError
from csg_analyze.models import find_layers
from training.augment import mixed_seed
from training.fields import ControlHead, Turns
from training.optimisation import PathName, trained
from training.recipes import Recipe
from training.turns import turn_of

OWN = 0.5
"""What a filter adds to the logit of the class whose block it is in."""


@dataclass(frozen=True)
class Control:
    """A prescribed head that stays as it is while the trunk takes the STD epochs of the CSG twin.

    In the twin's CSG epochs, which train gate and head, a control rests. trains_head: instead of resting it trains the
    head by the plain loss, with the CSG path's optimizer (`--head dense`).
    """

    turns: Turns
    trains_head: bool
    gate: Tensor | None = None

    def path(self, epoch: int) -> PathName:
        """STD where the twin's path is; in the twin's CSG epochs "csg" for a dense head, else "rest"."""
        turn = turn_of(self.turns, epoch)
        return turn if turn == "std" or self.trains_head else "rest"

    def loss(self, path: PathName, network: nn.Module, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Plain cross-entropy on both paths."""
        logits = network(images)
        return F.cross_entropy(logits, labels), logits

    def after_step(self, path: PathName, scaler: torch.amp.GradScaler) -> None:
        """Nothing."""


def control(recipe: Recipe, network: nn.Module, probe: Tensor, *, seed: int) -> Control:
    """Put the recipe's head into a network and return the strategy that trains around it.

    probe: (1, 3, H, W), an input the network takes. Raises UsageError for a network without a linear head, a recipe of
    the joint scheme (a control follows its twin's turns), one whose STD path would train the head, and a norm where the
    head is not prescribed.
    """
    prescribed = recipe.control
    if prescribed.head is None:
        raise UsageError("a control needs --head: random-blocks, argmax-blocks, scaled, own or dense.")
    if recipe.turns.scheme != "alternate":
        raise UsageError("a control follows the turns of the alternate scheme; add --scheme alternate.")
    if prescribed.head_norm is not None and prescribed.head in ("own", "dense"):
        raise UsageError(f"--head-norm means nothing with --head {prescribed.head}; drop it.")
    name = find_layers(network, probe)[1]
    head = network.get_submodule(name)
    if not isinstance(head, nn.Linear):
        raise UsageError(f"a control needs a linear head, but {name!r} is a {type(head).__name__}.")
    if any(parameter is head.weight for parameter in trained(network, recipe.optimisation.std_trainable)):
        raise UsageError(
            f"a control's head stays as prescribed, but the STD path would train {name!r}; name the other layers with "
            "--std-trainable."
        )
    dense = prescribed.head == "dense"
    if dense and not any(p is head.weight for p in trained(network, recipe.csg_path.csg_trainable)):
        raise UsageError(f"--head dense trains {name!r} on the CSG path; name it with --csg-trainable.")
    prescribe_(head, prescribed, seed=seed)
    return Control(recipe.turns, trains_head=dense)


@torch.no_grad()
def prescribe_(head: nn.Linear, prescribed: ControlHead, *, seed: int) -> None:
    """Replace the weights (C, K) and the bias of a head in place; one that is `own` or `dense` begins as it is.

    random-blocks: every filter in the block of a class drawn from the seed alone. argmax-blocks: of the class with its
    largest weight in this head. scaled: this head, weights and bias alike. Blocks have no bias. The Frobenius norm of
    the weights is `head_norm`; none: that of blocks as they are.
    """
    if prescribed.head in ("own", "dense"):
        return
    n_classes, n_filters = head.weight.shape
    if prescribed.head == "random-blocks":
        generator = torch.Generator().manual_seed(mixed_seed(seed, 0, use=3))
        owners = torch.randint(n_classes, (n_filters,), generator=generator).to(head.weight.device)
    else:
        owners = head.weight.argmax(dim=0)
    blocks = block_head(owners, n_classes)
    if prescribed.head_norm is not None:
        blocks *= prescribed.head_norm / blocks.norm()
    factor = float(blocks.norm() / head.weight.norm()) if prescribed.head == "scaled" else 0.0
    for parameter in head.parameters():
        parameter.mul_(factor)
    if prescribed.head != "scaled":
        head.weight.copy_(blocks)


def block_head(owners: Tensor, n_classes: int) -> Tensor:
    """Weights (C, K): +.5 for the class of every filter (`owners`, (K,)), -.5 / (C - 1) for each other one."""
    own = F.one_hot(owners, n_classes).T.to(torch.float32)
    return OWN * (own - (1 - own) / max(n_classes - 1, 1))
