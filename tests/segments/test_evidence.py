"""Evidence of single rows: sums that are exact where columns are independent given the cluster."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from torch.distributions import Normal

from pyro_gmvae import GMVAE
from pyro_gmvae.data import Dataset, ImageEncoding, TableEncoding, from_frame
from pyro_gmvae.errors import InputError
from pyro_gmvae.fitted import FittedModel
from pyro_gmvae.models import ExactGMVAE
from pyro_gmvae.segments.explanation.evidence import row_evidence
from pyro_gmvae.segments.explanation.members import borderline_rows, typical_rows


def mixed_rows(n: int = 200) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    y = rng.integers(2, size=n)
    frame = pd.DataFrame(
        {
            "age": rng.normal(30 + 20 * y, 5),
            "visits": rng.poisson(2 + 5 * y),
            "paid": np.where(rng.random(n) < 0.2 + 0.6 * y, "yes", "no"),
        }
    )
    frame.loc[::7, "age"] = np.nan
    return frame


def test_the_sum_is_the_log_ratio_where_columns_are_independent() -> None:
    """A model at its start is a mixture of per-column laws, whose posterior is q(y|x)."""
    frame = mixed_rows()
    fitted = GMVAE(2, max_iter=1, learning_rate=1e-9, random_state=0).fit(frame).fitted_
    data = fitted.conform(from_frame(frame))
    found = row_evidence(fitted, data.x)
    q = fitted.responsibilities(data.x)
    for i, each in enumerate(found):
        assert (each.cluster, each.probability) == (
            int(q[i].argmax()),
            pytest.approx(q[i].max().item()),
        )
        if each.next_probability > 1e-4:
            assert abs(each.rest) < 0.02
        if np.isnan(frame.age[i]):
            assert dict(each.columns)["age"] == 0.0  # a gap tells nothing
    names = {each.columns[0][0] for each in found}
    assert "age" in names


def test_the_law_of_a_column_is_the_integral_over_the_style() -> None:
    torch.manual_seed(0)
    gmvae = ExactGMVAE(2, n_components=2, latent_dim=1, hidden=(4,), likelihood="gaussian")
    x = torch.randn(6, 2, dtype=torch.float64)
    fitted = FittedModel(gmvae.eval(), TableEncoding.standardize(x))
    model = gmvae.model
    z = torch.linspace(-9, 9, 4_001)
    with torch.no_grad():
        log_p = []
        for k in range(2):
            prior = Normal(model.component_loc[k], model.component_scale[k])
            grid = z.unsqueeze(-1) * model.component_scale[k] + model.component_loc[k]
            cells = model.p_x(grid.unsqueeze(1)).base_dist
            weights = prior.log_prob(grid).exp()
            weights = (weights / weights.sum()).unsqueeze(1)
            encoded = fitted.encoding.encode_mean(x).float()
            log_p.append((cells.log_prob(encoded).exp() * weights).sum(0).log())
        for i, each in enumerate(row_evidence(fitted, x)):
            wanted = log_p[each.cluster][i] - log_p[each.next_cluster][i]
            evidence = dict(each.columns)
            assert evidence["column 0"] == pytest.approx(wanted[0].item(), abs=0.02)
            assert evidence["column 1"] == pytest.approx(wanted[1].item(), abs=0.02)


def test_images_and_single_clusters_have_no_evidence() -> None:
    images = FittedModel(
        ExactGMVAE((1, 2, 2), n_components=2, latent_dim=1, hidden=(3,)).eval(),
        ImageEncoding((1, 2, 2)),
    )
    with pytest.raises(InputError, match="images have none"):
        row_evidence(images, torch.zeros(1, 1, 2, 2))
    gmvae = ExactGMVAE(2, n_components=1, latent_dim=1, hidden=(3,), likelihood="gaussian")
    x = torch.randn(4, 2, dtype=torch.float64)
    with pytest.raises(InputError, match="two clusters"):
        row_evidence(FittedModel(gmvae.eval(), TableEncoding.standardize(x)), x)


def test_typical_rows_are_near_the_middle_and_differ() -> None:
    rng = np.random.default_rng(2)
    y = np.repeat([0, 1], 150)
    x = rng.normal(size=(300, 2)) + 10 * y[:, None]
    x[5] = x[6] = [0.0, 0.0]
    fitted = GMVAE(2, max_iter=1, random_state=0).fit(x).fitted_
    data = Dataset("points", torch.from_numpy(x), None, TableEncoding)
    q = fitted.responsibilities(data.x).double().numpy()
    found = typical_rows(fitted, data.x, q, 3)
    for k, rows in found.items():
        middle = x[q.argmax(1) == k].mean(0)
        assert np.linalg.norm(x[rows] - middle, axis=1).max() < 0.8
        assert len({x[i].tobytes() for i in rows}) == 3
    border = borderline_rows(q, 2)
    assert all(
        q[rows].max() <= np.sort(q[q.argmax(1) == k].max(1))[1] for k, rows in border.items()
    )
