from __future__ import annotations

import json
from typing import Any

import pytest
import torch
from torch import nn

from pyro_gmvae.inference import TraceEnumMeanField_ELBO
from pyro_gmvae.likelihoods import Bernoulli
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
