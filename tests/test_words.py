"""One word, one meaning: what the names of arguments promise, in every function of the library."""

import ast
from collections.abc import Iterator
from pathlib import Path

import primatrix

SOURCE = Path(primatrix.__file__).parent
LABELS = ("labels", "y_true", "true", "truth", "y")
PREDICTIONS = ("predictions", "y_prob", "prob", "probabilities", "logits")


def arguments() -> Iterator[tuple[str, list[ast.arg]]]:
    """Every function of the library by its place, and its arguments in their order."""
    for path in sorted(SOURCE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef):
                words = node.args
                yield (
                    f"{path.relative_to(SOURCE)}: {node.name}",
                    [*words.posonlyargs, *words.args, *words.kwonlyargs],
                )


def test_labels_come_before_predictions_in_every_function() -> None:
    wrong = []
    for place, words in arguments():
        names = [word.arg for word in words]
        labels = [names.index(name) for name in LABELS if name in names]
        predictions = [names.index(name) for name in PREDICTIONS if name in names]
        if labels and predictions and min(predictions) < max(labels):
            wrong.append(f"{place}({', '.join(names)})")
    assert wrong == []


def test_a_device_is_a_word_everywhere() -> None:
    kinds = {
        f"{place}: {ast.unparse(word.annotation)}"
        for place, words in arguments()
        for word in words
        if word.arg == "device" and word.annotation
    }
    assert len(kinds) > 5
    words = {kind for kind in kinds if kind.endswith(": DeviceName")}
    options = {kind for kind in kinds if kind.startswith("cli/") and kind.endswith(": Device")}  # an option's
    assert kinds - words - options == set()
