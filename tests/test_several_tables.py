"""From a folder of tables to a model, and to predictions for another folder."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pandas as pd
import pytest

from autoglm import AutoTask, TaskOptions, load
from autoglm.cli import main
from autoglm.core.errors import AmbiguousTask, DataError

sys.path.insert(0, str(Path(__file__).parent / "dataflow"))
from test_joins import shop


def write(folder: Path, tables: dict[str, pd.DataFrame]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, frame in tables.items():
        frame.to_csv(folder / f"{name}.csv", index=False)
    return folder


def test_what_other_tables_say_is_learned(tmp_path: Path) -> None:
    task = AutoTask.create(dataset=write(tmp_path / "shop", shop(400)),
                           description="which customers churn?")  # fmt: skip
    assert (task.spec.target.value, task.spec.target.source) == ("churned", "sentence")
    assert len(task.table.frame) == 400
    assert any("orders beside customers by id = customer_id" in n for n in task.table.notes)
    model = task.launch(run_dir=tmp_path / "runs", max_trials=4, workers=0)
    new = write(tmp_path / "new", shop(100, seed=1))
    truth = pd.read_csv(new / "customers.csv")["churned"]
    again = load(model.save(tmp_path / "model.aglm"))
    found = again.predict(again.joined(new))
    # Who has fewer than two orders leaves: nothing in the customers' own table tells.
    assert (found.to_numpy() == truth.to_numpy()).mean() > 0.97
    assert again.evaluate(again.joined(new))["accuracy"] > 0.97


def test_from_the_shell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = str(write(tmp_path / "店", shop(300)))
    model = str(tmp_path / "model")
    asked = ["run", "哪些客户会流失", folder, "--trials", "2", "--out", model]
    assert main([*asked, "--run-dir", str(tmp_path / "runs")]) == 0
    assert "orders 按 id = customer_id 并入 customers" in capsys.readouterr().err
    assert main(["predict", model, folder, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["rows"] == 300
    assert main(["evaluate", model, folder, "--json"]) == 0
    assert "roc_auc" in capsys.readouterr().out


def test_an_open_choice_is_asked_for_once() -> None:
    tables = shop(150)
    both = {"east": tables["customers"], "west": tables["customers"].assign(age=30)}
    with pytest.raises(AmbiguousTask, match="Which table") as error:
        AutoTask.create(dataset=both, description="predict churned")
    assert error.value.flag == "--main"
    asked = []

    def answer(question: object) -> str:
        asked.append(question)
        return "west"

    task = AutoTask.create(dataset=both, description="predict churned", ask=answer)
    assert len(asked) == 1
    assert task.joins is not None and task.joins.main == "west"
    task = AutoTask.create(dataset=both, description="predict churned",
                           options=TaskOptions(main="east"))  # fmt: skip
    assert task.joins is not None and task.joins.main == "east"
    with pytest.raises(DataError, match="north"):
        AutoTask.create(dataset=both, target="churned", options=TaskOptions(main="north"))


def test_what_may_belong_together_is_joined_when_it_is_said() -> None:
    tables = shop(150)
    orders = tables["orders"].rename(columns={"customer_id": "buyer"})
    two = {"customers": tables["customers"], "orders": orders}
    task = AutoTask.create(dataset=two, description="predict churned")
    assert "orders count" not in task.table.frame
    assert any("not sure" in note for note in task.table.notes)
    task = AutoTask.create(dataset=two, description="predict churned", ask=lambda question: "yes")
    assert "orders count" in task.table.frame


def test_a_refinement_reads_the_folder_again(tmp_path: Path) -> None:
    folder = write(tmp_path / "shop", shop(200))
    task = AutoTask.create(dataset=folder, description="which customers churn?")
    model = task.launch(run_dir=tmp_path / "runs", max_trials=2, workers=0)
    better = model.refine("without age", time_limit=2)
    assert "age" not in better.prepared.cleaner.inputs
    assert "orders count" in better.prepared.cleaner.inputs
    assert better.joins == model.joins
