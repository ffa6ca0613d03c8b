"""Bring images to small pictures that lie in the page itself."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence

import torch
from jaxtyping import Shaped
from torch import Tensor

from pyro_gmvae.data import ImageEncoding
from pyro_gmvae.fitted import FittedModel

__all__ = ["thumbnails"]

SIDE = 96  # pixels of the longer side


@torch.no_grad()
def thumbnails(
    fitted: FittedModel, x: Shaped[Tensor, "N *event"], rows: Sequence[int]
) -> dict[int, str]:
    """Return the images of some rows as data addresses of PNG files; tables have none.

    Args:
        fitted: a model.
        x: all rows in raw units.
        rows: the places of those that are shown.

    >>> from pyro_gmvae.models import ExactGMVAE
    >>> gmvae = ExactGMVAE((1, 4, 4), n_components=2, latent_dim=1, hidden=(4,))
    >>> fitted = FittedModel(gmvae.eval(), ImageEncoding((1, 4, 4)))
    >>> images = torch.zeros(3, 1, 4, 4, dtype=torch.uint8)
    >>> made = thumbnails(fitted, images, [0, 2])
    >>> sorted(made), made[0][:22]
    ([0, 2], 'data:image/png;base64,')
    """
    from PIL import Image

    encoding = fitted.encoding
    if not isinstance(encoding, ImageEncoding) or not rows:
        return {}
    raw = x[torch.tensor(rows)].to(encoding.scale.device)
    levels = (encoding.scaled(raw).clamp(0, 1) * 255).round().byte().cpu()
    made = {}
    for row, image in zip(rows, levels, strict=True):
        pixels = image.movedim(0, -1).squeeze(-1).numpy()
        picture = Image.fromarray(pixels)
        factor = max(1, SIDE // max(picture.size))
        picture = picture.resize(
            (picture.width * factor, picture.height * factor), Image.Resampling.NEAREST
        )
        picture.thumbnail((SIDE, SIDE))
        file = io.BytesIO()
        picture.save(file, "PNG")
        made[row] = f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"
    return made
