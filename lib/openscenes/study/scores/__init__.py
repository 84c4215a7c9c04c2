"""What is measured: masks, clicks, statistics, tables of estimates."""
