"""Runs the recipes of docs/dev.md as they stand: what a reader pastes is what is tested.

A recipe is a heading below "Recipes". A block below a line with nothing but a file's name becomes that file; other blocks of
`sh` are run, and so are the `run` steps of a workflow, each as a CI runner does it: by a shell of its own that stops at the
first failure.
"""

import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import unittest

from darkroom_server import BINARY, ROOT

DOCUMENT = ROOT / "docs/dev.md"
CLIENTS = pathlib.Path(os.environ.get("DARKROOM_NPM_CLIENTS", ROOT / "target/clients/npm"))
STEP_WITHIN_SECONDS = 120
# Where `darkroom dev` listens, in the recipes that do not ask for a free port.
PORT = 3535


def recipes():
    """Yields each recipe: its name, its files by path, and what is to be run."""
    text = DOCUMENT.read_text("utf-8").split("\n## Recipes\n", 1)[1]
    for recipe in text.split("\n### ")[1:]:
        name, rest = recipe.split("\n", 1)
        files, steps = {}, []
        blocks = re.findall(r"(?:^`([^`\n]+)`:\n\n)?^```(\w+)\n(.*?)^```$", rest, re.MULTILINE | re.DOTALL)
        for path, language, block in blocks:
            if path:
                files[path] = block
            elif language == "sh":
                steps.append(block)
            if language == "yaml":
                steps.extend(run_steps(block))
        yield name, files, steps


def run_steps(workflow):
    """Returns the commands of a workflow, in order."""
    steps = []
    for step in re.split(r"^ +- ", workflow, flags=re.MULTILINE)[1:]:
        found = re.search(r"^ *run: (.*(?:\n(?: {10}.*)?)*)", step, re.MULTILINE)
        if found is None:
            continue
        first, *more = found[1].rstrip().split("\n")
        more = [line.strip() for line in more]
        if first in ("|", ">-"):
            steps.append(("\n" if first == "|" else " ").join(more))
        else:
            steps.append(first)
    return steps


class RecipesTest(unittest.TestCase):
    def test_the_document_is_read(self):
        found = {name: (len(files), len(steps)) for name, files, steps in recipes()}
        self.assertEqual(found, {"vitest": (1, 1), "pytest": (1, 1), "Shell": (1, 2), "A CI workflow": (2, 4)})

    def test_recipes_work_as_they_stand(self):
        self.assertFalse(is_taken(PORT), f"some recipes need port {PORT}, and another program has it")
        for name, files, steps in recipes():
            with self.subTest(name), tempfile.TemporaryDirectory(prefix="darkroom-recipe-") as folder:
                self.run_recipe(pathlib.Path(folder), files, steps)

    def run_recipe(self, folder, files, steps):
        (folder / "images").mkdir()
        shutil.copy(ROOT / "tests/photos/chelsea.png", folder / "images/cat.png")
        for path, content in files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(content, "utf-8")
        # What `npm install` and `pip install` would have put there.
        (folder / "node_modules").symlink_to(CLIENTS / "node_modules")
        (folder / "bin").mkdir()
        (folder / "bin/darkroom").symlink_to(BINARY)
        programs = [folder / "bin", *(pathlib.Path(path) / "bin" for path in os.environ["PYTHONPATH"].split(":"))]
        environment = {
            "PATH": ":".join([*map(str, programs), os.environ["PATH"]]),
            "PYTHONPATH": os.environ["PYTHONPATH"],
            "HOME": str(folder),
        }
        steps_begun = []
        try:
            for step in steps:
                with open(folder / "log", "w+", encoding="utf-8", errors="replace") as log:
                    process = subprocess.Popen(
                        ["bash", "-eo", "pipefail", "-c", step],
                        cwd=folder,
                        env=environment,
                        stdin=subprocess.DEVNULL,
                        stdout=log,
                        stderr=log,
                        start_new_session=True,
                    )
                    steps_begun.append(process)
                    code = process.wait(STEP_WITHIN_SECONDS)
                    log.seek(0)
                    self.assertEqual(code, 0, f"{step}\n{log.read()[-10_000:]}")
        finally:
            for process in steps_begun:
                end(process)


def end(process):
    """Ends a step and what it left running beside it, as a CI runner does at the end of a job."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()


def is_taken(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
