"""onnxruntime, which runs networks, kept from telling its makers about it.

Its releases note each process that loads them in the user's cache, and send that home, unless they are told
not to before they are loaded. So nothing else imports onnxruntime.
"""

from __future__ import annotations

import os

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import onnxruntime as ort
from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors

ort.disable_telemetry_events()

__all__ = ["ort", "ort_errors"]
