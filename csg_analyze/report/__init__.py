"""The report: what it says (`document`), its folder (`folder`), its tables, figures and provenance."""

from csg_analyze.report.document import ModelReport, Report, Section, as_text, summary_document
from csg_analyze.report.folder import check_out, write_report
from csg_analyze.report.provenance import provenance
from csg_analyze.report.tables import headline, headline_table

__all__ = [
    "ModelReport",
    "Report",
    "Section",
    "as_text",
    "check_out",
    "headline",
    "headline_table",
    "provenance",
    "summary_document",
    "write_report",
]
