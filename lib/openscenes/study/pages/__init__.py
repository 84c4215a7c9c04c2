"""Pages: executed notebooks, tables as Markdown and LaTeX, the site."""

PAGE_RUN = "OPENSCENES_PAGE_RUN"  # set in the kernel that makes a page
