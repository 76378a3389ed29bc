"""Errors of command lines: one line, exit code 2, and what was probably meant."""

import pytest

import dataset_tool
import generate
import train
from stylegan_tf.argument_parser import Parser


def refused(capsys, parser, *arguments):
    with pytest.raises(SystemExit, match="2"):
        parser.parse_args(list(arguments))
    errors = capsys.readouterr().err
    assert errors.startswith("error: ")
    assert len(errors.splitlines()) == 1
    return errors


@pytest.mark.parametrize(
    ("make", "arguments", "message"),
    [
        (
            generate.parser,
            ["--seeds", "1-4", "images", "--grid"],
            "Options follow the command: python generate.py images --seeds 1-4 --grid.",
        ),
        (generate.parser, ["--class", "oak"], "Options follow the command: python generate.py COMMAND --class oak."),
        (dataset_tool.parser, ["--resolution", "64", "create_leaves", "x"], "python dataset_tool.py create_leaves --resolution 64 x."),
        (generate.parser, ["directions", "--names", "a", "show"], "python generate.py directions show --names a."),
        (generate.parser, ["image"], "Unknown command 'image'. Did you mean images? Known: images, "),
        (dataset_tool.parser, ["create_leavs", "x"], "Did you mean create_leaves?"),
        (generate.parser, ["images", "--seds", "1"], "Unknown option --seds. Did you mean --seeds?"),
        (generate.parser, ["images", "--space=w"], "Unknown option --space. It is an option of generate.py interpolate."),
        (train.parser, ["--totl-kimg=3"], "Unknown option --totl-kimg. Did you mean --total-kimg?"),
        (generate.parser, ["images", "--noise", "cnst"], "Unknown --noise 'cnst'. Did you mean const? Known: const, random, none."),
        (train.parser, ["more"], "Not expected here: more."),
        (generate.parser, [], "required: COMMAND. All options: python generate.py --help"),
        (generate.parser, ["images", "--batch", "x"], "--batch: invalid int value: 'x'. All options: python generate.py images --help"),
    ],
)
def test_errors_name_what_was_probably_meant(capsys, make, arguments, message):
    assert message in refused(capsys, make(), *arguments)


def test_lists_that_begin_with_a_minus_sign_are_values():  # argparse took -1,0 for an option
    parsed = generate.parser().parse_args(["truncation", "--psis", "-1,0,0.5"])
    assert parsed.psis == "-1,0,0.5"
    assert generate.parser().parse_args(["images", "--label", "-1.5,2e-3", "--trunc", "-0.5"]).trunc == -0.5


def test_control_characters_of_an_argument_are_shown_as_escapes(capsys):
    assert "\\x1b" in refused(capsys, Parser(prog="x"), "\x1b[31m")


def test_the_home_folder_may_be_abbreviated_in_every_argument(monkeypatch):  # the shell leaves the ~ in --data=~/x
    monkeypatch.setenv("HOME", "/home/me")
    parsed = train.parser().parse_args(["--data=~/photos", "--outdir", "~", "--set", "data.path=~/set", "--set=transfer.init_from=~/x.pkl"])
    assert (parsed.data, parsed.outdir) == ("/home/me/photos", "/home/me")
    assert parsed.set == ["data.path=/home/me/set", "transfer.init_from=/home/me/x.pkl"]
    assert generate.parser().parse_args(["project", "--target", "~/a.png", "b~/c.png"]).target == ["/home/me/a.png", "b~/c.png"]
    assert train.parser().parse_args(["--data=~nobody-of-this-name/x"]).data == "~nobody-of-this-name/x"
