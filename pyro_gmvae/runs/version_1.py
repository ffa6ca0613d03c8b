"""Bring the configuration of a run of version 0.1 to this version's form."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pyro_gmvae.about import About
from pyro_gmvae.fitting.settings import Settings
from pyro_gmvae.stored import DamagedError, typed

__all__ = ["config_of_version_1"]

MOST_COLUMNS = 2**20  # of a table without names, which a few bytes may claim to have
# Settings that had another name in the estimator of version 0.1.
_PARAMETERS = {
    "n_components": "clusters",
    "init_params": "initialization",
    "n_init": "starts",
    "max_iter": "epochs",
    "kl_annealing": "annealing_epochs",
    "random_state": "seed",
}
_OWN = ("num_samples", "verbose")  # parameters that a training does not depend on


def config_of_version_1(config: dict[str, Any]) -> dict[str, Any]:
    """Return the configuration as this version writes it.

    Raises:
        InputError: if it is not what version 0.1 wrote.

    >>> old = {"details": {"feature_names": ["age"]}, "preprocessor": {"event_shape": [1]}}
    >>> config_of_version_1(old)["encoding"]["columns"]
    [{'name': 'age', 'kind': 'real'}]
    """
    details = typed(dict[str, Any], config.get("details"), "details")
    encoding = typed(dict[str, Any], config.get("preprocessor"), "preprocessor")
    columns = typed(tuple[str, ...] | None, details.get("feature_names"), "feature_names")
    width = typed(tuple[int, ...], encoding.get("event_shape"), "event_shape")[:1]
    if max(width, default=0) > MOST_COLUMNS:
        raise DamagedError(f"event_shape is of {width[0]:,} columns")
    names = columns or (None,) * sum(width)
    encoding["columns"] = [{"name": name, "kind": "real"} for name in names]  # images have none
    return {**config, "encoding": encoding, "about": _about(details).to_dict()}


def _about(details: dict[str, Any]) -> About:
    """Gather what the run says of itself, whether the command or the estimator wrote it."""
    saved = typed(dict[str, Any], details.get("estimator") or {}, "estimator")
    parameters = typed(dict[str, Any], saved.get("parameters") or {}, "parameters")
    settings = details.get("settings")
    names = ("class_names", "stopped", "best_epoch", "n_steps", "seconds", "kept_clusters")
    about = About.from_dict(
        {
            "name": details.get("name", "data"),
            "settings": Settings.from_dict(settings).to_dict()
            if settings
            else _settings_of(parameters),
            "fingerprint": details.get("train_sha256"),
            # Rows were held out by chance, whatever was known of them and however few.
            "known_rows": [],
            "least_validation": 1,
            **{name: details.get(name) for name in names},
        }
    )
    attributes = typed(dict[str, Any], saved.get("attributes") or {}, "attributes")
    if not attributes:
        return about
    return replace(
        about,
        stopped="patience" if attributes.get("converged_") else "epochs",
        lower_bound=typed(float | None, attributes.get("lower_bound_"), "lower_bound_"),
        estimator={name: parameters[name] for name in _OWN if name in parameters},
    )


def _settings_of(parameters: dict[str, Any]) -> dict[str, Any] | None:
    """Turn the parameters of an estimator of version 0.1 into settings."""
    if not parameters:
        return None
    named = {_PARAMETERS.get(n, n): v for n, v in parameters.items() if n not in _OWN}
    if named.get("method") != "concrete":
        named.pop("temperature", None)
    named["seed"] = named.get("seed") or 0
    return Settings.from_dict({"data": None, **named}).to_dict()
