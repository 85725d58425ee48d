"""The app with one function more, which counts the objects that live in the worker. For tests only."""

import gc
import importlib.util
import json
from collections import Counter
from pathlib import Path

from azure_functions_runtime.http_v2 import http_coordinator
from starlette.requests import Request
from starlette.responses import Response

REAL = Path(__file__).parents[3] / "function_app.py"
_specification = importlib.util.spec_from_file_location("real_function_app", REAL)
assert _specification is not None
assert _specification.loader is not None
_real = importlib.util.module_from_spec(_specification)
_specification.loader.exec_module(_real)
app = _real.app


@app.function_name("a_diagnosis")
@app.route(route="diagnosis", methods=["GET"], trigger_arg_name="request")
async def diagnosis(request: Request) -> Response:
    """How many objects of each type live, and how many references the coordinator holds."""
    gc.collect()
    counts = Counter(type(each).__name__ for each in gc.get_objects())
    document = {"objects": counts, "references": len(http_coordinator._context_references)}
    return Response(json.dumps(document), media_type="application/json")
