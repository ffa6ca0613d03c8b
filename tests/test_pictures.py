"""Pictures of a fitted model: which rows they are drawn from."""

from __future__ import annotations

from dataclasses import replace
from unittest import mock

import torch

from pyro_gmvae import pictures
from pyro_gmvae.data import Column, Dataset, Schema, TableEncoding
from pyro_gmvae.fitted import FittedModel
from pyro_gmvae.likelihoods import TableStructure
from pyro_gmvae.models import ExactGMVAE


def fitted_table(schema: Schema | None) -> tuple[FittedModel, Dataset]:
    """A model of two columns, and sorted rows."""
    x = torch.linspace(0, 1, 60, dtype=torch.float64).unsqueeze(1).expand(-1, 2).contiguous()
    data = Dataset("sorted", x, None, TableEncoding, schema=schema)
    if schema is None:
        gmvae = ExactGMVAE(2, n_components=2, latent_dim=1, hidden=(4,), likelihood="gaussian")
        return FittedModel(gmvae.eval(), TableEncoding.fit(data, "real")), data
    encoding = TableEncoding.fit(data, "mixed")
    table = TableStructure(encoding.columns)
    gmvae = ExactGMVAE(
        2, n_components=2, latent_dim=1, hidden=(4,), likelihood="table", table=table
    )
    return FittedModel(gmvae.eval(), encoding), data


def test_rows_are_drawn_from_all_of_a_sorted_table() -> None:
    fitted, data = fitted_table(None)
    with (
        mock.patch.object(pictures, "DRAWN_ROWS", 20),
        mock.patch.object(pictures, "plot_cluster_profiles") as plot,
    ):
        pictures.draw_clusters(fitted, data)
    drawn = fitted.encoding.decode(plot.call_args.args[0])[:, 0]
    assert len(drawn) == 20 and abs(drawn.mean() - 0.5) < 0.05


def test_mixed_columns_get_a_profile_in_their_own_units() -> None:
    schema = Schema((Column("age"), Column("spend", "amount")))
    fitted, data = fitted_table(schema)
    data = replace(data, weights=torch.arange(60.0, dtype=torch.float64))
    with mock.patch.object(pictures, "plot_column_profiles") as plot:
        pictures.draw_clusters(fitted, data)
    assert plot.call_args.args[0] == schema
    assert torch.equal(plot.call_args.args[1], data.x)
    assert torch.equal(plot.call_args.kwargs["weights"], data.weights)
    assert plot.call_args.kwargs["title"] == "sorted: 2 clusters, exact method"
