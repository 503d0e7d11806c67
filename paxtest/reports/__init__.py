"""HTML report, JUnit XML, Markdown summary."""
