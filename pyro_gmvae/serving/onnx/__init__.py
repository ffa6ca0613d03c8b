"""Export a fitted model as an ONNX graph from raw columns to clusters, latents and scores."""

from pyro_gmvae.serving.onnx.export import onnx_model, save_onnx

__all__ = ["onnx_model", "save_onnx"]
