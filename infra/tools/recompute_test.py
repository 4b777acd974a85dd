"""Tests infra/recompute: it accepts right transactions in each form and right tables, and names the first difference in changed ones."""

import json
import subprocess
import tempfile
import zipfile
from copy import deepcopy
from datetime import datetime
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
    ("monthly_grant", 30, 32, [("monthly", 30, END)], "2026-11-30T00:00:00Z"),
    ("pro_credit_expiry", -30, 2, [("monthly", -30, END)], END),
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
    assert status == 0 and "7 transactions, balance $0.000002: equal" in said, said


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


def attribute(value):
    """A value as DynamoDB's API has it."""
    match value:
        case None:
            return {"NULL": True}
        case bool():
            return {"BOOL": value}
        case int():
            return {"N": str(value)}
        case str():
            return {"S": value}
        case list():
            return {"L": [attribute(member) for member in value]}
        case dict():
            return {"M": {name: attribute(member) for name, member in value.items()}}
        case _:
            raise TypeError(value)


def milliseconds(time):
    return int(datetime.fromisoformat(time).timestamp() * 1000)


def stored_lot(kind, amount, end):
    return {"kind": kind, "amount": amount} | ({"expires": milliseconds(end)} if end else {})


def stored(workspace="ws_a"):
    """The postings of a workspace, oldest first, and its wallet, of whose credit one half is held. Then the start of the next month."""
    postings = [
        {"pk": f"POSTINGS#{workspace}", "sk": f"{number:012}", "number": number, "type": name, "amount": amount,
         "balance": balance, "at": at, "lots": [stored_lot(*it) for it in lots], "cause": {"job": "job-1"}}
        for number, (name, amount, balance, lots, at) in enumerate(STORY, start=1)
    ]  # fmt: skip
    month = {"number": 8, "sk": f"{8:012}", "type": "monthly_grant", "amount": 30, "balance": 32}
    postings.append(postings[-1] | month | {"lots": [stored_lot("monthly", 30, "2027-01-31T00:00:00Z")]})
    hold = {"job": "job-2", "category": "training", "amount": 16, "expires": 1, "lots": []}
    hold["lots"] = [stored_lot("monthly", 16, "2027-01-31T00:00:00Z")]
    lots = [stored_lot("monthly", 14, "2027-01-31T00:00:00Z"), stored_lot("adjustment", 2, None)]
    wallet = {"pk": f"WALLET#{workspace}", "sk": "WALLET", "workspace": workspace, "version": 9, "postings": 8, "lots": lots,
              "holds": [hold], "debt": 0, "due": {"verify": "2027-01-01T00:00:00Z"}}  # fmt: skip
    return [*postings, wallet]


def indebted():
    """A wallet that owes something: it has no lots."""
    rows = stored("ws_b")[:4]
    wallet = {"pk": "WALLET#ws_b", "sk": "WALLET", "postings": 4, "lots": [], "debt": 1}
    return [*rows, wallet]


def answer(items):
    """An answer of the AWS CLI."""
    items = [attribute(item)["M"] for item in items]
    return json.dumps({"Items": items, "Count": len(items), "ScannedCount": len(items), "ConsumedCapacity": None}, indent=4)


def of_tables(text):
    done = subprocess.run([RECOMPUTE, "--tables", "-"], input=text, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def accepts_tables_in_each_form(folder):
    others = [
        {"pk": "CAUSES#ws_a", "sk": "job#job-1", "amount": -12, "posting": 3},
        {"pk": "WALLETSDUE#verify#3", "sk": "1798761600000#ws_a", "workspace": "ws_a"},
        {"pk": "CLOSED#0a", "sk": "000000000001#1", "amount": 5, "balance": 5, "is": True, "was": None},
    ]
    whole = "ws_a: 8 transactions, balance $0.000032: equal\n"
    owes = "ws_b: 4 transactions, balance -$0.000001: equal\n"
    both = stored() + others + indebted()
    lines = "".join(json.dumps({"Item": attribute(item)["M"]}) + "\n" for item in both)
    for text in (answer(both), answer(both[::-1]), answer(stored()) + answer(indebted()) + "\n", lines):
        assert of_tables(text) == (0, whole + owes), of_tables(text)
    assert of_tables(answer(stored())) == (0, whole)
    without = "ws_a: 8 transactions, balance $0.000032, without its wallet: equal\n"
    assert of_tables(answer(stored()[:-1])) == (0, without)
    unopened = {"pk": "WALLET#ws_c", "sk": "WALLET", "postings": 0, "lots": []}
    assert of_tables(answer([unopened])) == (0, "ws_c: 0 transactions, balance $0.000000: equal\n")
    path = folder / "items"
    path.write_text(answer(stored()), encoding="utf-8")
    done = subprocess.run([RECOMPUTE, "--tables", path], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, whole), done


def names_the_first_difference_of_tables(_folder):
    changes = {
        "amount": (lambda rows: rows[2].update(amount=-11), "transaction 3: "),
        "balance": (lambda rows: rows[2].update(balance=4), "transaction 3: "),
        "lot": (lambda rows: rows[2]["lots"].pop(), "transaction 3: "),
        "gap": (lambda rows: rows.pop(2), "transaction 4: "),
        "time": (lambda rows: rows[2].update(at="2026-10-01T00:00:00Z"), "transaction 3: "),
        "double": (lambda rows: rows.insert(3, deepcopy(rows[2])), "transaction 3: "),
        "lot below zero": (lambda rows: rows[2]["lots"][0].update(amount=-11), "transaction 3: "),
        "key": (lambda rows: rows[2].update(sk="000000000030"), "transaction 3: "),
        "end": (lambda rows: rows.pop(7), "wallet: the number of transactions is 8, and should be 7"),
        "wallet's lot": (lambda rows: rows[-1]["lots"][0].update(amount=13), "wallet: the balance is 31, and should be 32"),
        "held lot": (lambda rows: rows[-1]["holds"][0].update(lots=[]), "wallet: the balance is 16, and should be 32"),
        "kind": (lambda rows: rows[-1]["lots"][1].update(kind="paid"), "wallet: the lot ('adjustment', None) is 0, "),
        "expiry": (lambda rows: rows[-1]["lots"][0].update(expires=1), "wallet: the lot ('monthly', 1) is 14, "),
        "debt": (lambda rows: (rows[-1].update(debt=2), rows[-1]["lots"][1].update(amount=4)), "wallet: the lot "),
        "all postings": (lambda rows: rows.__delitem__(slice(0, 8)), "wallet: the number of transactions is 8, "),
    }
    for name, (change, what) in changes.items():
        items = stored()
        change(items)
        status, said = of_tables(answer(items + indebted()))
        first, second = said.splitlines()
        assert status == 1 and first.startswith(f"ws_a: difference: {what}"), (name, said)
        # One that differs hides no other.
        assert second == "ws_b: 4 transactions, balance -$0.000001: equal", (name, said)


def refuses_other_tables(folder):
    part = json.loads(answer(stored()))
    texts = [json.dumps(part | {"NextToken": "e30"}), json.dumps(part | {"LastEvaluatedKey": {}})]
    texts += ["", "not json", "{}", "[1]", '{"Items": []}', '{"Items": [{"pk": {"S": "CAUSES#ws_a"}}]}']
    texts += ['{"Items": [{"pk": {"S": "POSTINGS#ws_a"}}]}', '{"Items": [{"pk": {"B": "AA=="}}]}', '{"Items": [{"sk": {"S": "1"}}]}']
    for text in texts:
        status, said = of_tables(text)
        assert status == 2 and said.startswith("error: - can't be recomputed"), (text, said)
    for arguments in (["--tables"], ["--tables", folder / "missing"], ["--table", "-"], []):
        done = subprocess.run([RECOMPUTE, *arguments], capture_output=True, text=True, check=False)
        assert done.returncode == 2 and done.stderr, arguments


def refuses_other_files(folder):
    for text in ("not json", "{}", "[1]", '{"transactions": [{}]}'):
        status, said = of(folder, text)
        assert status == 2 and said.startswith("error: "), (text, said)
    assert run(folder / "missing")[0] == 2


with tempfile.TemporaryDirectory() as temporary:
    stories = [accepts_each_form, names_the_first_difference, refuses_other_files]
    stories += [accepts_tables_in_each_form, names_the_first_difference_of_tables, refuses_other_tables]
    for story in stories:
        story(Path(temporary))
print(f"infra/recompute: {len(stories)} stories")
