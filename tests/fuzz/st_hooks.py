"""What schemathesis cannot make of a schema: archives, some of which are whole."""

from __future__ import annotations

import io
import zipfile

import schemathesis
from hypothesis import strategies as st


def _zip(note: str) -> bytes:
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as archive:
        archive.writestr(zipfile.ZipInfo("benign/1.png", (2026, 1, 1, 0, 0, 0)), note)
    return body.getvalue()


_WHOLE = st.integers(0, 30).map(lambda number: _zip(str(number)))
_BROKEN = st.one_of(
    st.binary(max_size=200),
    st.binary(max_size=200).map(lambda tail: b"PK\x03\x04" + tail),
    st.tuples(_WHOLE, st.integers(1, 60)).map(lambda cut: cut[0][: -cut[1]]),
)
schemathesis.openapi.media_type("application/zip", st.one_of(_WHOLE, _WHOLE, _BROKEN))
