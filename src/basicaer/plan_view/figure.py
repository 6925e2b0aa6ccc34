"""A figure of matplotlib that notebooks show; apart, since matplotlib may be missing."""

from __future__ import annotations

from io import BytesIO

from matplotlib.figure import Figure

__all__ = ["ShownFigure"]


class ShownFigure(Figure):
    """Shown by a notebook also where pyplot, which would see to that, has drawn nothing yet."""

    def _repr_png_(self) -> bytes:
        written = BytesIO()
        self.savefig(written, format="png")
        return written.getvalue()
