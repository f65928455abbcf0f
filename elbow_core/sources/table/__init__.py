"""Labels in a spreadsheet: `TableSource` names its columns and says what their texts mean.

`config` is the schema, `entries` are the rows of the table, with `ids` and `values` of their cells,
and `files` finds the image of each; `source` joins them.
"""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from elbow_core.sources.table.config import TableColumns, TableSource

__all__ = ["TableColumns", "TableSource"]

__getattr__, __dir__, _ = lazy_loader.attach(
    __name__, submod_attrs={"config": ["TableColumns", "TableSource"]}
)
