from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
import torch
from torch import nn

from pyro_gmvae.inference import TraceEnumMeanField_ELBO
from pyro_gmvae.likelihoods import LIKELIHOODS, Bernoulli
from pyro_gmvae.models import GMVAE, METHODS, ConcreteGMVAE, ExactGMVAE, from_config, to_config
from pyro_gmvae.networks import ConvSizes
from tests.helpers.small import D, K, Z, binary_data, small_gmvae


@pytest.mark.parametrize(
    ("method", "options"),
    [
        ("exact", {"learn_mixture": True, "label_weight": 3.0}),
        ("concrete", {"temperature": 0.3, "kl": "relaxed", "shared_trunk": True}),
        ("sparse", {"n_likeliest": 2, "drawn_share": 0.5, "likelihood": "gaussian_predicted"}),
        ("marginal", {"input_dim": (1, 2, 3), "hidden": (5, 4)}),
        ("exact", {"input_dim": (1, 4, 3), "network": "conv"}),
        (
            "sparse",
            {"input_dim": (2, 4, 3), "network": "conv", "conv": ConvSizes((8,), 2, 7, 2, 1)},
        ),
    ],
)
def test_round_trip(method: str, options: dict[str, Any]) -> None:
    gmvae = small_gmvae(method, **options)
    config = json.loads(json.dumps(to_config(gmvae)))
    again = from_config(config)
    assert type(again) is METHODS[method]
    assert to_config(again) == config
    again.load_state_dict(gmvae.state_dict())
    x = binary_data(4, *gmvae.event_shape)
    elbo = TraceEnumMeanField_ELBO(max_plate_nesting=1)
    labels = None if options.get("kl") == "relaxed" else torch.tensor([0, -1, 2, -1])
    losses = []
    for g in (gmvae, again):
        torch.manual_seed(1)
        losses.append(elbo(g.model, g.guide)(x, labels))
    assert torch.equal(*losses)


def test_a_config_from_before_there_were_convolutions() -> None:
    gmvae = small_gmvae("exact")
    config = to_config(gmvae)
    del config["network"], config["conv"]
    assert from_config(config).options == gmvae.options


class Mine(ConcreteGMVAE):
    pass


@pytest.mark.parametrize(
    "gmvae",
    [
        ExactGMVAE(D, K, Z, hidden=(5,), encoder=nn.Linear(D, 4)),
        ExactGMVAE(D, K, Z, hidden=(5,), decoder=nn.Linear(Z, D)),
        ExactGMVAE(D, K, Z, hidden=(5,), likelihood=Bernoulli((D,))),
        ExactGMVAE(D, K, Z, hidden=(5,), likelihood=Bernoulli),
        Mine(D, K, Z, hidden=(5,)),
    ],
    ids=["encoder", "decoder", "likelihood", "likelihood class", "own class"],
)
def test_refuses_what_only_code_can_rebuild(gmvae: GMVAE) -> None:
    with pytest.raises(ValueError, match="save its state_dict"):
        to_config(gmvae)


def test_from_config_refuses() -> None:
    config = to_config(small_gmvae("exact"))
    with pytest.raises(ValueError, match="unknown method 'magic'; choose from"):
        from_config(config | {"method": "magic"})
    with pytest.raises(ValueError, match="unknown method None"):
        from_config({})
    with pytest.raises(ValueError, match="n_components must be at least 1"):
        from_config(config | {"n_components": 0})
    with pytest.raises(ValueError, match="blocks must be at least 1"):
        from_config(config | {"network": "conv", "conv": {"channels": [8], "blocks": 0}})


def table(*columns: str, **options: bool) -> dict[str, Any]:
    structure = {"columns": columns, "weights": [], "floors": [], "linear": True}
    structure |= {"correlated": False, **options}
    return {"input_dim": [len(columns)], "likelihood": "table", "hidden": [4], "table": structure}


CONV = {"channels": [8], "blocks": 1, "features": 4, "groups": 2, "patch": 1}
EACH_KIND: dict[str, dict[str, Any]] = {
    "mlp": {"input_dim": 4, "hidden": [8], "learn_mixture": True, "n_covariates": 2},
    "shared": {"input_dim": [1, 4, 4], "hidden": [8], "shared_trunk": True},
    "conv": {"input_dim": [1, 8, 8], "network": "conv", "conv": CONV},
    "linear": table("real", "count", "levels:3"),
    "bent": table("real", "count", "levels:3", linear=False),
    "correlated": table("real", "real", "real", correlated=True),
} | {name: {"input_dim": [1, 4, 4], "likelihood": name} for name in LIKELIHOODS if name != "table"}


def test_shapes_are_found_without_the_compiler() -> None:
    """Each load of a run asks for them, and to load torch's compiler takes seconds."""
    code = (
        "import json, sys\n"
        "from pyro_gmvae.models.config import parameter_count\n"
        "for name, config in json.load(sys.stdin).items():\n"
        "    assert parameter_count(config) > 0\n"
        "    loaded = {'torch._dynamo', 'sympy'} & set(sys.modules)\n"
        "    assert not loaded, (name, config['method'], loaded)\n"
    )
    configs = {
        f"{kind} {method}": {"method": method, "n_components": 3, "latent_dim": 2, **options}
        for kind, options in EACH_KIND.items()
        for method in METHODS
        if not (method == "marginal" and "shared_trunk" in options)
    }
    subprocess.run([sys.executable, "-c", code], input=json.dumps(configs), text=True, check=True)
