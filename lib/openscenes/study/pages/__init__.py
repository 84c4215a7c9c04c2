"""Pages: executed notebooks, tables as Markdown and LaTeX, the site."""
