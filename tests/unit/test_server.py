"""The server has imported what the pages need before it listens."""

import subprocess
import sys

import numpy as np
from sklearn.datasets import load_digits

from convexviz.datasets.digits import digits

ASK = """
import sys
from convexviz.views import server
server.prepare()
before = set(sys.modules)
import convexviz.views.heroes.wgan, convexviz.views.heroes.denoiser, convexviz.views.race
from convexviz.datasets import portraits
from convexviz.experiments import gallery
gallery.of("handwriting", portraits.handwriting())
print(len(set(sys.modules) - before), "sklearn" in sys.modules, "streamlit.web.cli" in sys.modules)
"""


def test_a_first_visit_imports_nothing() -> None:
    asked = subprocess.run(
        [sys.executable, "-c", ASK], capture_output=True, text=True, check=True, timeout=120
    )
    assert asked.stdout.split() == ["0", "False", "False"], asked.stderr


def test_the_digits_are_those_of_scikit_learn() -> None:
    images, labels = digits()
    known = load_digits()
    assert np.array_equal(images, known.images)
    assert np.array_equal(labels, known.target)
    assert not images.flags.writeable
