"""The help of a command lists every field of its configuration."""

from elbow_core.config import (
    describe_fields,
)
from elbow_core.prepare import DataConfig
from tests.support.sample_config import Run


def test_help_lists_fields_with_type_default_and_documentation():
    text = describe_fields(Run)
    assert "--epochs int (required)\n      Passes over the data." in text
    assert "--optimizer.momentum float (default: 0.9)\n      Share of the last step." in text
    assert "--source Disk|Net (default: Net)\n    Disk: From a disk." in text
    assert "--source.folder path (required)" in text
    assert "--sizes [int, ...] (default: (1,))" in text
    assert "--layers[].width int (required)" in text
    assert "--note text|null (default: None)" in text
    assert "--redraw true|false (default: False)" in text


def test_help_documents_every_field_of_the_data_configuration():
    lines = describe_fields(DataConfig).splitlines()
    fields = [number for number, line in enumerate(lines) if line.startswith("  --")]
    undocumented = [
        lines[number]
        for number in fields
        if not lines[number + 1].startswith("      ") and ".kind " not in lines[number]
    ]
    assert [line for line in undocumented if ".method " not in line] == []
