"""The demo: its report's commands, and the tables that it prints."""

from rich.console import Console

from scripts.demo import MODELS, Demo, areas_by_study


def studies_of(**areas: float | None) -> dict:
    joins = {
        way.replace("_", " "): {"auroc": {"value": area}} for way, area in areas.items() if area
    }
    return {"studies": {"joins": joins}}


def test_report_gets_what_the_learnt_join_of_studies_needs():
    """Validation predictions of each model, and the manifest, which names the views."""
    command = Demo().write_report()
    given = command[command.index("--validation") + 1 : command.index("--fused")]
    assert given == [f"runs/demo/{name}/predictions_validation.csv" for name in MODELS]
    assert command[command.index("--manifest") + 1] == "data/demo/elbow/manifest.csv"


def test_areas_of_each_way_to_join_stand_side_by_side():
    console = Console(record=True, width=100)
    models = {
        "first": studies_of(mean_of_logits=0.91, maximum=0.9, learnt=0.9251),
        "second": studies_of(mean_of_logits=0.8, maximum=None, learnt=0.81),
    }
    console.print(areas_by_study(models))
    rows = [line.split("│") for line in console.export_text().splitlines() if "│" in line]
    cells = [[cell.strip() for cell in row[1:-1]] for row in rows]
    assert ["first", "0.910", "0.900", "0.925"] in cells
    assert ["second", "0.800", "-", "0.810"] in cells
