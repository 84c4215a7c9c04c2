"""What stands beside a table: curves click by click, chosen rows, and numbers as csv files."""

from __future__ import annotations
