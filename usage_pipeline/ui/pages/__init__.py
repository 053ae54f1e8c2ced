"""One module for each page: `TITLE`, `URL`, and `show(view)`, which reads through the view and draws."""
