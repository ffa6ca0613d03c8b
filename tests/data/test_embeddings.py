"""Embeddings are directions: lengths are left out, and angles are kept."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas
import pyarrow as pa
import pytest
import torch
from pyarrow import feather, parquet

from pyro_gmvae.data import (
    Column,
    Dataset,
    EmbeddingEncoding,
    Schema,
    TableEncoding,
    encoding_from_config,
    from_array,
    load,
)
from pyro_gmvae.data.embedding_encoding import unit_length
from pyro_gmvae.data.transformations import NearestRow
from pyro_gmvae.errors import InputError
from pyro_gmvae.fitting import defaults

X = torch.randn(40, 64, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
UNIT = X / X.norm(dim=-1, keepdim=True)


def table(x: torch.Tensor, schema: Schema | None = None) -> Dataset:
    return Dataset("vectors", x, None, TableEncoding, schema=schema)


def test_the_length_of_a_row_is_left_out() -> None:
    encoding = EmbeddingEncoding.centre(X)
    factor = torch.rand(40, 1) * 9 + 0.1
    torch.testing.assert_close(encoding.encode_mean(X * factor), encoding.encode_mean(X))
    torch.testing.assert_close(
        encoding.decode(encoding.encode_mean(X)), UNIT, atol=1e-6, rtol=0, check_dtype=False
    )


def test_all_columns_have_one_scale_so_that_distances_keep_their_ratios() -> None:
    wide = X * torch.linspace(0.1, 3, 64)
    encoding = EmbeddingEncoding.centre(wide)
    z = encoding.encode_mean(wide)
    torch.testing.assert_close(z.mean(0), torch.zeros(64), atol=1e-5, rtol=0)
    assert float(z.square().mean()) == pytest.approx(1, abs=1e-4)
    ratio = torch.pdist(z.double()) / torch.pdist(unit_length(wide))
    assert float(ratio.max() / ratio.min()) == pytest.approx(1, abs=1e-4)


def test_the_volume_is_that_of_the_map() -> None:
    encoding = EmbeddingEncoding.centre(X)
    volume = encoding.log_abs_det(X)
    torch.testing.assert_close(
        volume, (-64 * encoding.scale[0].double().log()).expand(40), check_dtype=False
    )


def test_it_is_stored_as_plain_json() -> None:
    encoding = EmbeddingEncoding.centre(X, Schema.of_numbers(64, [f"v {i}" for i in range(64)]))
    config = json.loads(json.dumps(encoding.to_config()))
    again = encoding_from_config(config)
    again.load_state_dict(encoding.state_dict())
    assert isinstance(again, EmbeddingEncoding)
    assert again.feature_names == encoding.feature_names
    assert torch.equal(again.encode_mean(X), encoding.encode_mean(X))


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_unit_length_tells_embeddings(dtype: type) -> None:
    data = from_array(UNIT.numpy().astype(dtype))
    assert defaults.kind("auto", data) is EmbeddingEncoding
    assert defaults.kind("table", data) is TableEncoding


@pytest.mark.parametrize(
    "data",
    [
        table(X),  # other lengths
        table(UNIT[:, :63] / UNIT[:, :63].norm(dim=-1, keepdim=True)),  # few columns
        table(torch.cat([UNIT[:-1], 1.01 * UNIT[-1:]])),  # one row of another length
        table(torch.where(UNIT[0, 0] == UNIT, torch.nan, UNIT)),  # a gap
        table(UNIT, Schema((Column("a", "count"), *[Column(f"{i}") for i in range(63)]))),
    ],
    ids=["lengths", "columns", "one row", "gap", "count"],
)
def test_other_rows_stay_a_table(data: Dataset) -> None:
    assert defaults.kind("auto", data) is TableEncoding
    assert defaults.kind("embedding", data) is EmbeddingEncoding


def test_images_are_no_embeddings() -> None:
    images = from_array(np.zeros((4, 8, 8), dtype=np.uint8))
    assert defaults.kind("auto", images) is images.kind
    with pytest.raises(InputError, match="has images, and the kind embedding is for rows of num"):
        defaults.kind("embedding", images)


def test_lists_in_files_of_columns_are_read(tmp_path: Path) -> None:
    vectors = pa.array(UNIT.numpy().astype(np.float16).tolist(), pa.list_(pa.float16()))
    made = pa.table({"vector": vectors})
    parquet.write_table(made, tmp_path / "v.parquet")
    wide = pa.table({"vector": vectors.cast(pa.list_(pa.float32()))})
    feather.write_feather(wide, str(tmp_path / "v.feather"))
    fixed = vectors.cast(pa.list_(pa.float16(), 64))
    parquet.write_table(pa.table({"vector": fixed}), tmp_path / "f.parquet")
    for name in ("v.parquet", "f.parquet", "v.feather"):
        data = load(str(tmp_path / name))
        assert data.feature_names is not None and data.feature_names[1] == "vector 1"
        torch.testing.assert_close(data.x, UNIT, atol=1e-3, rtol=0)
        assert defaults.kind("auto", data) is EmbeddingEncoding


def test_new_rows_conform_whether_they_are_read_as_table_or_not() -> None:
    encoding = EmbeddingEncoding.centre(X)
    found = encoding.conform(table(3 * X))
    assert found.kind is EmbeddingEncoding
    assert torch.equal(encoding.conform(found).x, found.x)


def test_rows_without_a_direction_are_refused() -> None:
    encoding = EmbeddingEncoding.centre(X)
    zero = X.clone()
    zero[[3, 8]] = 0
    gap = X.clone()
    gap[2, 5] = torch.nan
    with pytest.raises(InputError, match="rows of zeros, which have no direction: .* 3, 8, count"):
        encoding.conform(table(zero))
    with pytest.raises(InputError, match="rows of zeros"):
        EmbeddingEncoding.fit(table(zero), "real")
    with pytest.raises(InputError, match=r"missing cells, in column 5 \(1\), and an embedding has"):
        encoding.conform(table(gap))
    with pytest.raises(InputError, match="missing cells"):
        EmbeddingEncoding.fit(table(gap), "real")
    with pytest.raises(InputError, match="has 10 columns, the model was trained on"):
        encoding.conform(table(X[:, :10]))


def test_text_and_other_likelihoods_are_refused() -> None:
    frame = pandas.DataFrame(X.numpy()).rename(columns=str).assign(word=list("ab") * 20)
    from pyro_gmvae.data import from_frame

    with pytest.raises(InputError, match="columns that are not numbers: word"):
        EmbeddingEncoding.fit(from_frame(frame), "real", likelihood="gaussian")
    with pytest.raises(InputError, match="embeddings, which are real numbers: leave likelihood"):
        EmbeddingEncoding.fit(table(X), "binary")


def test_neighbours_are_looked_up_among_the_training_rows() -> None:
    encoding = EmbeddingEncoding.centre(X)
    move = encoding.move("neighbours", X)
    assert isinstance(move, NearestRow)
    z = encoding.encode_mean(X)
    order = torch.cdist(move.known, z).argmin(-1)
    assert sorted(order.tolist()) == list(range(40))
    assert not torch.equal(move(z), z)
    assert type(encoding.move("dropout", X)).__name__ == "FeatureDropout"
