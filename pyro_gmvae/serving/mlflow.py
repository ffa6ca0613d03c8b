"""Save a run as a model of MLflow: its folder and five lines of code, and nothing pickled."""

from __future__ import annotations

import os
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch

from pyro_gmvae.errors import InputError
from pyro_gmvae.fitted import FittedModel
from pyro_gmvae.runs import save_run
from pyro_gmvae.serving.predictor import ROWS, Predictor

__all__ = ["python_model", "save_mlflow"]

# What MLflow runs when it loads the model.
CODE = '''"""Place rows with the run among the artifacts of this model."""

import mlflow
from pyro_gmvae.serving.mlflow import python_model

mlflow.models.set_model(python_model())
'''
TYPES = {"number": "double", "text": "string", "boolean": "boolean", "date": "datetime"}
SHOWN = 5  # rows of the input example


def save_mlflow(
    run: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    density: bool = False,
    reject: float | None = None,
) -> None:
    """Save a run as a folder that ``mlflow.pyfunc.load_model`` reads.

    The model takes a data frame of the run's columns, each of which may be missing, or an array of
    rows; it returns the columns of ``pyro-gmvae predict`` and ``probabilities``, a list for each
    row. Signature and input example are made from the run's schema: the example holds a draw from
    each of the first clusters. MLflow does not turn whole numbers of 64 bits into floats, so give
    such columns as floats; it takes truth values with gaps as objects.

    Args:
        run: the folder of a run.
        out: the folder to write, which must not exist.
        density: as in `Predictor`.
        reject: as in `Predictor`.

    Raises:
        InputError: without MLflow, for a folder that exists or cannot be written, and as
            `Predictor`.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     save_mlflow(Path(folder, "no-run"), Path(folder, "model"))
    Traceback (most recent call last):
        ...
    pyro_gmvae.errors.InputError: there is no run folder ...
    """
    mlflow = _mlflow()
    predictor = Predictor(run, density=density, reject=reject)
    if Path(out).exists():
        raise InputError(f"{os.fspath(out)} exists: choose another folder for the model")
    with TemporaryDirectory() as made:
        code, copy = Path(made, "place_rows.py"), Path(made, "run")
        code.write_text(CODE)
        # The model alone, without checkpoints and reports.
        save_run(copy, predictor.fitted)
        example = _example(predictor.fitted)
        mlflow.pyfunc.save_model(
            os.fspath(out),
            python_model=os.fspath(code),
            artifacts={"run": os.fspath(copy)},
            model_config={"density": density, "reject": reject},
            signature=_signature(mlflow, predictor, example),
            input_example=example,
            pip_requirements=[f"pyro-gmvae=={version('pyro-gmvae')}"],
        )


def python_model() -> Any:
    """Return the ``mlflow.pyfunc.PythonModel`` that places rows; MLflow hands it the run's path.

    Raises:
        InputError: without MLflow.

    >>> import torch
    >>> from types import SimpleNamespace
    >>> from pyro_gmvae.data import TableEncoding
    >>> from pyro_gmvae.models import ExactGMVAE
    >>> gmvae = ExactGMVAE(2, n_components=2, latent_dim=1, hidden=(4,), likelihood="gaussian")
    >>> x = torch.arange(40.0, dtype=torch.float64).view(20, 2)
    >>> fitted = FittedModel(gmvae.eval(), TableEncoding.standardize(x))
    >>> model = python_model()
    >>> with TemporaryDirectory() as folder:
    ...     save_run(folder, fitted)
    ...     model.load_context(SimpleNamespace(artifacts={"run": folder}, model_config={}))
    >>> model.predict(None, x.numpy()).shape[0]
    20
    """
    mlflow = _mlflow()

    class PlaceRows(mlflow.pyfunc.PythonModel):  # type: ignore[name-defined]
        def load_context(self, context: Any) -> None:
            self.predictor = Predictor(context.artifacts["run"], **context.model_config)

        # Without types, from which MLflow would make a signature of its own.
        def predict(self, context, model_input, params=None):  # type: ignore[no-untyped-def]
            return _frame(self.predictor, model_input)

    return PlaceRows()


def _mlflow() -> Any:
    try:
        import mlflow.pyfunc
    except ImportError as error:
        raise InputError("MLflow is not installed: pip install 'pyro-gmvae[mlflow]'") from error
    return mlflow


def _frame(predictor: Predictor, rows: Any) -> Any:
    """Place the rows of a data frame or an array, and return a data frame."""
    import pandas

    columns = {ROWS: rows} if isinstance(rows, np.ndarray) else dict(rows.items())
    found = predictor(columns)
    lists = {name: list(values) for name, values in found.items() if values.ndim > 1}
    return pandas.DataFrame(found | lists)


def _example(fitted: FittedModel) -> Any:
    """Draw a row of some clusters each, in the form in which users have rows."""
    import pandas

    n = min(fitted.gmvae.n_components, SHOWN)
    rows, _ = fitted.sample(n, clusters=torch.arange(n))
    schema, given = fitted.encoding.schema, fitted.encoding.as_given(rows)
    if schema is None:
        return given.round().clip(0, 255).astype(np.uint8)
    if schema.names is None:
        return given
    truth = [c.name for c in schema.columns if c.cells == "boolean"]
    return pandas.DataFrame(given, columns=schema.names).astype(dict.fromkeys(truth, bool))


def _signature(mlflow: Any, predictor: Predictor, example: Any) -> Any:
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema, TensorSpec

    schema = predictor.fitted.encoding.schema
    if schema is None or schema.names is None:
        inputs = Schema([TensorSpec(example.dtype, (-1, *example.shape[1:]))])
    else:
        columns = schema.columns
        inputs = Schema([ColSpec(TYPES[c.cells], c.name, required=False) for c in columns])
    made = mlflow.models.infer_signature(model_output=_frame(predictor, example))
    return ModelSignature(inputs=inputs, outputs=made.outputs)
