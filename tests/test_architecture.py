"""The rules of docs/architecture.md: floors, no cycles, no imports of the programs by the library, and a quick start."""

import ast
import re
import subprocess
import sys
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LIBRARY = "stylegan_tf"
PROGRAMS = ["config", "train", "dataset_tool", "generate"]
OUTSIDE_LIBRARY = {*PROGRAMS, "metrics", "benchmarks", "studies", "tests"}


def module_name(path):
    """Dotted name of a source file."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def sources():
    """Every module of the project, tests aside, by its dotted name."""
    folders = [path for name in (LIBRARY, "metrics", "benchmarks", "studies") for path in sorted((ROOT / name).rglob("*.py"))]
    return {module_name(path): path for path in [*folders, *(ROOT / f"{name}.py" for name in PROGRAMS)] if path.exists()}


def imported_names(tree, module, is_package):
    """Dotted names that a syntax tree imports: of modules, or of things inside them."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = module.split(".")[: len(module.split(".")) - node.level + is_package] if node.level else []
            origin = ".".join([*base, *([node.module] if node.module else [])])
            yield from (f"{origin}.{alias.name}" for alias in node.names)


def is_main_block(node):
    """True for `if __name__ == "__main__"`, which a module that is imported does not run."""
    return isinstance(node, ast.If) and "__main__" in ast.unparse(node.test)


@cache
def imports():
    """For every module, the modules of the project that it imports: inside functions and for type checking too."""
    found = {}
    for module, path in sources().items():
        tree = ast.parse(path.read_text(encoding="utf-8"))
        tree.body = [node for node in tree.body if not is_main_block(node)]
        names = set(imported_names(tree, module, path.name == "__init__.py"))
        # `from package import name`: the module `package.name` where there is one, else the package itself.
        found[module] = {name if name in sources() else name.rpartition(".")[0] for name in names} & set(sources()) - {module}
    return found


@cache
def floors():
    """Floor of every module in the table of docs/architecture.md, by dotted name without `stylegan_tf.`."""
    entries = {}
    for floor, cells in re.findall(r"^\| (\d) \| (.*) \|$", (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8"), re.M):
        for entry in re.findall(r"`([^`]+)`", cells):
            entries.update({name.removesuffix(".py").rstrip("/").replace("/", "."): int(floor) for name in entry.split()})
    return entries


def floor_of(module):
    """Floor of the most precise entry that contains a module; None where the table has none."""
    name = module.removeprefix(f"{LIBRARY}.")
    entries = [entry for entry in floors() if name == entry or name.startswith(entry + ".")]
    return floors()[max(entries, key=len)] if entries else None


def test_every_module_has_a_floor():
    assert [module for module in sources() if module != LIBRARY and floor_of(module) is None] == []


def entry_of(module):
    """Innermost folder of the table that a module lies in, such as `data.records`; "" for the files that stand alone."""
    parts = module.removeprefix(f"{LIBRARY}.").split(".")
    folders = [".".join(parts[:length]) for length in range(len(parts), 0, -1)]
    is_folder = {name: any((root / name.replace(".", "/")).is_dir() for root in (ROOT, ROOT / LIBRARY)) for name in folders}
    return next((name for name in folders if is_folder[name] and name in floors()), "")


def may_import(module, target):
    """A lower floor; or the same one, but never another folder on it."""
    entries = {entry_of(module), entry_of(target)} - {""}
    return floor_of(target) < floor_of(module) or (floor_of(target) == floor_of(module) and len(entries) <= 1)


def test_imports_lead_to_a_lower_floor_or_stay_within_a_folder():
    wrong = [
        f"{module} ({floor_of(module)}) -> {target} ({floor_of(target)})"
        for module, targets in imports().items()
        for target in sorted(targets - {LIBRARY})
        if module != LIBRARY and not may_import(module, target)
    ]
    assert wrong == []


def test_no_cycle_of_imports():
    done, path = set(), []

    def visit(module):
        if module in path:
            pytest.fail(f"cycle: {' -> '.join([*path[path.index(module) :], module])}")
        if module not in done:
            path.append(module)
            for target in sorted(imports()[module] - {LIBRARY}):  # its __init__ imports `load` only when it is used
                visit(target)
            done.add(path.pop())

    for module in imports():
        visit(module)


def test_the_library_does_not_import_programs_or_metrics():
    for module, path in sources().items():
        if module.split(".")[0] == LIBRARY:
            names = imported_names(ast.parse(path.read_text(encoding="utf-8")), module, path.name == "__init__.py")
            assert {name.split(".")[0] for name in names} & OUTSIDE_LIBRARY == set(), module


def test_no_module_has_a_name_without_a_subject():
    assert [module for module in sources() if module.split(".")[-1] in ("utils", "util", "misc", "helpers", "common")] == []


def test_the_first_line_of_a_file_says_what_belongs_in_it():
    assert [module for module, path in sources().items() if not re.match(r'\s*$|"""\S+ \S+ ', path.read_text(encoding="utf-8"))] == []


@pytest.mark.parametrize("module", [LIBRARY, "config"])
def test_import_does_not_wait_for_tensorflow(module):  # it takes seconds
    code = f"import sys, {module}; sys.exit('loaded TensorFlow' if 'tensorflow' in sys.modules else 0)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("program", ["train.py", "dataset_tool.py", "generate.py"])
def test_help_does_not_wait_for_tensorflow(program):
    code = (
        "import runpy, sys; sys.argv = [sys.argv[1], '--help']\n"
        "try: runpy.run_path(sys.argv[0], run_name='__main__')\n"
        "except SystemExit as end: sys.exit('loaded TensorFlow' if 'tensorflow' in sys.modules else end.code)"
    )
    done = subprocess.run([sys.executable, "-c", code, program], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert program in done.stdout


def annotated_arguments():
    """(module, argument, names in its annotation) of every annotated argument of a function."""
    for module, path in sources().items():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.arg) and node.annotation is not None:
                yield module, node.arg, set(re.findall(r"\w+", ast.unparse(node.annotation)))


def test_no_argument_is_any_where_its_type_is_known():
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in sources().values()]
    classes = {node.name for tree in trees for node in ast.walk(tree) if isinstance(node, ast.ClassDef)}
    of_a_class = Counter(name for _, name, types in annotated_arguments() if types & classes)
    known = {name for name, count in of_a_class.items() if count >= 10}
    assert known >= {"settings", "dataset", "network", "run_dir", "G"}
    assert [f"{module}: {name}" for module, name, types in annotated_arguments() if name in known and types == {"Any"}] == []


def test_every_file_of_code_that_the_documents_name_exists():
    files = [
        f"/{path.relative_to(ROOT).as_posix()}"
        for name in (LIBRARY, "metrics", "benchmarks", "studies", "tests")
        for path in (ROOT / name).rglob("*.py")
    ]
    files += [f"/{path.name}" for path in ROOT.glob("*.py")]
    named = {
        (page.name, name)
        for page in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
        for name in re.findall(r"`([\w/.-]+\.py)`", page.read_text(encoding="utf-8"))
    }
    assert len(named) > 20
    assert [entry for entry in sorted(named) if not any(file.endswith(f"/{entry[1]}") for file in files)] == []
