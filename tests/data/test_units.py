"""Columns whose numbers are beyond float32, which are measured in powers of two."""

import json

import numpy as np
import pytest
import torch

from pyro_gmvae.data import TableEncoding, encoding_from_config
from pyro_gmvae.errors import InputError


@pytest.mark.parametrize("power", [-996, -400, -130, 130, 400, 1015])
def test_columns_beyond_float32_are_encoded_alike(power: int) -> None:
    factor = 2.0**power
    table = torch.randn(30, 2, generator=torch.Generator().manual_seed(0)).double()
    plain = TableEncoding.standardize(table)
    # One column of each kind, so that a unit of one leaves the other alone.
    far = torch.stack([table[:, 0] * factor, table[:, 1]], 1)
    encoding = TableEncoding.standardize(far)
    assert torch.equal(encoding.encode_mean(far), plain.encode_mean(table))
    back = encoding.decode(encoding.encode_mean(far))
    torch.testing.assert_close(
        back / torch.tensor([factor, 1.0], dtype=torch.float64), table, rtol=1e-6, atol=1e-6
    )
    expected = plain.log_abs_det(table) - power * np.log(2)
    torch.testing.assert_close(encoding.log_abs_det(far), expected)
    again = encoding_from_config(json.loads(json.dumps(encoding.to_config())))
    again.load_state_dict(encoding.state_dict())
    assert torch.equal(again.encode_mean(far), encoding.encode_mean(far))


def test_units_are_kept_only_where_they_are_needed() -> None:
    table = torch.tensor([[1.0, 10.0], [3.0, 30.0]])
    assert "exponents" not in TableEncoding.standardize(table).to_config()
    assert set(TableEncoding.standardize(table).state_dict()) == {"shift", "scale"}
    config = TableEncoding.standardize(table.double() * 1e100).to_config()
    for wrong in ([1], [1, 2.0], "12", [1, 5000]):
        with pytest.raises(InputError, match="units of the columns are damaged: train again"):
            encoding_from_config(config | {"exponents": wrong})


def test_a_number_far_from_those_in_training_is_refused_by_column() -> None:
    encoding = TableEncoding.standardize(torch.tensor([[1.0, 10.0], [3.0, 30.0]]))
    encoding.check(torch.tensor([[1.0, torch.nan]]).double(), "real", "gaussian")
    with pytest.raises(InputError, match="too far from those in training, in column 1: correct"):
        encoding.check(torch.tensor([[1.0, 1e60]], dtype=torch.float64), "real", "gaussian")
