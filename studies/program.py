"""The command line of the studies: checks, the folder of a study, and the run of its steps."""

import argparse
import json
import signal
from collections.abc import Sequence
from pathlib import Path

from studies import plan as plans
from studies import table
from studies.rows import STUDIES
from studies.steps import Runner
from stylegan_tf.argument_parser import Parser
from stylegan_tf.display import say
from stylegan_tf.errors import UserError
from stylegan_tf.files import read_json, write_text
from stylegan_tf.training.run_dir import locked

_CHOICES_NAME = "study.json"
_EXAMPLES = """examples:
  python -m studies digits --data MNIST_FOLDER --outdir studies-digits --quick
  python -m studies digits --data MNIST_FOLDER --outdir studies-digits --only digits-dcgan-compact,digits-cdcgan-smoothing
  python -m studies scenes --data PHOTOGRAPHS --outdir studies-scenes --kimg 500
"""


def main(argv: Sequence[str]) -> int:
    """`python -m studies`."""
    options = _parser().parse_args(argv)
    plan = _plan(options)
    plans.check(plan)
    steps = plans.steps(plan)
    if options.list:
        say(*(f"{'done' if step.is_done() else 'to do':6} {step.name}" for step in steps))
        return 0
    plan.out.mkdir(parents=True, exist_ok=True)
    with locked(plan.out, "Wait until it has ended, or use another --outdir."):  # two processes would train the same rows
        _keep_choices(plan, options.study)
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends the step that is running, too
        Runner(steps, plan.out, lambda: table.write(plan)).run()
    say(f"wrote {plan.out / 'table.md'}, table.json, curves and grids")
    return 0


def _parser() -> Parser:
    description = "Trains and scores the rows of a study one after the other, and writes one table of them."
    parser = Parser(prog="python -m studies", description=description, epilog=_EXAMPLES)
    add = parser.add_argument
    add(
        "study",
        choices=list(STUDIES),
        help="digits: (conditional) GANs on MNIST; scenes: DCGAN, WGAN, StyleGAN2; "
        "ablations: StyleGAN A to F; flowers: depths of the mapping",
    )
    add("--data", required=True, metavar="DIR", help="a dataset; or MNIST's files (digits), a folder or archive of photographs (others)")
    add("--outdir", required=True, metavar="OUT", help="folder of the results; finished steps are not repeated, interrupted ones resume")
    add("--test", metavar="DIR", help="dataset of test images, kept out of training (digits: made from MNIST's files)")
    add(
        "--quick",
        action="store_true",
        help="a test of the procedure in minutes on two cores: some rows, small networks, short runs, few images scored",
    )
    add("--only", metavar="NAMES", help="rows, separated by commas, in the order of the table (default: all; some with --quick)")
    add("--kimg", type=float, metavar="N", help="length of every run in thousands of images (default: that of the preset)")
    add("--list", action="store_true", help="list the steps and which are finished, and exit")
    return parser


def _plan(options: argparse.Namespace) -> plans.Plan:
    study = STUDIES[options.study]
    rows = {row.preset: row for row in study.rows}
    names = [name.strip() for name in options.only.split(",") if name.strip()] if options.only else None
    unknown = [name for name in names or [] if name not in rows]
    if unknown or names == []:
        raise UserError(f"--only {options.only}: no such row. The study {options.study} has: {', '.join(rows)}")
    if options.kimg is not None and not 0 < options.kimg <= 1e6:
        raise UserError(f"--kimg must be above 0 and at most 1,000,000. Received: {options.kimg}")
    chosen = tuple(row for row in study.rows if (row.preset in names if names else row.is_quick or not options.quick))
    test = Path(options.test).resolve() if options.test else None
    return plans.Plan(study, chosen, Path(options.data).resolve(), test, Path(options.outdir).resolve(), options.quick, options.kimg)


def _keep_choices(plan: plans.Plan, study: str) -> None:
    """Writes what a folder is for; refuses to mix studies, lengths and data in one table.

    Raises:
        UserError: the folder holds other results.
    """
    path = plan.out / _CHOICES_NAME
    choices = {"study": study, "quick": plan.is_quick, "data": str(plan.data), "test": str(plan.test) if plan.test else None}
    if path.exists():
        before = read_json(path)
        if before != choices:
            raise UserError(f"{plan.out} contains a study with other choices: {before}. Now: {choices}. Use another --outdir.")
    else:
        write_text(path, json.dumps(choices, indent=2) + "\n")
