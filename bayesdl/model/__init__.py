"""The model language: statements that name random quantities, and what is read from them."""

from .models import Model as Model
from .models import model as model

__all__ = ["Model", "model"]
