"""Place rows over HTTP."""

from pyro_gmvae.serving.http.app import make_app
from pyro_gmvae.serving.http.limits import Limits
from pyro_gmvae.serving.http.server import serve

__all__ = ["Limits", "make_app", "serve"]
