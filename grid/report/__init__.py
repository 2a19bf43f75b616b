"""The report of a study, finished or not: tables, sheets and the HTML page."""
