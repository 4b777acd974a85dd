"""Tests infra/recompute: it accepts a right list of transactions in each form, and names the first difference in a changed one."""

import json
import subprocess
import tempfile
import zipfile
from copy import deepcopy
from pathlib import Path

RECOMPUTE = Path(__file__).parent.parent / "recompute"
END = "2026-12-31T00:00:00Z"
# Type, amount, balance, lots. The times have fractions of different lengths, as timestamps do.
STORY = [
    ("signup", 5, 5, [("sign-up", 5, None)], "2026-11-01T00:00:00Z"),
    ("promo", 10, 15, [("promo", 10, END)], "2026-11-01T00:00:00.5Z"),
    ("training", -12, 3, [("promo", -10, END), ("sign-up", -2, None)], "2026-11-01T00:00:00.501Z"),
    ("training", -4, -1, [("sign-up", -3, None)], "2026-11-02T00:00:00Z"),
    ("adjustment", 3, 2, [("adjustment", 2, None)], "2026-11-02T00:00:00Z"),
]


def exported():
    """The rows of an export, oldest first."""

    def lot(kind, amount, end):
        return {"kind": kind, "amountMicroUsd": amount} | ({"expiresAt": end} if end else {})

    return [
        {"number": number, "type": name, "amountMicroUsd": amount, "balanceMicroUsd": balance, "at": at,
         "lots": [lot(*it) for it in lots]}
        for number, (name, amount, balance, lots, at) in enumerate(STORY, start=1)
    ]  # fmt: skip


def listed(rows):
    """The same as the API answers, newest first."""
    renamed = {"balanceMicroUsd": "balanceAfterMicroUsd", "at": "createdAt"}
    rows = [{renamed.get(name, name): value for name, value in row.items()} for row in rows]
    return json.dumps({"transactions": rows[::-1]})


def lines(rows):
    return "".join(json.dumps(row) + "\n" for row in rows)


def run(path):
    done = subprocess.run([RECOMPUTE, path], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def of(folder, text):
    path = folder / "rows"
    path.write_text(text, encoding="utf-8")
    return run(path)


def accepts_each_form(folder):
    for text in (lines(exported()), listed(exported()), lines(exported()[:1]), ""):  # A team may have no transactions.
        status, said = of(folder, text)
        assert status == 0 and "equal" in said, said
    with zipfile.ZipFile(folder / "bundle.zip", "w") as bundle:
        bundle.writestr("transactions.ndjson", lines(exported()))
    status, said = run(folder / "bundle.zip")
    assert status == 0 and "5 transactions, balance $0.000002: equal" in said, said


def names_the_first_difference(folder):
    changes = {
        "amount": lambda rows: rows[2].update(amountMicroUsd=-11),
        "balance": lambda rows: rows[2].update(balanceMicroUsd=4),
        "lot": lambda rows: rows[2]["lots"].pop(),
        "gap": lambda rows: rows.pop(2),
        "time": lambda rows: rows[2].update(at="2026-10-01T00:00:00Z"),
        "double": lambda rows: rows.insert(3, deepcopy(rows[2])),
        "lot below zero": lambda rows: rows[2]["lots"][0].update(amountMicroUsd=-11),
    }
    for name, change in changes.items():
        rows = exported()
        change(rows)
        status, said = of(folder, lines(rows))
        assert status == 1 and said.startswith(("difference: transaction 3", "difference: transaction 4")), (name, said)


def refuses_other_files(folder):
    for text in ("not json", "{}", "[1]", '{"transactions": [{}]}'):
        status, said = of(folder, text)
        assert status == 2 and said.startswith("error: "), (text, said)
    assert run(folder / "missing")[0] == 2


with tempfile.TemporaryDirectory() as temporary:
    for story in (accepts_each_form, names_the_first_difference, refuses_other_files):
        story(Path(temporary))
print("infra/recompute: 3 stories")
