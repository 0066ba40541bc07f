"""Image classifiers of transformers, an optional library: built by what a config.json says, without any network."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from csg_analyze.checkpoints.containers import settings_in
from csg_analyze.checkpoints.folder_settings import CONFIG
from csg_analyze.errors import UsageError
from csg_analyze.extras import optional

HF = "hf:"
NAMED = 5
# how the weights are stored, where code comes from and what computes the same faster: none of it is the network
_ASIDE = ("auto_map", "dtype", "torch_dtype", "attn_implementation", "_attn_implementation", "use_kernels")


def config_in(folder: str) -> Mapping[str, Any]:
    """The config.json of a folder that --arch names. Raises UsageError if there is none, or not of transformers."""
    config = settings_in(Path(folder)).get(CONFIG)
    if config is None or not isinstance(config.get("model_type"), str):
        raise UsageError(
            f"--arch {HF}{folder} needs a folder here with a {CONFIG} of transformers; nothing is downloaded."
        )
    return config


def transformers_network(
    config: Mapping[str, Any], tensors: Mapping[str, Tensor], size: int | None
) -> tuple[nn.Module, tuple[str, ...]]:
    """A network that takes pixels (N, 3, H, W) and gives logits (N, C), with the weights; and remarks for a report.

    Its modules keep their names. The library fills it, as the names in files are often those of its older versions.
    size: other than the config's, where the network can scale its position embeddings.
    Raises UsageError if transformers is missing, for what is no image classifier, and for weights that do not fit.
    """
    kind = _class_of(config)
    plain = {name: value for name, value in config.items() if name not in _ASIDE}
    if "quantization_config" in plain:
        raise UsageError(f"{CONFIG} says that the weights are quantised; save them as floating-point numbers.")
    try:
        with _quiet():
            settings = kind.config_class.from_dict(plain)
            network, report = kind.from_pretrained(
                None, config=settings, state_dict=dict(tensors), output_loading_info=True,
                ignore_mismatched_sizes=True, local_files_only=True, attn_implementation="eager",
            )  # fmt: skip
    except Exception as error:  # each network checks its settings in its own way
        said = " ".join(str(error).split())[:300].rstrip(".")
        raise UsageError(f"transformers does not build {kind.__name__} by {CONFIG}: {said}.") from error
    notes = _notes(kind.__name__, report)
    _takes_pixels(network, settings, size)
    return network, notes


def size_of(config: Mapping[str, Any]) -> int | None:
    """The side of the square images that the network takes, in pixels, if the config says one."""
    vision = config.get("vision_config")
    size = config.get("image_size", vision.get("image_size") if isinstance(vision, Mapping) else None)
    if isinstance(size, list) and len(size) == 2 and size[0] == size[1]:
        size = size[0]
    return size if isinstance(size, int) and size > 0 else None


def _class_of(config: Mapping[str, Any]) -> Any:
    model_type = config["model_type"]
    library = optional("transformers", f"a network of type {model_type!r} ({CONFIG})")
    listed = optional("transformers.models.auto.modeling_auto", "a network of transformers")
    classifiers = listed.MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES
    of_type = classifiers.get(model_type, ())
    of_type = (of_type,) if isinstance(of_type, str) else tuple(of_type)
    said = config.get("architectures") or of_type[:1]
    name = said[0] if isinstance(said, list | tuple) and said else None
    if name not in of_type:
        known = model_type in library.CONFIG_MAPPING
        what = f"{name or model_type} is no image classifier" if known else f"it has no networks of type {model_type!r}"
        raise UsageError(
            f"{CONFIG} names a network that transformers {library.__version__} does not classify images with: {what}; "
            "give the folder of a ...ForImageClassification, or --arch."
        )
    return getattr(library, str(name))


def _notes(kind: str, report: Mapping[str, Any]) -> tuple[str, ...]:
    """Remarks on what the library ignored. Raises UsageError for weights that are missing, or of another shape."""
    missing = sorted(name for name in report.get("missing_keys", ()) if not name.endswith("num_batches_tracked"))
    # before version 5 the library gives names alone, later also the shapes in the file and in the network
    misshapen = sorted(
        f"{each!r} has another shape"
        if isinstance(each, str)
        else f"{each[0]!r} has shape {tuple(each[1])} instead of {tuple(each[2])}"
        for each in report.get("mismatched_keys", ())
    )
    parts = [_listed(misshapen)] if misshapen else []
    parts += [f"{len(missing)} weights are missing ({_listed(missing)})"] if missing else []
    if parts:
        raise UsageError(f"the weights do not fit {kind} of {CONFIG}: {' and '.join(parts)}.")
    unknown = sorted(report.get("unexpected_keys", ()))
    return (f"ignored, as no part of the network: {_listed(unknown)}",) if unknown else ()


def _takes_pixels(network: nn.Module, settings: Any, size: int | None) -> None:
    """Let the network take pixels and give logits as all others do, by hooks on itself."""
    scales = "interpolate_pos_encoding" in inspect.signature(network.forward).parameters
    if scales and size is not None and size != size_of(settings.to_dict()):
        network.register_forward_pre_hook(_scaled, with_kwargs=True)
    network.register_forward_hook(_logits)


def _scaled(_network: nn.Module, pixels: Any, options: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    return pixels, {**options, "interpolate_pos_encoding": True}


def _logits(_network: nn.Module, _pixels: Any, output: Any) -> Any:
    return getattr(output, "logits", output)


@contextmanager
def _quiet() -> Iterator[None]:
    """While open, transformers writes nothing."""
    logging = optional("transformers.utils.logging", "a network of transformers")
    level, bar = logging.get_verbosity(), logging.is_progress_bar_enabled()
    try:
        logging.set_verbosity(logging.CRITICAL)
        logging.disable_progress_bar()
        yield
    finally:
        logging.set_verbosity(level)
        if bar:
            logging.enable_progress_bar()


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more
