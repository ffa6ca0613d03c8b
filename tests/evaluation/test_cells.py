"""The scores of the cells are those of the laws that the decoder gives."""

from __future__ import annotations

import torch

from pyro_gmvae.evaluation import cell_log_p
from pyro_gmvae.evaluation.generate import likeliest_mean
from pyro_gmvae.likelihoods import TableStructure
from tests.helpers.small import small_gmvae
from tests.helpers.tables import WORDS, column_laws, with_gaps


def test_each_cell_has_the_log_probability_of_its_own_law() -> None:
    torch.manual_seed(0)
    gmvae = small_gmvae(
        "exact", input_dim=len(WORDS), likelihood="table", table=TableStructure(WORDS)
    ).eval()
    z = gmvae.model.component_loc[:1].detach().expand(20, -1)
    full = gmvae.model.p_x(z).sample()
    x = with_gaps(full)
    found = cell_log_p(gmvae, x)
    with torch.no_grad():
        laws = column_laws(gmvae.model.p_x(likeliest_mean(gmvae.posterior(x))).base_dist)
    for j, law in enumerate(laws):
        seen = ~x[:, j].isnan()
        expected = law.log_prob(full[:, j])[seen]
        torch.testing.assert_close(found[seen, j], expected, atol=1e-4, rtol=1e-4)
        assert (found[~seen, j] == 0).all()
